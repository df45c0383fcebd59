/*
 * The main process of a kernel that somebody started by hand. Its pid file may be stale, forged,
 * from another pid namespace or not there: nothing is believed that /proc does not confirm.
 */
#ifndef MCONSOLE_MAIN_PROCESS_H
#define MCONSOLE_MAIN_PROCESS_H

#include "vmcore/base/error.h"

#include <sys/types.h>

/* What the file `pid` beside the socket says: 1 or more, never ourselves. UM_E_NOT_FOUND: no such
 * file; UM_E_INVALID: it holds no process id. */
enum um_code mconsole_pid_of(const char *socket, pid_t *ret, struct um_error *err)
    um_nonnull(1, 2) um_check;

/*
 * A pidfd (the caller's) of the process that holds this mconsole socket open: the one the pid file
 * names, provided that it does. UM_E_NOT_FOUND: none can be found that way.
 */
enum um_code mconsole_main_pidfd(const char *socket, int *ret_pidfd, struct um_error *err)
    um_nonnull(1, 2) um_check;

#endif
