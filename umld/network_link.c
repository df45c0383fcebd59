/*
 * The connection to one network's umlnetd: requests wait in a queue until its socket has room
 * (linux(host): a SEQPACKET socket takes net.unix.max_dgram_qlen messages, 10), then for their
 * replies. Whoever is on the other end is umlnetd because the socket is in a directory of ours;
 * that its process is the one we watch was noted before it ran (network_spawn.c).
 */
#include "umld/network_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct network_message {
    struct network_message *next;
    network_reply_fn done;
    void *arg;
    uint32_t serial;
    int fd; /* to be sent with it, or -1 */
    size_t len;
    char data[]; /* with its header; not needed any more once it is sent */
};

static void finish(struct network *n, struct network_message *m, const struct netd_ctl_reply *r,
                   const char *data, size_t len)
{
    if (m->done)
        m->done(n, r, data, len, m->arg);
    um_fd_close(&m->fd);
    free(m);
}

static void lose(struct network *n, struct network_message *list)
{
    const struct netd_ctl_reply lost = {.errnum = ECONNRESET, .text = "umlnetd is gone"};

    while (list) {
        struct network_message *m = list;

        list = m->next;
        finish(n, m, &lost, "", 0);
    }
}

void network_disconnect(struct network *n)
{
    struct network_message *pending = n->pending, *queue = n->queue;

    um_watch_free(n->watch);
    n->watch = NULL;
    um_fd_close(&n->fd);
    um_timer_disarm(n->silence);
    n->told = false;
    n->pending = n->queue = NULL;
    n->pending_end = &n->pending;
    n->queue_end = &n->queue;
    lose(n, pending);
    lose(n, queue);
}

static void lost(struct network *n)
{
    network_disconnect(n);
    network_post(n, NETWORK_N_LOST);
}

/* ---- what comes ---- */

static void keep_socket(int *kept, int *fd)
{
    if (*kept < 0) {
        *kept = *fd;
        *fd = -1;
    }
}

static void take_state(struct network *n, const struct netd_ctl_state *s, int fds[])
{
    /* The first on a connection brings them; of the others we have copies. */
    if (fds[0] >= 0 && fds[1] >= 0) {
        keep_socket(&n->ctl_fd, &fds[0]);
        keep_socket(&n->links_fd, &fds[1]);
    }
    n->kept = s->flags & NETD_STATE_KEPT;
    if (s->start_wall_ns)
        n->started_ns = s->start_wall_ns;
    if (n->ctl_fd < 0 || n->links_fd < 0) {
        network_condemn(n, "umlnetd (pid %d) gave back no listening sockets", (int)n->pid);
    } else if (!n->told) {
        network_post(n, NETWORK_N_STATE);
    } else if (s->flags & NETD_STATE_GOING && n->state == NETWORK_STARTING) {
        network_post(n, NETWORK_N_GOING);
    }
}

static void take_reply(struct network *n, uint32_t serial, const char *payload, size_t len)
{
    struct network_message *m = n->pending;
    struct netd_ctl_reply r;

    /* Answers come in the order of the questions. */
    if (len < sizeof(r) || !m || m->serial != serial) {
        network_condemn(n, "umlnetd (pid %d) answered what it was not asked", (int)n->pid);
        return;
    }
    memcpy(&r, payload, sizeof(r));
    r.text[sizeof(r.text) - 1] = '\0';
    um_str_make_utf8(r.text, strlen(r.text));
    n->pending = m->next;
    if (!n->pending)
        n->pending_end = &n->pending;
    if (n->pending || n->queue)
        um_timer_arm(n->silence, NETWORK_SILENCE_S * UM_SEC_NS);
    else
        um_timer_disarm(n->silence);
    finish(n, m, &r, payload + sizeof(r), len - sizeof(r));
}

static void refuse(struct network *n, const struct netd_ctl_header *h)
{
    if (h->magic == NETD_CTL_MAGIC && h->version != NETD_CTL_VERSION)
        network_condemn(n, "umlnetd (pid %d) speaks version %u of the protocol, this umld %d",
                        (int)n->pid, (unsigned)h->version, NETD_CTL_VERSION);
    else
        network_condemn(n, "umlnetd (pid %d) says what cannot be understood", (int)n->pid);
}

