/*
 * umld's connections. One whose socket is full is closed rather than waited for: umld reads the
 * state again when it returns.
 */
#include "netd/managed.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 8,
    MESSAGES_PER_ROUND = 64,
    SEND_BUFFER = 1024 * 1024, /* bursts of events and lists, while umld is busy */
    EVENT_RATE = 20
};

struct connection {
    struct netd_control *control;
    int fd; /* -1: the place is free */
    struct um_watch *watch;
};

struct netd_control {
    struct netd_managed *m;
    int listening; /* not owned */
    struct um_watch *watch;
    struct connection connections[CONNECTIONS_MAX];
    struct netd_bucket events;
    uint32_t lost;
};

struct packet {
    struct netd_ctl_header header;
    uint8_t body[NETD_CTL_MAX - sizeof(struct netd_ctl_header)];
};

static void close_connection(struct connection *c)
{
    um_watch_free(c->watch);
    c->watch = NULL;
    um_fd_close(&c->fd);
}

static void send_packet(struct connection *c, enum netd_ctl_type type, uint32_t serial,
                        const void *body, size_t len, const int *fds, size_t fd_count)
{
    struct packet p = {.header = {.magic = NETD_CTL_MAGIC,
                                  .version = NETD_CTL_VERSION,
                                  .type = (uint16_t)type,
                                  .serial = serial,
                                  .length = (uint32_t)len}};

    if (c->fd < 0)
        return;
    memcpy(p.body, body, len);
    if (!um_fd_send_many(c->fd, &p, sizeof(p.header) + len, fds, fd_count))
        close_connection(c);
}

static struct netd_ctl_state state_of(const struct netd_managed *m)
{
    struct netd_ctl_state s = {.pid = getpid(),
                               .macs = netd_mac_count(netd_switch_macs(m->sw)),
                               .queue_bytes = netd_switch_memory(m->sw),
                               .start_wall_ns = m->start_wall_ns};
    uint32_t at = 0, id;

    memcpy(s.network, m->name, sizeof(s.network));
    if (m->going)
        s.flags |= NETD_STATE_GOING;
    if (netd_state_kept(m->state))
        s.flags |= NETD_STATE_KEPT;
    while (netd_switch_next(m->sw, &at, &id))
        s.ports += netd_switch_status(m->sw, id).up;
    return s;
}

void netd_control_state(struct netd_control *c)
{
    struct netd_ctl_state s = state_of(c->m);

    for (int i = 0; i < CONNECTIONS_MAX; i++)
        send_packet(&c->connections[i], NETD_CTL_STATE, 0, &s, sizeof(s), NULL, 0);
}

void netd_control_event(struct netd_control *c, enum netd_ctl_event_kind kind, uint32_t port,
                        const char *name, const char *text)
{
    struct netd_ctl_event e = {.kind = kind, .id = port, .lost = c->lost};

    if (!netd_bucket_take(&c->events, 1, um_clock_mono_ns())) {
        c->lost++;
        return;
    }
    c->lost = 0;
    snprintf(e.name, sizeof(e.name), "%s", name);
    snprintf(e.text, sizeof(e.text), "%s", text);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        send_packet(&c->connections[i], NETD_CTL_EVENT, 0, &e, sizeof(e), NULL, 0);
}

static void close_all(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        um_fd_close(&fds[i]);
}

/* False: nothing more is to be read. */
static bool receive_one(struct connection *c)
{
    struct packet p;
    struct netd_answer a;
    int fds[NETD_REQUEST_FDS];
    ssize_t n = um_fd_receive_many(c->fd, &p, sizeof(p), fds, NETD_REQUEST_FDS, NULL);
    struct netd_request r = {.body = p.body, .fds = fds};

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < (ssize_t)sizeof(p.header) || p.header.magic != NETD_CTL_MAGIC ||
        p.header.version != NETD_CTL_VERSION ||
        (size_t)n != sizeof(p.header) + (size_t)p.header.length) {
        close_all(fds, NETD_REQUEST_FDS);
        close_connection(c);
        return false;
    }
    r.type = p.header.type;
    r.len = p.header.length;
    a.len = 0;
    netd_request_do(c->control->m, &r, &a);
    close_all(fds, NETD_REQUEST_FDS);
    /* The fixed part and the list behind it are one piece of memory. */
    send_packet(c, NETD_CTL_REPLY, p.header.serial, &a, sizeof(a.reply) + a.len, NULL, 0);
    if (r.type == NETD_CTL_GO && a.reply.errnum == 0)
        netd_control_state(c->control);
    return c->fd >= 0;
}

_Static_assert(offsetof(struct netd_answer, data) == sizeof(struct netd_ctl_reply),
               "a list follows its reply");

static void on_connection(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct connection *c = arg;
    int count = 0;

    while (count < MESSAGES_PER_ROUND && receive_one(c))
        count++;
}

static void greet(struct connection *c)
{
    struct netd_managed *m = c->control->m;
    struct netd_ctl_state s = state_of(m);

    send_packet(c, NETD_CTL_STATE, 0, &s, sizeof(s), (int[]){NETD_CTL_FD, NETD_LINKS_FD}, 2);
    for (int i = 0; i < NETD_LISTENERS_MAX; i++) {
        const struct netd_managed_listener *l = &m->listeners[i];

        if (l->said.id)
            send_packet(c, NETD_CTL_LISTENER, 0, &l->said, sizeof(l->said), &l->fd, 1);
    }
}

static void on_listening(int listening, um_unused unsigned ready, void *arg)
{
    struct netd_control *control = arg;
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int size = SEND_BUFFER;
    struct connection *c = control->connections;

    if (fd < 0)
        return;
    while (c < control->connections + CONNECTIONS_MAX && c->fd >= 0)
        c++;
    if (c == control->connections + CONNECTIONS_MAX) {
        um_fd_close(&fd);
        return;
    }
    /* A smaller one is no error. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    c->fd = fd;
    c->watch = um_watch_new(control->m->loop, fd, UM_READ, on_connection, c);
    if (c->watch)
        greet(c);
    else
        close_connection(c);
}

struct netd_control *netd_control_new(struct netd_managed *m, int listening)
{
    struct netd_control *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->m = m;
    c->listening = listening;
    c->events = (struct netd_bucket){.rate = EVENT_RATE, .burst = EVENT_RATE};
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        c->connections[i] = (struct connection){.control = c, .fd = -1};
    c->watch = um_watch_new(m->loop, listening, UM_READ, on_listening, c);
    if (c->watch)
        return c;
    free(c);
    return NULL;
}

void netd_control_free(struct netd_control *c)
{
    if (!c)
        return;
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        close_connection(&c->connections[i]);
    um_watch_free(c->watch);
    free(c);
}
