/*
 * The surprise: pids. Inside the sandbox's namespace umlinit knows its own numbers only, so nothing
 * here sends one; each message's sender is translated by the host kernel (init_proto.h). That is
 * why the kernel's child announces itself.
 */
#include "vmcore/monitor/init.h"

#include "vmcore/monitor/init_proto.h"
#include "vmcore/monitor/tree.h"

#include "vmcore/base/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILL_ROUNDS = 250, KILL_TURNS = 20, KILL_WAIT_MS = 20, FIRST_KERNEL_FD = 10 };

struct init {
    const struct mon_init_options *o;
    int signals;
    pid_t main;
    bool main_gone;
    int main_status;
};

static bool send_message(const struct init *in, enum init_type type, uint32_t serial, int value,
                         uint32_t count)
{
    struct init_message m = {.magic = INIT_MAGIC,
                             .version = INIT_VERSION,
                             .type = (uint16_t)type,
                             .serial = serial,
                             .value = value,
                             .count = count};

    return send(in->o->control, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m);
}

/*
 * bubblewrap has set up the sandbox as umld's user, the only one who can reach all its files. From
 * here on everything is the guest's. What the guest makes in its run directory is for its group
 * too, umld's (umld/guest_ids.h).
 */
static bool become_guest(const struct init *in)
{
    int errnum = um_userns_become((uint32_t)in->o->uid);

    if (errnum != 0) {
        fprintf(stderr, "umlinit: cannot become uid %d: %s\n", in->o->uid, strerror(errnum));
        return false;
    }
    umask(007);
    /* credentials(7): the change took bubblewrap's death signal away. Should umlmon have died just
     * now, the first message to it fails. */
    return !in->o->own_namespace || prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

static bool set_up_process(const struct init *in)
{
    const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};

    /* kill(-1) as anything but the first process of a namespace would end the host's processes. */
    if (in->o->own_namespace && getpid() != 1) {
        fprintf(stderr, "umlinit: not the first process of a pid namespace, and no "
                        "--no-namespace given\n");
        return false;
    }
    if (in->o->uid != 0 && !become_guest(in))
        return false;
    if (fcntl(in->o->control, F_SETFD, FD_CLOEXEC) < 0) {
        perror("umlinit: control descriptor");
        return false;
    }
    for (int fd = 3; fd < FIRST_KERNEL_FD; fd++)
        if (fd != in->o->control)
            close(fd);
    /* A guest that broke out into main has our uid: it shall not trace us or open our descriptors.
     */
    prctl(PR_SET_DUMPABLE, 0);
    if (!in->o->own_namespace && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        perror("umlinit: subreaper");
        return false;
    }
    if (personality(ADDR_NO_RANDOMIZE) < 0)
        perror("umlinit: personality");
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        perror("umlinit: core limit");
    errno = in->o->cpu >= 0 ? mon_tree_pin_thread(0, in->o->cpu) : 0;
    if (errno != 0)
        perror("umlinit: CPU affinity");
    return true;
}

static bool catch_signals(struct init *in)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL);
    in->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return in->signals >= 0;
}

static char **kernel_environment(const char *preload)
{
    extern char **environ;
    size_t n = 0, out = 0;
    char **env;

    while (environ && environ[n])
        n++;
    env = calloc(n + 2, sizeof(*env));
    /* PWD is bubblewrap's: it is not in the order, and the kernel gets what is in the order. */
    for (size_t i = 0; env && i < n; i++)
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 && strncmp(environ[i], "PWD=", 4) != 0)
            env[out++] = environ[i];
    if (env && preload && asprintf(&env[out], "LD_PRELOAD=%s", preload) < 0)
        return NULL;
    return env;
}

static void kernel_child(const struct init *in, pid_t parent, int report)
{
    char **env = kernel_environment(in->o->preload);
    sigset_t none;
    int errnum = ENOMEM;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    signal(SIGIO, SIG_IGN); /* umlmon sends it, perhaps before the kernel has a handler */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Without a namespace nothing else ends main when umlinit is killed outright. */
    if (!in->o->own_namespace)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (env && getppid() == parent && send_message(in, INIT_STARTED, 0, 0, 0)) {
        execve(in->o->kernel_argv[0], in->o->kernel_argv, env);
        errnum = errno;
        fprintf(stderr, "umlinit: cannot execute %s: %s\n", in->o->kernel_argv[0],
                strerror(errnum));
    }
    if (write(report, &errnum, sizeof(errnum)) < 0)
        _exit(126);
    _exit(127);
}

