/*
 * Files from outside of the sandbox for a kernel that runs already: for each a process that does
 * nothing but keep it open. The kernel opens it anew through the link /proc/PID/fd/3, which leads
 * to the file in whatever mount namespace it is (proc(5)). umlinit's own descriptors cannot serve:
 * it is not dumpable, on purpose. A holder has nothing but that one file, and the guest's identity.
 */
#ifndef VMCORE_MONITOR_INIT_HOLD_H
#define VMCORE_MONITOR_INIT_HOLD_H

#include "vmcore/base/macros.h"

#include <sys/types.h>

enum { INIT_HOLD_MAX = 64 };

struct init_holders {
    pid_t pid[INIT_HOLD_MAX]; /* 0: free */
};

/* fd stays the caller's. 0, with the holder's pid, or an errno. */
int init_hold_begin(struct init_holders *h, int fd, pid_t *ret_pid) um_nonnull(1, 3) um_check;
/* One of ours only; others are left alone. */
void init_hold_drop(const struct init_holders *h, pid_t pid) um_nonnull(1);
/* It was reaped: its number means somebody else from now on. */
void init_hold_ended(struct init_holders *h, pid_t pid) um_nonnull(1);

#endif
