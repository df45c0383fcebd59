#include "netd/listener.h"

#include "netd/data_socket.h"
#include "netd/uml_hello.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_RATE = 2, /* lines a second about clients, which are free to make them */
    LOG_BURST = 20,
    PENDING_MAX = 256, /* connections that have not said what they want */
    ACCEPTS = 16       /* before others get their turn */
};
#define HELLO_LIMIT_NS  (5 * UM_SEC_NS)
#define ACCEPT_PAUSE_NS (100 * UM_MS_NS)

struct client {
    struct netd_listener *listener;
    uint64_t number;
    int control; /* -1: the link is the connection */
    struct um_watch *watch;
    struct um_timer *limit; /* armed until the request is there */
    uint8_t hello[NETD_HELLO_MAX + 1];
    size_t hello_len;
    struct sockaddr_un address; /* of its data socket; a path: to be removed with it */
    struct netd_link *link;     /* NULL: pending */
    struct netd_member *member; /* of the shared socket; NULL: it has one of its own */
    struct netd_later die;
    struct client *next, **at;
};

struct netd_listener {
    struct netd_io *io;
    enum netd_listener_kind kind;
    struct netd_socket_file file;
    struct netd_access access;
    char folder[UM_SOCKET_PATH_MAX + 1]; /* of the vde kind; else empty */
    struct netd_shared *shared;          /* NULL: version 0 is not served */
    struct netd_port_config config;
    uint64_t key; /* of its data sockets' abstract names */
    uint64_t last_number;
    struct um_watch *watch;
    struct um_timer *pause; /* armed while no descriptor is to be had */
    struct client *clients; /* youngest first */
    uint32_t pending;
    struct netd_bucket log;
    uint64_t unlogged;
};

static const struct {
    const char *name;
    int type;
    bool control;             /* a connection has its frames beside it */
    enum netd_link_kind link; /* else: what it is itself */
} kinds[] = {
    [NETD_LISTEN_UML] = {"uml", SOCK_STREAM, true, NETD_LINK_DATAGRAM},
    [NETD_LISTEN_VDE] = {"vde", SOCK_STREAM, true, NETD_LINK_DATAGRAM},
    [NETD_LISTEN_SEQPACKET] = {"seqpacket", SOCK_SEQPACKET, false, NETD_LINK_SEQPACKET},
    [NETD_LISTEN_STREAM2] = {"stream2", SOCK_STREAM, false, NETD_LINK_STREAM2},
    [NETD_LISTEN_STREAM4] = {"stream4", SOCK_STREAM, false, NETD_LINK_STREAM4},
};

const char *netd_listener_kind_name(enum netd_listener_kind kind)
{
    return kinds[kind].name;
}

bool netd_listener_kind_from_name(const char *name, enum netd_listener_kind *ret)
{
    for (int i = 0; i < NETD_LISTENER_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *ret = (enum netd_listener_kind)i;
            return true;
        }
    }
    return false;
}

/* What happened to a client, within limits: nobody can fill the log by connecting. */
static void client_log(struct client *c, const char *what, const char *why)
{
    struct netd_listener *l = c->listener;

    if (!netd_bucket_take(&l->log, 1, um_clock_mono_ns())) {
        l->unlogged++;
        return;
    }
    if (l->unlogged)
        um_log(UM_LOG_NOTICE, "listener %s: %llu more lines like the next one were left out",
               l->config.name, (unsigned long long)l->unlogged);
    l->unlogged = 0;
    um_log(UM_LOG_NOTICE, "port %s-%llu: %s: %s", l->config.name, (unsigned long long)c->number,
           what, why);
}

static void client_die(void *arg)
{
    struct client *c = arg;

    if (!c->link)
        c->listener->pending--;
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    netd_io_cancel(c->listener->io, &c->die);
    netd_shared_leave(c->member);
    netd_link_free(c->link);
    um_watch_free(c->watch);
    um_timer_free(c->limit);
    um_fd_close(&c->control);
    if (c->address.sun_path[0])
        unlink(c->address.sun_path);
    free(c);
}

/* why: a clause, or NULL when there is nothing to say. */
static void client_end(struct client *c, const char *why)
{
    if (why)
        client_log(c, "closed", why);
    um_watch_set(c->watch, 0);
    netd_io_post(c->listener->io, &c->die);
}

static void on_link_closed(void *arg, const char *reason)
{
    struct client *c = arg;

    if (reason)
        client_log(c, "closed", reason);
    netd_io_post(c->listener->io, &c->die);
}

