/*
 * Between the files of launch; nobody else includes this.
 */
#ifndef VMCORE_GUEST_LAUNCH_INTERNAL_H
#define VMCORE_GUEST_LAUNCH_INTERNAL_H

#include "vmcore/guest/launch.h"

/* A list under construction: failures are looked at once, at the end. */
struct launch_words {
    struct um_strv list;
    bool failed;
};

void launch_add(struct launch_words *w, const char *fmt, ...) um_nonnull(1, 2) um_format(2, 3);
void launch_add_list(struct launch_words *w, const char *const *words) um_nonnull(1);
/* Hand the list over, or report that memory ran out. */
enum um_code launch_finish(struct launch_words *w, struct um_strv *ret, struct um_error *err)
    um_nonnull(1, 2) um_check;

/* `guest "web"` for errors. */
const char *launch_object(const struct guest_definition *d, char *buf, size_t size)
    um_nonnull(1, 2);

/* Is it a console umlmon keeps a pty for, besides con0? */
bool launch_console(const struct device *v) um_nonnull(1) um_check;

/* What is known of a ubd device's file; a zeroed one if nothing is. */
const struct launch_disk *launch_disk_of(const struct launch_options *o, const struct device *v)
    um_nonnull(1, 2);

/* Has the kernel what its net devices need? */
enum um_code launch_check_nics(const struct guest_definition *d, const struct launch_kernel *k,
                               struct um_error *err) um_nonnull(1, 2) um_check;

#endif
