/*
 * Going to the background: the caller of the program gets its exit status when the daemon serves,
 * or has failed.
 */
#ifndef NETD_COMPAT_SWITCH_DAEMON_H
#define NETD_COMPAT_SWITCH_DAEMON_H

#include "vmcore/base/macros.h"

#include <stdbool.h>

/*
 * Goes on in a child, in a session of its own, where SIGHUP is ignored. In the first process it
 * does not return: that ends with 0 when the child has called switch_daemon_ready(), with 1 when it
 * has ended instead. *ret_told: to be given to that. False with errno set: there is no child.
 */
bool switch_daemon_start(int *ret_told) um_nonnull(1) um_check;

/*
 * Leave the caller: its directory, its terminal and its pipes. Standard output and error go on
 * only where they are files.
 */
void switch_daemon_ready(int told);

#endif
