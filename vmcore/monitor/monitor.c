#include "vmcore/monitor/monitor.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what happened ---- */

void mon_saw_started(struct monitor *m, pid_t main_pid)
{
    m->state.main_pid = main_pid;
    m->state.main_start = um_clock_process_start(main_pid);
    m->state.start_wall_ns = um_clock_wall_ns();
}

void mon_saw_running(struct monitor *m)
{
    m->state.flags |= MON_F_STARTED;
    mon_control_state(m);
    um_log(UM_LOG_INFO, "guest %s: kernel started, process %d", m->config.guest, m->state.main_pid);
}

void mon_saw_exec_failure(struct monitor *m, int errnum, const char *why)
{
    const char *kernel = m->config.argv.n ? m->config.argv.v[0] : "";
    char text[sizeof(m->state.panic)];

    for (size_t i = 0; i + 1 < m->config.argv.n; i++)
        if (strcmp(m->config.argv.v[i], "--") == 0)
            kernel = m->config.argv.v[i + 1];
    if (why && why[0])
        snprintf(text, sizeof(text), "%s", why);
    else if (why)
        snprintf(text, sizeof(text), "the sandbox ended before the kernel was started");
    else
        snprintf(text, sizeof(text), "cannot execute %.160s: %s", kernel, strerror(errnum));
    m->state.flags |= MON_F_EXEC_FAILED;
    m->state.flags &= ~(uint32_t)MON_F_STARTED;
    m->state.exec_errno = errnum;
    m->state.main_pid = 0;
    mon_text_clean(m->state.panic, sizeof(m->state.panic), text, strlen(text));
    um_log(UM_LOG_ERROR, "guest %s: not started: %s", m->config.guest, m->state.panic);
}

/* The state is announced as EXITED only once everything is proven dead. */
void mon_saw_exit(struct monitor *m, int wait_status)
{
    m->state.flags |= MON_F_MAIN_GONE;
    m->state.wait_status = wait_status;
    m->state.exit_wall_ns = um_clock_wall_ns();
    um_fd_close(&m->link.main_pidfd);
    mon_end_begin(m);
}

/* The second SOCKET of one start is the only sign of a reboot in place. */
void mon_saw_kernel_up(struct monitor *m)
{
    if (m->state.flags & MON_F_KERNEL_UP) {
        m->state.boot++;
        m->state.flags &= ~(uint32_t)MON_F_READY;
        m->state.ready_wall_ns = 0;
        mon_kept_clear(&m->notify.kept);
        um_lines_reset(&m->lines);
        for (size_t i = 0; i < m->console_count; i++)
            if (!m->consoles[i].config->pts)
                mon_log_new_boot(&m->consoles[i].log, m->state.boot);
        um_log(UM_LOG_INFO, "guest %s: rebooted in place, boot %" PRIu64, m->config.guest,
               m->state.boot);
    }
    /* It was executed, even if umlinit's word of it is still on its way. */
    m->state.flags |= MON_F_KERNEL_UP | MON_F_STARTED;
    m->state.up_wall_ns = um_clock_wall_ns();
    if (m->config.ready == MON_READY_KERNEL)
        mon_saw_ready(m, MON_READY_KERNEL);
    else
        mon_control_state(m);
}

void mon_saw_panic(struct monitor *m, const char *text, size_t len)
{
    if (m->state.flags & MON_F_PANIC)
        return;
    m->state.flags |= MON_F_PANIC;
    mon_text_clean(m->state.panic, sizeof(m->state.panic), text, len);
    mon_control_state(m);
}

void mon_saw_ready(struct monitor *m, enum mon_ready how)
{
    if (how != m->config.ready || (m->state.flags & MON_F_READY))
        return;
    m->state.flags |= MON_F_READY;
    m->state.ready_wall_ns = um_clock_wall_ns();
    mon_control_state(m);
}

bool mon_reap(struct monitor *m)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != m->child)
            continue;
        m->child = 0;
        m->child_status = status;
        if (m->phase == MON_PHASE_ENDING)
            mon_end_begin(m); /* shortens the deadline */
    }
    return pid < 0 && errno == ECHILD;
}

/* ---- start ---- */

static void on_signal(uint32_t events, void *arg)
{
    struct monitor *m = arg;
    struct signalfd_siginfo info;

    while (read(m->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD || (m->state.flags & MON_F_EXITED))
            continue;
        if (m->config.stranger_pid) { /* it was there before us, and stays */
            m->loop.stop = true;
            continue;
        }
        um_log(UM_LOG_NOTICE, "guest %s: killed by signal %u to umlmon", m->config.guest,
               info.ssi_signo);
        m->state.flags |= MON_F_KILLED;
        mon_control_state(m);
        mon_end_begin(m);
    }
    mon_end_check(m);
}

static bool catch_signals(struct monitor *m)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on log files is a write error, no reason to die */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 && mon_watch_start(&m->loop, &m->signals, fd, EPOLLIN, on_signal, m);
}

