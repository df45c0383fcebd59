#include "vmcore/preload/guard.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

/* uml(kernel): 2.4's name for PTRACE_SETOPTIONS, which i386 and x86-64 UML still fall back on. */
enum { OLD_SETOPTIONS = 21 };

/* The host's size is a constant of its boot: asked once, through whichever child comes first. */
static long read_whole(struct guard *g, long pid, struct iovec *whole)
{
    long result;

    *whole = (struct iovec){.iov_base = g->buffer, .iov_len = g->buffer_size};
    result = g->next(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, whole);
    if (result == 0)
        g->host_size = whole->iov_len;
    return result;
}

static long set_xstate(struct guard *g, long pid, struct iovec *caller)
{
    struct iovec whole;
    long result;

    if (g->host_size > 0 && caller->iov_len >= g->host_size)
        return g->next(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, caller);
    result = read_whole(g, pid, &whole);
    if (result != 0)
        return result;
    if (caller->iov_len >= whole.iov_len)
        return g->next(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, caller);
    memcpy(whole.iov_base, caller->iov_base, caller->iov_len);
    return g->next(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

/* libc's convention: the word itself is returned, so errno tells -1 from failure. */
static long peek(struct guard *g, long request, long pid, void *addr)
{
    long word = 0;
    long result = g->next(request, pid, addr, &word);

    if (result < 0)
        return result;
    errno = 0;
    return word;
}

long guard_ptrace(struct guard *g, long request, long pid, void *addr, void *data)
{
    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSER:
        return peek(g, request, pid, addr);
    case PTRACE_SETREGSET:
        if ((unsigned long)addr == NT_X86_XSTATE && data && ((struct iovec *)data)->iov_base)
            return set_xstate(g, pid, data);
        break;
    case OLD_SETOPTIONS:
    case PTRACE_SETOPTIONS:
        data = (void *)((unsigned long)data | PTRACE_O_EXITKILL);
        break;
    default:
        break;
    }
    return g->next(request, pid, addr, data);
}
