/*
 * Between the files of the definition's checks and launch.c; nobody else includes this.
 */
#ifndef VMCORE_GUEST_DEFINITION_INTERNAL_H
#define VMCORE_GUEST_DEFINITION_INTERNAL_H

#include "vmcore/guest/definition.h"

/* Where a check puts what it finds; more than max problems are dropped. */
struct problems {
    char object[96];
    struct um_error *errors;
    size_t max, n;
    bool own_uid; /* of the guest: writing is not umld's to do */
};

void problems_init(struct problems *p, const struct guest_definition *d, struct um_error *errors,
                   size_t max) um_nonnull(1, 2);
/* Returns the error for a hint, NULL if there was no room (um_hint() takes that). */
struct um_error *problem_add(struct problems *p, enum um_code code, const char *field,
                             const char *fmt, ...) um_nonnull(1) um_format(4, 5);

/* Is inner the directory outer or something below it? Both absolute, without `.` and `..`. */
bool path_within(const char *outer, const char *inner) um_nonnull(1, 2) um_check;

/* The word of the kernel command line that begins with prefix, or NULL; stops at `--`. */
const char *cmdline_find(const struct guest_definition *d, const char *prefix) um_nonnull(1, 2);

/* definition_policy.c: depends and protect. */
void check_policies(struct problems *p, const struct guest_definition *d) um_nonnull(1, 2);

#endif
