/*
 * What libumlguard.so does to ptrace(2), apart from being loaded: the decisions, with the next
 * ptrace as a parameter so that tests need no host with a particular CPU.
 *
 * 1. Kernels before 6.13 write floating point state with PTRACE_SETREGSET/NT_X86_XSTATE from a
 * buffer of fixed size; a host whose state is larger (AMX) refuses it, and the guest's init dies.
 * The missing end is filled with what the process has.
 * 2. Those kernels do not ask for PTRACE_O_EXITKILL, so when main is killed alone its stubs run on
 *    as ordinary host processes making real host system calls. The option is added.
 */
#ifndef VMCORE_PRELOAD_GUARD_H
#define VMCORE_PRELOAD_GUARD_H

#include <stddef.h>

/* The system call: like libc's syscall(SYS_ptrace, ...): -1 and errno on failure. */
typedef long (*guard_next_fn)(long request, long pid, void *addr, void *data);

struct guard {
    guard_next_fn next;
    size_t host_size; /* bytes of xstate this host wants; 0: not asked yet */
    void *buffer;     /* for one whole xstate */
    size_t buffer_size;
};

long guard_ptrace(struct guard *g, long request, long pid, void *addr, void *data);

#endif
