/*
 * Facts about a process of the host, from /proc.
 */
#ifndef UMLD_PROCESS_H
#define UMLD_PROCESS_H

#include "vmcore/base/macros.h"

#include <stdint.h>
#include <sys/types.h>

/* CPU time used so far, user and system, in ticks (_SC_CLK_TCK). 0: it is gone. */
int64_t process_cpu_ticks(pid_t pid) um_check;
/* How long its first thread has waited for a CPU so far. -1: gone, or the host does not count. */
int64_t process_cpu_wait_ns(pid_t pid) um_check;
/* 0: it is gone. */
pid_t process_parent(pid_t pid) um_check;

#endif