/* Makes fd, which it takes, the client's port. */
static bool client_link(struct client *c, int fd, enum netd_link_kind kind, uint32_t number)
{
    struct netd_listener *l = c->listener;
    struct netd_port_config config = l->config;

    snprintf(config.name, sizeof(config.name), "%.40s-%llu", l->config.name,
             (unsigned long long)c->number);
    config.number = number;
    c->link = netd_link_new(l->io, fd, kind, &config, on_link_closed, c);
    if (c->link)
        l->pending--;
    return c->link != NULL;
}

static int data_socket(struct client *c, const struct netd_hello *hello)
{
    const struct netd_listener *l = c->listener;

    if (hello->version == 0)
        return netd_data_socket_nameless(&hello->address);
    if (l->folder[0])
        return netd_data_socket_file(&hello->address, l->folder,
                                     hello->port ? hello->port : c->number, &l->access,
                                     &c->address);
    return netd_data_socket_abstract(&hello->address, l->key, c->number, &c->address);
}

/* No answer: a client of version 0 knows where its frames go. */
static void client_join(struct client *c, const struct netd_hello *hello)
{
    c->member = netd_shared_join(c->listener->shared, &hello->address, c->link);
    if (!c->member)
        client_end(c, "no memory");
}

static void client_answer(struct client *c, const struct netd_hello *hello)
{
    int data = data_socket(c, hello);

    um_timer_disarm(c->limit);
    if (data < 0)
        client_end(c, "its data socket cannot be reached");
    else if (!client_link(c, data, NETD_LINK_DATAGRAM, hello->port))
        client_end(c, hello->port > NETD_PORT_SLOTS ? "it asks for a port that cannot be"
                                                    : "no port is free");
    else if (hello->version == 0)
        client_join(c, hello);
    else if (!um_fd_send(c->control, &c->address, NETD_HELLO_ADDRESS, -1))
        client_end(c, "it does not take the answer");
}

static void client_read_hello(struct client *c)
{
    struct netd_hello hello;

    switch (netd_hello_parse(c->hello, c->hello_len, c->listener->shared != NULL, &hello)) {
    case NETD_HELLO_MORE:
        break;
    case NETD_HELLO_READY:
        client_answer(c, &hello);
        break;
    case NETD_HELLO_REFUSED:
        client_end(c, "no request of the uml_switch protocol");
        break;
    case NETD_HELLO_VERSION:
        client_end(c, "a version of the uml_switch protocol that does not exist");
        break;
    }
}

/* The request, its padding or text, then nothing until the end. */
static void on_control(int fd, um_unused unsigned ready, void *arg)
{
    struct client *c = arg;
    ssize_t got = recv(fd, c->hello + c->hello_len, sizeof(c->hello) - c->hello_len, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        client_end(c, NULL);
        return;
    }
    c->hello_len += (size_t)got;
    if (c->hello_len > NETD_HELLO_MAX)
        client_end(c, "it talks on after its request");
    else if (!c->link)
        client_read_hello(c);
}

static void on_limit(void *arg)
{
    client_end(arg, "no request came");
}

static bool watch_control(struct client *c)
{
    struct um_loop *loop = c->listener->io->loop;

    c->watch = um_watch_new(loop, c->control, UM_READ, on_control, c);
    c->limit = um_timer_new(loop, on_limit, c);
    if (!c->watch || !c->limit)
        return false;
    um_timer_arm(c->limit, HELLO_LIMIT_NS);
    return true;
}

static void add_client(struct netd_listener *l, int fd)
{
    struct client *c = calloc(1, sizeof(*c));
    bool ok;

    if (!c) {
        um_fd_close(&fd);
        return;
    }
    *c = (struct client){.listener = l,
                         .number = ++l->last_number,
                         .control = -1,
                         .die = {.fn = client_die, .arg = c},
                         .next = l->clients,
                         .at = &l->clients};
    if (l->clients)
        l->clients->at = &c->next;
    l->clients = c;
    l->pending++;
    if (kinds[l->kind].control) {
        c->control = fd;
        ok = watch_control(c);
    } else {
        ok = client_link(c, fd, kinds[l->kind].link, 0);
    }
    if (!ok) {
        client_log(c, "refused", "no port is free, or no memory");
        netd_io_post(l->io, &c->die);
    }
}

