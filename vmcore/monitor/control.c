/*
 * umld's connections. A connection whose socket is full is closed rather than waited for: the
 * daemon reads the state again when it returns, and the guest never notices.
 */
#include "vmcore/monitor/monitor.h"
#include "vmcore/monitor/order.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES_PER_ROUND = 16, SEND_BUFFER = 1024 * 1024 };

struct packet {
    struct mon_header header;
    char body[MON_MESSAGE_MAX - sizeof(struct mon_header)];
};

static void close_connection(struct mon_connection *c)
{
    int fd = c->watch.fd;

    mon_watch_stop(&c->mon->loop, &c->watch);
    um_fd_close(&fd);
    c->id = 0;
}

/* fixed and data are joined in the body. */
static void send_packet(struct mon_connection *c, enum mon_type type, uint32_t serial,
                        const void *fixed, size_t fixed_len, const void *data, size_t len)
{
    struct packet p;

    if (len > sizeof(p.body) - fixed_len)
        len = sizeof(p.body) - fixed_len;
    p.header = (struct mon_header){.magic = MON_MAGIC,
                                   .version = MON_VERSION,
                                   .type = (uint16_t)type,
                                   .serial = serial,
                                   .length = (uint32_t)(fixed_len + len)};
    if (fixed_len > 0)
        memcpy(p.body, fixed, fixed_len);
    if (len > 0)
        memcpy(p.body + fixed_len, data, len);
    if (!um_fd_send(c->watch.fd, &p, sizeof(p.header) + fixed_len + len, -1))
        close_connection(c);
}

static void send_to_all(struct monitor *m, enum mon_type type, const void *fixed, size_t fixed_len,
                        const void *data, size_t len)
{
    for (int i = 0; i < MON_CONNECTION_MAX; i++)
        if (m->control.connections[i].id != 0)
            send_packet(&m->control.connections[i], type, 0, fixed, fixed_len, data, len);
}

void mon_control_state(struct monitor *m)
{
    send_to_all(m, MON_STATE, &m->state, sizeof(m->state), NULL, 0);
}

void mon_control_notify(struct monitor *m, uint32_t kind, const char *data, size_t len)
{
    const struct mon_notify n = {.kind = kind,
                                 .length = (uint32_t)len,
                                 .boot = m->state.boot,
                                 .wall_ns = um_clock_wall_ns()};

    send_to_all(m, MON_NOTIFY, &n, sizeof(n), data, len);
}

/* only NULL: to everyone. */
static void send_kept(struct monitor *m, struct mon_connection *only)
{
    struct mon_notify n = {
        .kind = MON_NOTIFY_KEPT, .boot = m->state.boot, .wall_ns = um_clock_wall_ns()};
    struct um_buf text = UM_BUF_INIT;

    for (size_t at = 0; mon_kept_part(&m->notify.kept, &at, &text);) {
        n.length = (uint32_t)text.len;
        if (!only)
            send_to_all(m, MON_NOTIFY, &n, sizeof(n), text.data, text.len);
        else if (only->id != 0)
            send_packet(only, MON_NOTIFY, 0, &n, sizeof(n), text.data, text.len);
        um_buf_done(&text);
    }
    um_buf_done(&text);
}

void mon_control_kept(struct monitor *m)
{
    send_kept(m, NULL);
}

static struct mon_connection *find_connection(struct monitor *m, uint64_t id)
{
    for (int i = 0; i < MON_CONNECTION_MAX; i++)
        if (m->control.connections[i].id == id)
            return &m->control.connections[i];
    return NULL;
}

bool mon_control_reply(struct monitor *m, uint64_t id, uint32_t serial, int errnum,
                       const char *text)
{
    const struct mon_reply r = {.errnum = errnum};
    struct mon_connection *c = id ? find_connection(m, id) : NULL;

    if (c)
        send_packet(c, MON_REPLY, serial, &r, sizeof(r), text, text ? strlen(text) : 0);
    return c && c->id == id; /* else it did not fit */
}

static void send_consoles(struct monitor *m, struct mon_connection *c)
{
    struct um_buf b = UM_BUF_INIT;

    for (size_t i = 0; i < m->console_count; i++) {
        const struct mon_console *con = &m->consoles[i];

        um_kv_addf(&b, con->config->device, "%s %s", con->config->pts ? "pts" : "managed",
                   con->config->pts ? con->path : "-");
    }
    send_packet(c, MON_CONSOLES, 0, NULL, 0, b.data, b.failed ? 0 : b.len);
    um_buf_done(&b);
}

