/*
 * The process umlnetd of a network: its sockets, which umld holds across its lives, so that who
 * connects in between waits in the backlog; its start; its end, seen by pidfd.
 */
#include "umld/network_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static enum um_code open_sockets(struct network *n, struct um_error *err)
{
    char path[NETWORK_PATH_SIZE];
    enum um_code code = um_mkdir_parents(network_path(n->umld, n->def.name, "", path), 0700, err);

    if (!code && n->ctl_fd < 0)
        code = um_unix_listen(network_path(n->umld, n->def.name, "ctl", path), SOCK_SEQPACKET, 0600,
                              &n->ctl_fd, err);
    if (!code && n->links_fd < 0)
        code = um_unix_listen(network_path(n->umld, n->def.name, "links", path), SOCK_SEQPACKET,
                              0600, &n->links_fd, err);
    return code;
}

static enum um_code open_file(const struct network *n, const char *name, int flags, int *ret,
                              struct um_error *err)
{
    char path[NETWORK_PATH_SIZE];

    network_path(n->umld, n->def.name, name, path);
    *ret = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    return *ret < 0 ? um_fail_errno(err, errno, path, "cannot be opened") : UM_OK;
}

/*
 * In the child: who it is going to be, before it is. A umld that dies right after the fork leaves
 * one that the next umld can tell from a stranger with the same number.
 */
static int note_process(void *arg, const char **ret_what)
{
    const int *fd = arg;
    int pid = (int)getpid();

    *ret_what = "write its pid file";
    return dprintf(*fd, "%d %lld\n", pid, (long long)um_clock_process_start(pid)) < 0 ? errno : 0;
}

static enum um_code start(struct network *n, struct um_error *err)
{
    um_autofd state = -1, note = -1;
    char program[PATH_MAX], managed[] = "--managed";
    char *argv[] = {program, managed, n->def.name, NULL};
    enum um_code code = um_paths_libexec("umlnetd", program, sizeof(program), err);
    pid_t pid;
    int pidfd;

    if (!code)
        code = open_sockets(n, err);
    if (!code)
        code = open_file(n, "state", 0, &state, err);
    if (!code)
        code = open_file(n, "pid", O_TRUNC, &note, err);
    if (code)
        return code;
    struct um_fd_map fds[] = {
        {n->ctl_fd, NETD_CTL_FD}, {n->links_fd, NETD_LINKS_FD}, {state, NETD_STATE_FD}};
    code = um_spawn(&(struct um_spawn){.argv = argv,
                                       .fds = fds,
                                       .fd_count = UM_ARRAY_LEN(fds),
                                       .keep_stderr = true,
                                       .new_session = true,
                                       .setup = note_process,
                                       .setup_arg = &note},
                    &pid, &pidfd, err);
    if (code)
        return code;
    network_watch(n, pid, pidfd);
    return network_connect(n, err);
}

void network_spawn(struct network *n)
{
    struct um_error err;

    if (n->state != NETWORK_STARTING || n->pid)
        return;
    network_disconnect(n);
    n->condemned = false;
    network_set_cause(n, "%s", "");
    if (start(n, &err) == UM_OK)
        return;
    network_set_cause(n, "%s: %s%s%s%s", err.object, err.message, err.hint[0] ? " (" : "", err.hint,
                      err.hint[0] ? ")" : "");
    if (n->pid)
        network_signal(n, SIGKILL);
    else
        network_died(n);
}

void network_died(struct network *n)
{
    int64_t now = um_clock_mono_ns();
    bool asked = n->state == NETWORK_HANDOVER || n->state == NETWORK_STOPPING;

    if (asked) {
        network_post(n, NETWORK_P_DIED);
        return;
    }
    if (n->running_ns && now - n->running_ns > NETWORK_WORN_NS)
        n->in_a_row = 0;
    n->running_ns = 0;
    n->in_a_row++;
    if (n->death_count == NETWORK_WORN_DEATHS) {
        n->death_count--;
        memmove(n->deaths, n->deaths + 1, sizeof(n->deaths) - sizeof(n->deaths[0]));
    }
    n->deaths[n->death_count++] = now;
    network_post(n, n->death_count == NETWORK_WORN_DEATHS && now - n->deaths[0] < NETWORK_WORN_NS
                        ? NETWORK_P_WORN
                        : NETWORK_P_DIED);
}

/* What it was ended for is the cause, not the signal. */
static void note_end(struct network *n)
{
    int status = 0;
    bool ours = waitpid(n->pid, &status, WNOHANG) == n->pid;

    if (n->condemned)
        return;
    if (!ours) /* another umld's child */
        network_set_cause(n, "umlnetd (pid %d) has ended", (int)n->pid);
    else if (n->state != NETWORK_STARTING || !n->cause)
        network_set_cause(n, "umlnetd (pid %d) ended %s %d", (int)n->pid,
                          WIFEXITED(status) ? "with status" : "by signal",
                          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void on_process_gone(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct network *n = arg;

    um_watch_free(n->pid_watch);
    n->pid_watch = NULL;
    note_end(n);
    um_fd_close(&n->pidfd);
    n->pid = 0;
    network_disconnect(n);
    network_died(n);
}

void network_watch(struct network *n, pid_t pid, int pidfd)
{
    n->pid = pid;
    n->pidfd = pidfd;
    n->started_ns = um_clock_wall_ns();
    n->pid_watch = um_watch_new(n->umld->loop, pidfd, UM_READ, on_process_gone, n);
    if (!n->pid_watch)
        um_log(UM_LOG_ERROR, "network %s: no memory to watch umlnetd", n->def.name);
}

void network_signal(struct network *n, int signo)
{
    if (n->pidfd < 0)
        network_died(n);
    else if (!um_pidfd_signal(n->pidfd, signo) && errno != ESRCH)
        um_log(UM_LOG_ERROR, "network %s: umlnetd (pid %d) cannot be ended: %s", n->def.name,
               (int)n->pid, strerror(errno));
}