static void take_message(struct network *n, const char *data, size_t len, int fds[])
{
    struct netd_ctl_header h = {0};
    const char *payload = data + sizeof(h);
    struct netd_ctl_event e;
    struct netd_ctl_state s;

    if (len >= sizeof(h))
        memcpy(&h, data, sizeof(h));
    if (h.magic != NETD_CTL_MAGIC || h.version != NETD_CTL_VERSION || h.length != len - sizeof(h)) {
        refuse(n, &h);
    } else if (h.type == NETD_CTL_STATE && h.length == sizeof(s)) {
        memcpy(&s, payload, sizeof(s));
        take_state(n, &s, fds);
    } else if (h.type == NETD_CTL_REPLY) {
        take_reply(n, h.serial, payload, h.length);
    } else if (h.type == NETD_CTL_EVENT && h.length == sizeof(e)) {
        memcpy(&e, payload, sizeof(e));
        network_take_event(n, &e);
    }
}

static void receive(struct network *n)
{
    static char data[NETD_CTL_MAX];

    for (int budget = 64; budget > 0 && n->fd >= 0 && !n->condemned; budget--) {
        int fds[2];
        ssize_t len = um_fd_receive_many(n->fd, data, sizeof(data), fds, 2, NULL);

        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (len <= 0) {
            lost(n);
            return;
        }
        take_message(n, data, (size_t)len, fds);
        um_fd_close(&fds[0]);
        um_fd_close(&fds[1]);
    }
}

/* ---- what goes ---- */

static void send_queue(struct network *n)
{
    while (n->queue) {
        struct network_message *m = n->queue;

        if (!um_fd_send(n->fd, m->data, m->len, m->fd)) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
                return; /* reading tells that it is gone */
            break;
        }
        n->queue = m->next;
        if (!n->queue)
            n->queue_end = &n->queue;
        um_fd_close(&m->fd);
        m->next = NULL;
        *n->pending_end = m;
        n->pending_end = &m->next;
    }
    um_watch_set(n->watch, UM_READ | (n->queue ? UM_WRITE : 0u));
}

static void on_ready(um_unused int fd, unsigned ready, void *arg)
{
    struct network *n = arg;

    if (ready & UM_WRITE)
        send_queue(n);
    if (ready & UM_READ)
        receive(n);
}

bool network_ask(struct network *n, enum netd_ctl_type type, const void *payload, size_t len,
                 int fd, network_reply_fn done, void *arg)
{
    struct netd_ctl_header h = {.magic = NETD_CTL_MAGIC,
                                .version = NETD_CTL_VERSION,
                                .type = (uint16_t)type,
                                .length = (uint32_t)len};
    struct network_message *m;
    int copy = -1;

    if (n->fd < 0)
        return false;
    m = malloc(sizeof(*m) + sizeof(h) + len);
    if (m && fd >= 0)
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (!m || (fd >= 0 && copy < 0)) {
        free(m);
        return false;
    }
    h.serial = ++n->serial;
    *m = (struct network_message){NULL, done, arg, h.serial, copy, sizeof(h) + len};
    memcpy(m->data, &h, sizeof(h));
    if (len)
        memcpy(m->data + sizeof(h), payload, len);
    if (!n->pending && !n->queue)
        um_timer_arm(n->silence, NETWORK_SILENCE_S * UM_SEC_NS);
    *n->queue_end = m;
    n->queue_end = &m->next;
    /* Not at once: who asks is not told from within. */
    um_watch_set(n->watch, UM_READ | UM_WRITE);
    return true;
}

enum um_code network_connect(struct network *n, struct um_error *err)
{
    char path[NETWORK_PATH_SIZE];
    enum um_code code;

    network_disconnect(n);
    n->condemned = false;
    code = um_unix_connect(network_path(n->umld, n->def.name, "ctl", path), SOCK_SEQPACKET, &n->fd,
                           err);
    if (code)
        return code;
    n->watch = um_watch_new(n->umld->loop, n->fd, UM_READ, on_ready, n);
    if (n->watch)
        return UM_OK;
    network_disconnect(n);
    return um_fail(err, UM_E_NO_RESOURCES, n->def.name, NULL, "out of memory");
}
