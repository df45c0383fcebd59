#include "vmcore/base/spawn.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FD_BASE = UM_SPAWN_FD_MAX + 1, SPAWN_FDS = 64, CHILD_STACK = 96 << 10 };

int um_pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool um_pidfd_signal(int pidfd, int signo)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0;
}

static bool is_target(const struct um_spawn *spec, int fd)
{
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to == fd)
            return true;
    return false;
}

/* Runs in the child: two passes, so that sources and targets may overlap. */
static bool arrange_fds(const struct um_spawn *spec, int *report)
{
    int moved[SPAWN_FDS];
    int null_fd, high, top = 2;

    high = fcntl(*report, F_DUPFD_CLOEXEC, FD_BASE);
    if (high < 0)
        return false; /* the old number still reports */
    *report = high;
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        return false;
    null_fd = fcntl(null_fd, F_DUPFD_CLOEXEC, FD_BASE);
    if (null_fd < 0)
        return false;
    for (size_t i = 0; i < spec->fd_count; i++) {
        moved[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, FD_BASE);
        if (moved[i] < 0)
            return false;
    }
    for (int fd = 0; fd <= 2; fd++)
        if (!is_target(spec, fd) && !(fd == 2 && spec->keep_stderr) && dup2(null_fd, fd) < 0)
            return false;
    for (size_t i = 0; i < spec->fd_count; i++) {
        if (dup2(moved[i], spec->fds[i].to) < 0)
            return false;
        if (spec->fds[i].to > top)
            top = spec->fds[i].to;
    }
    for (int fd = 3; fd < top; fd++)
        if (!is_target(spec, fd))
            close(fd);
    /* The rest goes at exec: CLOEXEC from here up. */
    return syscall(SYS_close_range, (unsigned)top + 1, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0;
}

/* Why nothing was executed. */
struct failure {
    int errnum;
    char what[60];
};

static _Noreturn void fail_child(int report, int errnum, const char *what)
{
    struct failure f = {.errnum = errnum};

    snprintf(f.what, sizeof(f.what), "%s", what);
    if (write(report, &f, sizeof(f)) < 0)
        _exit(126);
    _exit(127);
}

/* It may share our memory: nothing of it may be changed but what is this function's own. */
static _Noreturn void child(const struct um_spawn *spec, int report, pid_t parent)
{
    extern char **environ;
    const char *what = "cannot execute";
    sigset_t none;
    int errnum;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    errnum = spec->setup ? spec->setup(spec->setup_arg, &what) : 0;
    if (errnum)
        fail_child(report, errnum, what);
    if (arrange_fds(spec, &report)) {
        if (spec->new_session)
            setsid();
        if (spec->death_signal)
            prctl(PR_SET_PDEATHSIG, spec->death_signal);
        /* The parent may have died before the line above. */
        if (spec->death_signal && getppid() != parent)
            _exit(126);
        execve(spec->argv[0], spec->argv, spec->envp ? spec->envp : environ);
    }
    fail_child(report, errno, what);
}

static enum um_code check_spec(const struct um_spawn *spec, struct um_error *err)
{
    if (spec->fd_count > SPAWN_FDS)
        return um_fail(err, UM_E_INTERNAL, spec->argv[0], NULL, "cannot pass %zu descriptors",
                       spec->fd_count);
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to < 0 || spec->fds[i].to > UM_SPAWN_FD_MAX || spec->fds[i].from < 0)
            return um_fail(err, UM_E_INTERNAL, spec->argv[0], NULL,
                           "cannot pass descriptor %d as %d", spec->fds[i].from, spec->fds[i].to);
    return UM_OK;
}

struct child_args {
    const struct um_spawn *spec;
    int report;
    pid_t parent;
};

static int child_on_its_stack(void *arg)
{
    const struct child_args *args = arg;

    child(args->spec, args->report, args->parent);
}

/*
 * A copy of a large daemon's page tables takes longer than everything else here, and each page that
 * it writes afterwards costs it a fault. So the child has our memory, as vfork(2) has it, and a
 * stack of its own in it; we go on when it has executed or failed. Only what spec->setup does needs
 * a copy.
 */
static pid_t make_child(const struct um_spawn *spec, int report)
{
    struct child_args args = {spec, report, getpid()};
    _Alignas(16) char stack[CHILD_STACK];
    pid_t pid;

    if (spec->setup) {
        pid = fork();
        if (pid == 0)
            child_on_its_stack(&args);
        return pid;
    }
    pid = clone(child_on_its_stack, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &args);
    /* Its functions have not returned, so that their frames still are marks in our shadow. */
    ASAN_UNPOISON_MEMORY_REGION(stack, sizeof(stack));
    return pid;
}

/* Signals stay blocked until the child has dropped our handlers, which would act on our behalf. */
static pid_t fork_blocked(const struct um_spawn *spec, int report)
{
    sigset_t all, saved;
    pid_t pid;
    int errnum;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &saved);
    pid = make_child(spec, report);
    errnum = errno;
    sigprocmask(SIG_SETMASK, &saved, NULL);
    errno = errnum;
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

enum um_code um_spawn(const struct um_spawn *spec, pid_t *ret_pid, int *ret_pidfd,
                      struct um_error *err)
{
    um_autofd out = -1, in = -1, pidfd = -1;
    struct failure failure;
    int pipefd[2], errnum;
    ssize_t n;
    pid_t pid;
    enum um_code code = check_spec(spec, err);

    if (code)
        return code;
    if (pipe2(pipefd, O_CLOEXEC) < 0)
        return um_fail_errno(err, errno, spec->argv[0], "cannot start");
    in = pipefd[0];
    out = pipefd[1];
    pid = fork_blocked(spec, out);
    if (pid < 0)
        return um_fail_errno(err, errno, spec->argv[0], "cannot fork");
    um_fd_close(&out);
    do
        n = read(in, &failure, sizeof(failure));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(failure)) {
        reap(pid);
        return um_fail_errno(err, failure.errnum, spec->argv[0], "%s", failure.what);
    }
    if (ret_pidfd) {
        pidfd = um_pidfd_open(pid);
        if (pidfd < 0) {
            errnum = errno;
            kill(pid, SIGKILL);
            reap(pid);
            return um_fail_errno(err, errnum, spec->argv[0], "cannot watch the process");
        }
        *ret_pidfd = pidfd;
        pidfd = -1;
    }
    *ret_pid = pid;
    return UM_OK;
}
