/*
 * Ptys. The rule above all: masters are read whatever happens, since a guest whose console is full
 * stops. Both ends stay open here, so neither a guest that closes its descriptor nor a user who
 * closes a pts ever makes the other side see a hangup.
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { READ_SIZE = 4096, READS_PER_ROUND = 16, READS_AT_END = 4096 };

/* A console holds more than this before it is full. */
enum { BURST = 4096 };
#define NUDGE_NS (10 * UM_MS_NS)

static int open_pty(struct mon_console *c)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct termios t;
    unsigned number;
    int unlock = 0;

    c->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->master < 0 || ioctl(c->master, TIOCSPTLCK, &unlock) < 0 ||
        ioctl(c->master, TIOCGPTN, &number) < 0)
        return errno;
    snprintf(c->path, sizeof(c->path), "/dev/pts/%u", number);
    c->slave = ioctl(c->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (c->slave < 0 || tcgetattr(c->slave, &t) < 0)
        return errno;
    cfmakeraw(&t); /* the guest's own tty layer echoes; twice would be once too often */
    if (tcsetattr(c->slave, TCSANOW, &t) < 0 || ioctl(c->slave, TIOCSWINSZ, &size) < 0)
        return errno;
    return 0;
}

static void watch_room(struct mon_console *c)
{
    bool out = c->typed.len > 0 || c->awaited;

    mon_watch_set(&c->mon->loop, &c->watch, EPOLLIN | (out ? EPOLLOUT : 0u));
}

void mon_console_await_room(struct mon_console *c)
{
    c->awaited = true;
    watch_room(c);
}

/*
 * linux(host): when the reader makes room in a full pty, the writer is sent SIGIO just before its
 * epoll learns of the room. A UML kernel on another CPU that looks in between finds nothing, is
 * never told again, and its console stands still for good; what is typed can be overlooked in the
 * same way. So after much output that ceased, and after input, we have it look once more; SIGIO
 * without a cause is nothing to it, and before it has a handler it is ignored: umlinit starts it
 * so, and before a reboot it sees to that itself.
 */
static void nudge(void *arg)
{
    struct mon_console *c = arg;
    const struct monitor *m = c->mon;

    c->burst = 0;
    if (m->phase == MON_PHASE_RUNNING && m->link.main_pidfd >= 0 &&
        !um_pidfd_signal(m->link.main_pidfd, SIGIO))
        um_log(UM_LOG_DEBUG, "%s: no SIGIO: the kernel is gone", c->config->device);
}

static void write_typed(struct mon_console *c)
{
    if (c->typed.len > 0)
        mon_timer_arm(&c->mon->loop, &c->nudge, NUDGE_NS, nudge, c);
    while (c->typed.len > 0) {
        ssize_t n = write(c->master, c->typed.data, c->typed.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        um_buf_consume(&c->typed, (size_t)n);
    }
    watch_room(c);
}

static void on_master(uint32_t events, void *arg)
{
    struct mon_console *c = arg;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        mon_console_drain(c, false);
    if (events & EPOLLOUT) {
        c->awaited = false;
        write_typed(c);
        mon_client_input(c);
    }
}

enum um_code mon_console_open(struct monitor *m, struct mon_console *c,
                              const struct mon_config_console *config, struct um_error *err)
{
    enum um_code code;
    int errnum;

    *c = (struct mon_console){
        .mon = m, .config = config, .master = -1, .slave = -1, .watch.fd = -1, .log.fd = -1};
    errnum = open_pty(c);
    if (errnum != 0)
        return um_fail_errno(err, errnum, config->device, "cannot open a pty");
    if (config->pts)
        return UM_OK;
    if (!um_fd_set_nonblock(c->master, true) ||
        !mon_watch_start(&m->loop, &c->watch, c->master, EPOLLIN, on_master, c))
        return um_fail_errno(err, errno, config->device, "cannot watch the pty");
    code = mon_log_init(&c->log, m->log_dir, config->device, m->config.log_size,
                        (size_t)m->config.log_parts, m->config.boot, err);
    return code;
}

void mon_console_close(struct mon_console *c)
{
    mon_watch_stop(&c->mon->loop, &c->watch);
    mon_timer_disarm(&c->nudge);
    um_fd_close(&c->master);
    um_fd_close(&c->slave);
    mon_log_done(&c->log);
    um_buf_done(&c->typed);
}

struct mon_console *mon_console_find(struct monitor *m, const char *device)
{
    for (size_t i = 0; i < m->console_count; i++)
        if (strcmp(m->consoles[i].config->device, device) == 0)
            return &m->consoles[i];
    return NULL;
}

static void watch_burst(struct mon_console *c, size_t len)
{
    c->burst += len;
    if (c->burst >= BURST)
        mon_timer_arm(&c->mon->loop, &c->nudge, NUDGE_NS, nudge, c);
}

static void take_output(struct mon_console *c, const char *data, size_t len)
{
    struct monitor *m = c->mon;

    mon_log_append(&c->log, data, len);
    if (c == &m->consoles[0]) {
        bool seek = m->config.ready == MON_READY_CONSOLE && !(m->state.flags & MON_F_READY);

        if (um_lines_feed(&m->lines, data, len, seek))
            mon_saw_ready(m, MON_READY_CONSOLE);
    }
}

void mon_console_drain(struct mon_console *c, bool to_end)
{
    int reads = to_end ? READS_AT_END : READS_PER_ROUND;
    char data[READ_SIZE];
    bool some = false;

    if (c->config->pts)
        return;
    while (reads-- > 0) {
        ssize_t n = read(c->master, data, sizeof(data));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        /*
         * uml(kernel): the notification of a reboot is sent before the new boot's first console
         * output. So the one that precedes what has just been read is there by now, and nothing of
         * the new boot ever gets into the old one's log.
         */
        if (c->mon->state.main_pid != 0)
            mon_notify_poll(c->mon);
        take_output(c, data, (size_t)n);
        watch_burst(c, (size_t)n);
        some = true;
    }
    if (some)
        mon_client_output(c);
}

size_t mon_console_room(const struct mon_console *c)
{
    return c->typed.len < MON_TYPED_MAX ? MON_TYPED_MAX - c->typed.len : 0;
}

bool mon_console_type(struct mon_console *c, const char *data, size_t len)
{
    um_buf_append(&c->typed, data, len);
    if (c->typed.failed) {
        um_buf_done(&c->typed);
        c->typed = UM_BUF_INIT;
        return false;
    }
    write_typed(c);
    return true;
}

int mon_console_resize(struct mon_console *c, unsigned rows, unsigned columns)
{
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    return ioctl(c->master, TIOCSWINSZ, &size) < 0 ? errno : 0;
}
