#include "cli/session.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * uml(kernel): a tty whose reader is 4 KiB behind is throttled, and a line that was throttled once
 * is not read any more (6.1: its descriptor is left out of epoll). A piece stays well below.
 */
enum { CHUNK = 16 << 10, PENDING_MAX = 64 << 10, PIECE_MAX = 2048 };

/* At the start of a line: is this byte part of a terminal's answer? */
static bool feed_report(struct session_escape *e, char c)
{
    switch (e->report) {
    case SESSION_NO_REPORT:
        e->report = c == '\033' ? SESSION_REPORT_ESC : SESSION_NO_REPORT;
        return c == '\033';
    case SESSION_REPORT_ESC:
        e->report = c == '[' ? SESSION_REPORT_CSI : SESSION_NO_REPORT;
        return c == '[';
    case SESSION_REPORT_CSI:
        if ((c >= '0' && c <= '9') || c == ';' || c == '?')
            return true;
        e->report = SESSION_NO_REPORT;
        return c == 'R' || c == 'n' || c == 'c';
    }
    return false;
}

bool session_escape_feed(struct session_escape *e, const char *data, size_t len, char *out,
                         size_t *ret_len)
{
    size_t n = 0;

    *ret_len = 0;
    for (size_t i = 0; i < len; i++) {
        char c = data[i];

        if (e->tilde) {
            e->tilde = false;
            e->line_start = false;
            if (c == '.') {
                *ret_len = n;
                return true;
            }
            out[n++] = '~';
            if (c == '~')
                continue;
        } else if (e->line_start && !e->report && c == '~') {
            e->tilde = true;
            continue;
        }
        out[n++] = c;
        if (c == '\r' || c == '\n') {
            e->line_start = true;
            e->report = SESSION_NO_REPORT;
        } else {
            e->line_start = e->line_start && feed_report(e, c);
        }
    }
    *ret_len = n;
    return false;
}

size_t session_lines_feed(bool *bare, const char *data, size_t len, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        *bare = *bare && data[i] != '\r' && data[i] != '\033';
        if (*bare && data[i] == '\n')
            out[n++] = '\r';
        out[n++] = data[i];
    }
    return n;
}

/* State of one running session. */
struct copier {
    const struct session *s;
    int signals; /* signalfd */
    bool input_open;
    struct session_escape escape;
    struct um_buf pending; /* typed, not yet accepted by remote */
    bool piece_out;        /* a piece is on its way, or nobody takes any more */
    bool bare;             /* the guest's lines end in a bare line feed so far */
    bool ended;
    enum session_end end;
};

static void finish(struct copier *c, enum session_end end)
{
    if (!c->ended)
        c->end = end;
    c->ended = true;
}

static void write_out(struct copier *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&p, 1, 1000); /* a terminal shared with a program that made it non-blocking */
        } else if (errno != EINTR) {
            finish(c, errno == EPIPE ? SESSION_OUTPUT_GONE : SESSION_FAILED);
            return;
        }
    }
}

/* What came from remote. */
static void show(struct copier *c, const char *data, size_t len)
{
    char lines[2 * CHUNK];

    while (c->bare && len > 0) {
        size_t n = len < CHUNK ? len : CHUNK;

        write_out(c, lines, session_lines_feed(&c->bare, data, n, lines));
        data += n;
        len -= n;
    }
    write_out(c, data, len);
}

static void read_remote(struct copier *c)
{
    char data[CHUNK];
    ssize_t n = recv(c->s->remote, data, sizeof(data), MSG_DONTWAIT);

    if (n > 0)
        show(c, data, (size_t)n);
    else if (n == 0 || errno == ECONNRESET)
        finish(c, SESSION_CLOSED);
    else if (errno != EAGAIN && errno != EINTR)
        finish(c, SESSION_FAILED);
}

static void read_piece(struct copier *c)
{
    char data[PIECE_MAX];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        c->input_open = false;
    um_buf_printf(&c->pending, "%zd\n", n > 0 ? n : 0);
    if (n > 0)
        um_buf_append(&c->pending, data, (size_t)n);
    c->piece_out = true;
}