/* only NULL: to everyone. */
static void send_nics(struct monitor *m, struct mon_connection *only)
{
    struct um_buf b = UM_BUF_INIT;

    mon_nics_text(m, &b);
    if (only)
        send_packet(only, MON_NICS, 0, NULL, 0, b.data, b.failed ? 0 : b.len);
    else
        send_to_all(m, MON_NICS, NULL, 0, b.data, b.failed ? 0 : b.len);
    um_buf_done(&b);
}

void mon_control_nics(struct monitor *m)
{
    send_nics(m, NULL);
}

/* False: the connection is gone or must go. */
static bool receive_one(struct mon_connection *c, bool *ret_more)
{
    struct packet p;
    int fds[MON_REQUEST_FDS];
    ssize_t n = um_fd_receive_many(c->watch.fd, &p, sizeof(p), fds, MON_REQUEST_FDS, NULL);

    *ret_more = n > 0;
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n < (ssize_t)sizeof(p.header) || p.header.magic != MON_MAGIC ||
        p.header.version != MON_VERSION ||
        (size_t)n != sizeof(p.header) + (size_t)p.header.length) {
        for (int i = 0; i < MON_REQUEST_FDS; i++)
            um_fd_close(&fds[i]);
        return false;
    }
    return mon_request(c->mon, c->id, &p.header, p.body, fds);
}

static void on_connection(uint32_t events, void *arg)
{
    struct mon_connection *c = arg;
    uint64_t id = c->id;
    bool more = true;

    /* A reply that did not fit has closed it already: the id tells. */
    for (int i = 0; more && i < MESSAGES_PER_ROUND && c->id == id; i++)
        if (!receive_one(c, &more) && c->id == id)
            close_connection(c);
    if (c->id == id && (events & EPOLLHUP) && !more)
        close_connection(c);
}

static void on_listener(uint32_t events, void *arg)
{
    struct monitor *m = arg;
    int fd = accept4(m->control.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct mon_connection *c = find_connection(m, 0);
    int size = SEND_BUFFER;

    if (fd < 0)
        return;
    /* A whole burst of notifications fits while the daemon is busy; a smaller one is no error. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (!c || !mon_watch_start(&m->loop, &c->watch, fd, EPOLLIN, on_connection, c)) {
        close(fd);
        return;
    }
    c->mon = m;
    c->id = ++m->control.last_id;
    send_packet(c, MON_STATE, 0, &m->state, sizeof(m->state), NULL, 0);
    if (c->id != 0)
        send_consoles(m, c);
    if (c->id != 0)
        send_nics(m, c);
    if (c->id != 0)
        send_kept(m, c);
}

/* umld binds the socket before it starts us, so that it can connect without waiting for us. */
static bool take_listener(struct monitor *m)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(ORDER_LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
        !listening || !um_fd_set_cloexec(ORDER_LISTEN_FD, true) ||
        !um_fd_set_nonblock(ORDER_LISTEN_FD, true))
        return false;
    m->control.listener = ORDER_LISTEN_FD;
    return true;
}

enum um_code mon_control_open(struct monitor *m, struct um_error *err)
{
    enum um_code code = UM_OK;

    if (!take_listener(m))
        code = um_unix_listen(m->config.socket, SOCK_SEQPACKET, 0600, &m->control.listener, err);

    if (code)
        return code;
    if (!mon_watch_start(&m->loop, &m->control.watch, m->control.listener, EPOLLIN, on_listener, m))
        return um_fail_errno(err, errno, m->config.socket, "cannot watch the control socket");
    return UM_OK;
}

void mon_control_unlink(struct monitor *m)
{
    if (m->control.listener < 0)
        return;
    unlink(m->config.socket);
    mon_watch_stop(&m->loop, &m->control.watch);
    um_fd_close(&m->control.listener);
}

void mon_control_close(struct monitor *m)
{
    mon_control_unlink(m);
    for (int i = 0; i < MON_CONNECTION_MAX; i++)
        if (m->control.connections[i].id != 0)
            close_connection(&m->control.connections[i]);
}
