/*
 * Runs under LD_PRELOAD=libumlguard.so (or without it, for comparison) and really traces a child.
 *
 *   guard_tracer xstate     write half of the child's xstate: prints `short ok` or `short EXX`
 *   guard_tracer orphan     start a tracee, set options, print its pid, wait to be killed
 *   guard_tracer peek       read a word of -1 from the child: prints `peek ok`
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static long minus_one = -1;

/* A child that is traced and stopped. */
static pid_t start_tracee(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(1);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        puts("no tracee");
        exit(77);
    }
    return pid;
}

static int write_short_xstate(pid_t pid)
{
    static unsigned char state[65536], again[65536];
    struct iovec iov = {.iov_base = state, .iov_len = sizeof(state)};
    size_t whole, i;

    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &iov) < 0) {
        puts("no xstate");
        return 77;
    }
    whole = iov.iov_len;
    if (whole <= 576) {
        puts("no extended state");
        return 77;
    }
    for (i = 0; i < 16; i++)
        state[160 + i] = (unsigned char)(i + 1); /* xmm0 (Intel SDM: legacy area, offset 160) */
    state[512] |= 2;                             /* XSTATE_BV: SSE present */
    iov.iov_len = whole - 64;
    if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &iov) < 0) {
        printf("short failed: %s\n", strerror(errno));
        return 1;
    }
    iov = (struct iovec){.iov_base = again, .iov_len = sizeof(again)};
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &iov) < 0 || iov.iov_len != whole ||
        memcmp(state + 160, again + 160, 16) != 0) {
        puts("state differs");
        return 1;
    }
    puts("short ok");
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pid_t pid = start_tracee();
    int result = 2;

    if (strcmp(what, "xstate") == 0)
        result = write_short_xstate(pid);
    if (strcmp(what, "peek") == 0) {
        errno = 5;
        result = ptrace(PTRACE_PEEKDATA, pid, &minus_one, NULL) == -1 && errno == 0 ? 0 : 1;
        puts(result == 0 ? "peek ok" : "peek wrong");
    }
    if (strcmp(what, "orphan") == 0) {
        if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0 ||
            ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
            return 1;
        printf("%d\n", (int)pid);
        fflush(stdout);
        for (;;)
            pause();
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return result;
}
