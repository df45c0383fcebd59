/*
 * A kernel that somebody started by hand, adopted: it is not our child and owes us nothing. Its
 * pidfd is held for as long as we live, so its number never comes to mean another process. Its
 * notifications are somebody else's; that it rebooted is told by the socket that its next kernel
 * makes, in a directory that it makes anew (UML: umid.c removes it at exit).
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/monitor/tree.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILL_PASSES = 100 };

#define KILL_AGAIN_NS (20 * UM_MS_NS)

/* ---- its end ---- */

static void ended(struct monitor *m)
{
    m->link.exited = true; /* that there is a status was never promised */
    m->state.flags |= MON_F_MAIN_GONE | MON_F_NO_STATUS;
    m->state.exit_wall_ns = um_clock_wall_ns();
    mon_timer_disarm(&m->stranger.kill);
    mon_control_state(m);
    mon_end_proven(m);
}

static void on_end(uint32_t events, void *arg)
{
    struct monitor *m = arg;

    mon_watch_stop(&m->loop, &m->stranger.end);
    ended(m);
}

/*
 * Main is stopped first and killed last: while it is there, all its processes are found below it,
 * and it makes no more. On kernels before 6.13 they would go on as programs of the host without it.
 */
static void kill_pass(void *arg)
{
    struct monitor *m = arg;

    um_pidfd_signal(m->link.main_pidfd, SIGSTOP);
    if (mon_tree_kill((pid_t)m->state.main_pid, 0) > 0 && ++m->stranger.kills < KILL_PASSES)
        mon_timer_arm(&m->loop, &m->stranger.kill, KILL_AGAIN_NS, kill_pass, m);
    else if (!um_pidfd_signal(m->link.main_pidfd, SIGKILL))
        um_log(UM_LOG_ERROR, "guest %s: cannot kill process %d: %s", m->config.guest,
               m->state.main_pid, strerror(errno));
}

void mon_stranger_kill(struct monitor *m)
{
    if (m->link.main_pidfd < 0 || mon_timer_armed(&m->stranger.kill))
        return;
    m->stranger.kills = 0;
    kill_pass(m);
}

/* ---- its reboots ---- */

/* False: there is none, or the one we know. */
static bool new_socket(struct monitor *m)
{
    struct mon_stranger *s = &m->stranger;
    struct stat st;
    int64_t changed;
    bool same;

    if (stat(m->config.mconsole, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    changed = st.st_ctim.tv_sec * UM_SEC_NS + st.st_ctim.tv_nsec;
    same = s->has_socket && s->socket_dev == st.st_dev && s->socket_ino == st.st_ino &&
           s->socket_ctime_ns == changed;
    s->has_socket = true;
    s->socket_dev = st.st_dev;
    s->socket_ino = st.st_ino;
    s->socket_ctime_ns = changed;
    return !same;
}

/* The directory of the socket goes with each kernel; the one above stays. */
static bool watch_directories(struct monitor *m, int fd)
{
    char path[PATH_MAX];
    bool any = false;

    snprintf(path, sizeof(path), "%s", m->config.mconsole);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');

        if (!slash || slash == path)
            break;
        *slash = '\0';
        any = inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >= 0 || any;
    }
    return any;
}

static void on_change(uint32_t events, void *arg)
{
    struct monitor *m = arg;
    char names[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(m->stranger.changes.fd, names, sizeof(names)) > 0)
        ;
    /* First the watch, then the look: what is made in between is told again. */
    watch_directories(m, m->stranger.changes.fd);
    if (new_socket(m))
        mon_saw_kernel_up(m);
}

static void watch_reboots(struct monitor *m)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd >= 0 && watch_directories(m, fd) &&
        mon_watch_start(&m->loop, &m->stranger.changes, fd, EPOLLIN, on_change, m))
        return;
    um_log(UM_LOG_WARNING, "guest %s: its reboots will not be seen: cannot watch %s: %s",
           m->config.guest, m->config.mconsole, strerror(errno));
    um_fd_close(&fd);
}

/* ---- its beginning ---- */

/* The host counts a process's start in ticks since its own boot. */
static int64_t start_wall_ns(int64_t ticks)
{
    return um_clock_wall_ns() - um_clock_mono_ns() + ticks * (UM_SEC_NS / sysconf(_SC_CLK_TCK));
}

void mon_stranger_open(struct monitor *m)
{
    const struct mon_config *c = &m->config;

    m->state.main_pid = (int32_t)c->stranger_pid;
    m->state.main_start = c->stranger_start;
    m->state.start_wall_ns = m->state.up_wall_ns = m->state.ready_wall_ns =
        start_wall_ns(c->stranger_start);
    m->state.flags = MON_F_STARTED | MON_F_KERNEL_UP | MON_F_READY;
    m->link.main_pidfd = um_pidfd_open((pid_t)c->stranger_pid);
    if (m->link.main_pidfd < 0 ||
        um_clock_process_start((int)c->stranger_pid) != c->stranger_start ||
        !mon_watch_start(&m->loop, &m->stranger.end, m->link.main_pidfd, EPOLLIN, on_end, m)) {
        um_log(UM_LOG_NOTICE, "guest %s: process %d is not there any more", c->guest,
               m->state.main_pid);
        ended(m);
        return;
    }
    watch_reboots(m);
    (void)new_socket(m);
    um_log(UM_LOG_INFO, "guest %s: watching process %d, which is somebody else's child", c->guest,
           m->state.main_pid);
}

void mon_stranger_close(struct monitor *m)
{
    int fd = m->stranger.changes.fd;

    mon_timer_disarm(&m->stranger.kill);
    mon_watch_stop(&m->loop, &m->stranger.end);
    mon_watch_stop(&m->loop, &m->stranger.changes);
    um_fd_close(&fd);
}