/* The console descriptors are the kernel's; a copy here would hide its closing them. */
static void close_kernel_fds(const struct init *in)
{
    int top = (int)sysconf(_SC_OPEN_MAX);

    if (syscall(SYS_close_range, INIT_FD_MAX, ~0u, 0) == 0)
        top = INIT_FD_MAX;
    for (int fd = FIRST_KERNEL_FD; fd < top; fd++)
        if (fd != in->o->control && fd != in->signals)
            close(fd);
}

/* The report pipe is CLOEXEC: end of file is the proof that the exec succeeded. */
static bool start_kernel(struct init *in)
{
    int report[2], errnum = 0;
    pid_t self = getpid();
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return false;
    in->main = fork();
    if (in->main < 0) {
        errnum = errno;
        perror("umlinit: fork");
        send_message(in, INIT_EXEC_FAILED, 0, errnum, 0);
        return false;
    }
    if (in->main == 0)
        kernel_child(in, self, report[1]);
    close(report[1]);
    do
        n = read(report[0], &errnum, sizeof(errnum));
    while (n < 0 && errno == EINTR);
    close(report[0]);
    close_kernel_fds(in);
    if (n == (ssize_t)sizeof(errnum)) {
        send_message(in, INIT_EXEC_FAILED, 0, errnum, 0);
        return false;
    }
    return send_message(in, INIT_RUNNING, 0, 0, 0);
}

/* True while there are children. */
static bool reap(struct init *in)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != in->main)
            continue;
        in->main_gone = true;
        in->main_status = status;
    }
    return pid == 0 || errno != ECHILD;
}

static void await_child_change(void)
{
    const struct timespec limit = {.tv_nsec = KILL_WAIT_MS * 1000000L};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &limit);
}

/*
 * Main is stopped first and killed last: before 6.13 a stub whose tracer dies runs on as an
 * ordinary host process (the guard closes that too, but it cannot be loaded into every kernel).
 */
static void kill_descendants(struct init *in)
{
    pid_t main = in->main_gone ? 0 : in->main;

    if (main > 0)
        kill(main, SIGSTOP);
    for (int round = 0; round < KILL_ROUNDS; round++) {
        if (mon_tree_kill(getpid(), main) == 0)
            break;
        await_child_change();
        reap(in);
    }
    if (main > 0)
        kill(main, SIGKILL);
}

static void kill_all(struct init *in)
{
    for (int turn = 0; turn < KILL_TURNS * (in->o->own_namespace ? KILL_ROUNDS : 1) && reap(in);
         turn++) {
        if (in->o->own_namespace)
            kill(-1, SIGKILL); /* one pass under the host's task lock: no stub gets loose */
        else
            kill_descendants(in);
        await_child_change();
    }
}

static int finish(struct init *in)
{
    bool told = in->main_gone;

    /* At once, if it is known: the stubs of a kernel that has ended take milliseconds to follow. */
    if (told)
        send_message(in, INIT_EXITED, 0, in->main_status, 0);
    kill_all(in);
    if (!told && in->main > 0)
        send_message(in, INIT_EXITED, 0, in->main_status, 0);
    return 0;
}

/* False: everything shall end. */
static bool handle_command(struct init *in)
{
    struct init_message m;
    uint32_t count = 0;
    ssize_t n = recv(in->o->control, &m, sizeof(m), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n != (ssize_t)sizeof(m) || m.magic != INIT_MAGIC || m.version != INIT_VERSION)
        return false;
    if (m.type == INIT_PIN) {
        int errnum = mon_tree_pin(getpid(), m.value, &count);

        return send_message(in, INIT_PINNED, m.serial, errnum, count);
    }
    return false;
}

static bool handle_signals(struct init *in)
{
    struct signalfd_siginfo info;
    bool go_on = true;

    while (read(in->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            go_on = false;
    reap(in);
    return go_on && !in->main_gone;
}

int mon_init_run(const struct mon_init_options *o)
{
    struct init in = {.o = o, .signals = -1};
    bool go_on = true;

    if (!set_up_process(&in) || !catch_signals(&in))
        return 1;
    if (!send_message(&in, INIT_HELLO, 0, o->own_namespace ? 1 : 0, (uint32_t)(o->cpu + 1))) {
        perror("umlinit: umlmon is not there");
        return 1;
    }
    if (!start_kernel(&in)) {
        kill_all(&in);
        return 1;
    }
    while (go_on) {
        struct pollfd fds[] = {{.fd = in.signals, .events = POLLIN},
                               {.fd = o->control, .events = POLLIN}};

        if (poll(fds, UM_ARRAY_LEN(fds), -1) < 0)
            continue;
        if (fds[0].revents)
            go_on = handle_signals(&in);
        if (go_on && fds[1].revents)
            go_on = handle_command(&in);
    }
    return finish(&in);
}