/* Those that have been silent longest make room. */
static void limit_pending(struct netd_listener *l)
{
    struct client *oldest = NULL;

    if (l->pending <= PENDING_MAX)
        return;
    for (struct client *c = l->clients; c; c = c->next) {
        if (!c->link && !c->die.posted)
            oldest = c;
    }
    if (oldest)
        client_end(oldest, "too many others wait for their requests");
}

static void on_connection(int listening, um_unused unsigned ready, void *arg)
{
    struct netd_listener *l = arg;

    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            add_client(l, fd);
            limit_pending(l);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            um_log(UM_LOG_WARNING, "listener %s: cannot accept: %s", l->file.path, strerror(errno));
            um_watch_set(l->watch, 0);
            um_timer_arm(l->pause, ACCEPT_PAUSE_NS);
        }
        return;
    }
}

static void on_pause_over(void *arg)
{
    struct netd_listener *l = arg;

    um_watch_set(l->watch, UM_READ);
}

static enum um_code listen_at(struct netd_listener *l, const char *path, struct um_error *err)
{
    return netd_socket_file_open(path, kinds[l->kind].type, &l->access, &l->file, err);
}

/* Room is left for the names of data sockets, so that no client meets the limit. As vde_switch(1):
 * whoever may use the socket may enter the folder, and files in it get its group. */
static enum um_code listen_in(struct netd_listener *l, const char *path, struct um_error *err)
{
    size_t limit = UM_SOCKET_PATH_MAX - NETD_DATA_NAME_MAX;
    struct netd_access access = l->access;
    char control[UM_SOCKET_PATH_MAX + 1];
    enum um_code code;

    if (strlen(path) > limit)
        return um_fail(err, UM_E_INVALID, path, NULL,
                       "longer than the %zu bytes of a socket folder's path", limit);
    snprintf(control, sizeof(control), "%s/ctl", path);
    code = um_mkdir_parents(path, 0700, err);
    if (code == UM_OK)
        code = listen_at(l, control, err);
    if (code != UM_OK)
        return code;
    snprintf(l->folder, sizeof(l->folder), "%s", path);
    access.mode |= 02700 | (access.mode & 0444) >> 2;
    if (!netd_access_give(path, &access))
        return um_fail_errno(err, errno, path, "cannot set its group and mode");
    netd_data_socket_sweep(path);
    return UM_OK;
}

static enum um_code watch_listener(struct netd_listener *l, struct um_error *err)
{
    l->watch = um_watch_new(l->io->loop, l->file.fd, UM_READ, on_connection, l);
    l->pause = um_timer_new(l->io->loop, on_pause_over, l);
    if (l->watch && l->pause)
        return UM_OK;
    return um_fail(err, UM_E_NO_RESOURCES, l->file.path, NULL, "no memory");
}

enum um_code netd_listener_new(struct netd_io *io, enum netd_listener_kind kind, const char *path,
                               const struct netd_access *access,
                               const struct netd_port_config *config, struct netd_listener **ret,
                               struct um_error *err)
{
    struct netd_listener *l = calloc(1, sizeof(*l));
    enum um_code code;

    if (!l)
        return um_fail(err, UM_E_NO_RESOURCES, path, NULL, "no memory");
    l->io = io;
    l->kind = kind;
    l->config = *config;
    l->access = *access;
    l->file = NETD_SOCKET_FILE_INIT;
    l->log = (struct netd_bucket){.rate = LOG_RATE, .burst = LOG_BURST};
    if (getrandom(&l->key, sizeof(l->key), 0) != sizeof(l->key))
        code = um_fail_errno(err, errno, path, "no random numbers");
    else
        code = kind == NETD_LISTEN_VDE ? listen_in(l, path, err) : listen_at(l, path, err);
    if (code == UM_OK)
        code = watch_listener(l, err);
    if (code == UM_OK)
        *ret = l;
    else
        netd_listener_free(l);
    return code;
}

void netd_listener_serve_v0(struct netd_listener *l, struct netd_shared *shared)
{
    l->shared = shared;
}

void netd_listener_free(struct netd_listener *l)
{
    if (!l)
        return;
    while (l->clients)
        client_die(l->clients);
    um_watch_free(l->watch);
    um_timer_free(l->pause);
    if (l->folder[0] && l->file.fd >= 0) {
        netd_socket_file_close(&l->file);
        rmdir(l->folder); /* stays when clients have left files in it */
    }
    netd_socket_file_close(&l->file);
    free(l);
}
