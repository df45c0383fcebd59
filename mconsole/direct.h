/*
 * A front's way to a kernel's own socket, without umld: one command at a time, each waited for with
 * a limit. Clients of the same kernel that go this way take turns (a lock on the socket's
 * directory): requests that meet in the kernel's queue may be run in reverse order.
 */
#ifndef MCONSOLE_DIRECT_H
#define MCONSOLE_DIRECT_H

#include "mconsole/find.h"
#include "mconsole/shell.h"

struct mconsole_direct;

/* force: guards are not asked. timeout_ms: for each command, 0: by its kind. NULL: no memory. */
struct mconsole_direct *mconsole_direct_new(bool force, int timeout_ms) um_check;
void mconsole_direct_free(struct mconsole_direct *d);

/* The kernel of the following commands; nothing is sent yet. Errors: mconsole_find(). */
enum um_code mconsole_direct_switch(struct mconsole_direct *d, const char *word,
                                    struct um_error *err) um_nonnull(1, 2) um_check;
const char *mconsole_direct_name(const struct mconsole_direct *d) um_nonnull(1);

/*
 * Check, guard and send one line; for kernels started by hand, file names of `config ubd` are made
 * absolute first. When the kernel is dead and left its directory behind, that is cleaned.
 */
void mconsole_direct_ask(struct mconsole_direct *d, const char *line, struct mconsole_answer *ret)
    um_nonnull(1, 2, 3);
/* Line as it is, with a descriptor. */
void mconsole_direct_ask_with_fd(struct mconsole_direct *d, const char *line, int fd,
                                 struct mconsole_answer *ret) um_nonnull(1, 2, 4);

/* SIGINT to the main process. UM_E_NOT_FOUND: it cannot be told which that is. */
enum um_code mconsole_direct_interrupt(struct mconsole_direct *d, struct um_error *err)
    um_nonnull(1) um_check;

/* Names of the devices on the kernel's command line. */
void mconsole_direct_devices(struct mconsole_direct *d, struct um_strv *ret) um_nonnull(1, 2);

#endif