static enum um_code open_consoles(struct monitor *m, struct um_error *err)
{
    m->log_dir = open(m->config.log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->log_dir < 0)
        return um_fail_errno(err, errno, m->config.log_dir, "cannot open the log directory");
    for (size_t i = 0; i < m->config.console_count; i++) {
        enum um_code code = mon_console_open(m, &m->consoles[i], &m->config.consoles[i], err);

        m->console_count = i + 1;
        if (code)
            return code;
    }
    return UM_OK;
}

/* What the kernel gets: con0's slave thrice, each console at its number, and umlinit's socket. */
static enum um_code spawn(struct monitor *m, struct um_error *err)
{
    struct um_fd_map map[MON_CONSOLE_MAX + 4];
    struct um_spawn spec = {.argv = m->config.argv.v,
                            .envp = m->config.env.v,
                            .fds = map,
                            .setup = mon_identity_differs(&m->config) ? mon_identity_take : NULL,
                            .setup_arg = &m->config};
    um_autofd control = -1;

    if (!mon_initlink_open(m, &control))
        return um_fail_errno(err, errno, "umlinit", "cannot make its socket");
    for (int fd = 0; fd <= 2; fd++)
        map[spec.fd_count++] = (struct um_fd_map){m->consoles[0].slave, fd};
    map[spec.fd_count++] = (struct um_fd_map){control, INIT_CONTROL_FD};
    for (size_t i = 1; i < m->console_count; i++) {
        const struct mon_console *c = &m->consoles[i];

        map[spec.fd_count++] =
            (struct um_fd_map){c->config->pts ? c->master : c->slave, c->config->fd};
    }
    return um_spawn(&spec, &m->child, &m->child_pidfd, err);
}

static enum um_code start(struct monitor *m, struct um_error *err)
{
    enum um_code code = mon_control_open(m, err);

    if (code == UM_OK && m->config.stranger_pid) {
        mon_stranger_open(m);
        return UM_OK;
    }
    if (code == UM_OK)
        code = mon_notify_open(m, err);
    if (code == UM_OK)
        code = mon_nics_open(m, err);
    if (code == UM_OK)
        code = open_consoles(m, err);
    if (code == UM_OK)
        code = spawn(m, err);
    return code;
}

static bool init(struct monitor *m, struct mon_config *config)
{
    struct um_pattern *pattern = NULL;
    char title[16];

    if (config->pattern && um_pattern_new(config->pattern, NULL, NULL, &pattern, NULL))
        return false;
    *m = (struct monitor){.config = *config,
                          .log_dir = -1,
                          .child_pidfd = -1,
                          .control = {.listener = -1, .watch.fd = -1},
                          .notify = {.fd = -1, .watch.fd = -1},
                          .link = {.watch.fd = -1, .init_pidfd = -1, .main_pidfd = -1},
                          .stranger = {.end.fd = -1, .changes.fd = -1},
                          .signals.fd = -1};
    m->state.boot = config->boot;
    m->state.monitor_pid = getpid();
    m->state.pinned_cpu = -1;
    snprintf(title, sizeof(title), "umlmon:%s", config->guest);
    prctl(PR_SET_NAME, title);
    setsid();
    um_lines_init(&m->lines, pattern);
    return mon_identity_keep(config) && mon_loop_init(&m->loop) &&
           prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && catch_signals(m);
}

static void done(struct monitor *m)
{
    mon_client_finish(m, true);
    mon_control_close(m);
    mon_notify_close(m);
    mon_nics_close(m);
    mon_stranger_close(m);
    mon_initlink_close(m);
    for (size_t i = 0; i < m->console_count; i++)
        mon_console_close(&m->consoles[i]);
    um_fd_close(&m->signals.fd);
    um_fd_close(&m->child_pidfd);
    um_fd_close(&m->log_dir);
    um_lines_done(&m->lines);
    mon_loop_done(&m->loop);
    mon_config_done(&m->config);
}

/* um_spawn() gives an outcome; the exit record wants an errno. */
static int errno_of(enum um_code code)
{
    static const int errnos[UM_CODE_COUNT] = {
        [UM_E_NOT_FOUND] = ENOENT,
        [UM_E_DENIED] = EACCES,
        [UM_E_NO_RESOURCES] = EAGAIN,
        [UM_E_EXISTS] = EEXIST,
    };

    return errnos[code] ? errnos[code] : EIO;
}

int mon_run(struct mon_config *config)
{
    struct monitor *m = calloc(1, sizeof(*m));
    struct um_error err = UM_ERROR_INIT;
    char text[1024];
    enum um_code code;

    if (!m || !init(m, config)) {
        um_log(UM_LOG_ERROR, "guest %s: umlmon cannot start: %s", config->guest, strerror(errno));
        return 1;
    }
    code = start(m, &err);
    if (code)
        mon_end_unstarted(m, errno_of(code), um_error_text(&err, text, sizeof(text)));
    mon_loop_run(&m->loop);
    done(m);
    free(m);
    return code ? 1 : 0;
}