/* However it goes on with the input, only the output's end ends the session. */
static void read_receipt(struct copier *c)
{
    char data[64];
    ssize_t n = recv(c->s->pieces, data, sizeof(data), MSG_DONTWAIT);

    if (n > 0)
        c->piece_out = false;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->input_open = false;
}

static void read_input(struct copier *c)
{
    char data[CHUNK], out[CHUNK + 1];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));
    size_t len;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        /* The guest's console has no end of file to send: output goes on. */
        c->input_open = false;
        return;
    }
    if (!c->s->escapes) {
        um_buf_append(&c->pending, data, (size_t)n);
        return;
    }
    if (session_escape_feed(&c->escape, data, (size_t)n, out, &len))
        finish(c, SESSION_DETACHED);
    um_buf_append(&c->pending, out, len);
}

static void write_remote(struct copier *c)
{
    int to = c->s->pieces > 0 ? c->s->pieces : c->s->remote;
    ssize_t n = send(to, c->pending.data, c->pending.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
        um_buf_consume(&c->pending, (size_t)n);
    else if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
        /* What it said before closing is still to be read; reading finds the end. */
        um_buf_consume(&c->pending, c->pending.len);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        finish(c, SESSION_FAILED);
}

static void read_signal(struct copier *c)
{
    struct signalfd_siginfo info;

    if (read(c->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo != SIGWINCH)
        finish(c, SESSION_INTERRUPTED);
    else if (c->s->on_resize)
        c->s->on_resize(c->s->arg);
}

static int timeout_ms(int64_t deadline_ns)
{
    int64_t left;

    if (deadline_ns == INT64_MAX)
        return -1;
    left = (deadline_ns - um_clock_mono_ns() + UM_MS_NS - 1) / UM_MS_NS;
    if (left <= 0)
        return 0;
    return left > 3600000 ? 3600000 : (int)left;
}

static bool wants_input(const struct copier *c)
{
    return c->input_open && (c->s->pieces > 0 ? !c->piece_out : c->pending.len < PENDING_MAX);
}

static void step(struct copier *c)
{
    bool pieces = c->s->pieces > 0;
    short out = c->pending.len > 0 ? POLLOUT : 0;
    struct pollfd p[4] = {
        {.fd = c->s->remote, .events = (short)(POLLIN | (pieces ? 0 : out))},
        {.fd = c->signals, .events = POLLIN},
        {.fd = wants_input(c) ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = pieces && c->input_open ? c->s->pieces : -1, .events = (short)(POLLIN | out)},
    };
    int n;

    /* The last piece says that there are no more; its receipt is nobody's business. */
    if (pieces && !c->input_open && out)
        p[3] = (struct pollfd){.fd = c->s->pieces, .events = out};
    n = poll(p, UM_ARRAY_LEN(p), timeout_ms(c->s->deadline_ns));
    if (n < 0 && errno != EINTR)
        finish(c, SESSION_FAILED);
    if (n == 0 && timeout_ms(c->s->deadline_ns) == 0)
        finish(c, SESSION_TIMEOUT);
    if (n <= 0)
        return;
    if (p[1].revents)
        read_signal(c);
    if (p[2].revents)
        (pieces ? read_piece : read_input)(c);
    if (p[pieces ? 3 : 0].revents & (POLLOUT | POLLHUP | POLLERR) && c->pending.len > 0)
        write_remote(c);
    if (p[3].revents & (POLLIN | POLLHUP | POLLERR) && c->input_open)
        read_receipt(c);
    if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
        read_remote(c);
}

enum session_end session_run(const struct session *s, const struct um_buf *initial)
{
    struct copier c = {
        .s = s, .input_open = s->forward_input, .escape = SESSION_ESCAPE_INIT, .bare = s->raw};
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, &old);
    c.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (c.signals < 0)
        finish(&c, SESSION_FAILED);
    show(&c, initial->data ? initial->data : "", initial->len);
    while (!c.ended)
        step(&c);
    /* Typed before ~. but not sent yet: once, without waiting. */
    if (c.end == SESSION_DETACHED && c.pending.len > 0)
        write_remote(&c);
    um_buf_done(&c.pending);
    um_fd_close(&c.signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return c.end;
}
