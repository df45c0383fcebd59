/*
 * libumlguard.so: ptrace() of a UML kernel goes through guard.c. Loaded into the kernel's process
 * only (umlinit sets LD_PRELOAD just before exec).
 */
#include "vmcore/preload/guard.h"

#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static long next_ptrace(long request, long pid, void *addr, void *data)
{
    return syscall(SYS_ptrace, request, pid, addr, data);
}

/*
 * Static, not on the stack: UML calls ptrace() on its guest kernel's 16 KiB stacks, where 64 KiB
 * would destroy the guest's memory. The kernels that need it trace from one thread only.
 */
static char buffer[64 * 1024] __attribute__((aligned(64)));
static struct guard guard = {.next = next_ptrace, .buffer = buffer, .buffer_size = sizeof(buffer)};

__attribute__((visibility("default"))) long ptrace(enum __ptrace_request request, ...)
{
    va_list ap;
    pid_t pid;
    void *addr, *data;

    va_start(ap, request);
    pid = va_arg(ap, pid_t);
    addr = va_arg(ap, void *);
    data = va_arg(ap, void *);
    va_end(ap);
    return guard_ptrace(&guard, (long)request, pid, addr, data);
}
