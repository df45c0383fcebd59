/*
 * Clients of listeners, from their connection on.
 */
#include "netd/listener_private.h"

#include "netd/data_socket.h"
#include "netd/uml_hello.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PENDING_MAX = 256 }; /* connections that have not said what they want */
#define HELLO_LIMIT_NS (5 * UM_SEC_NS)

struct netd_client {
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
    struct netd_client *next, **at;
};

/* What happened to a client, within limits: nobody can fill the log by connecting. */
static void client_log(struct netd_client *c, const char *what, const char *why)
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
    struct netd_client *c = arg;

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
static void client_end(struct netd_client *c, const char *why)
{
    if (why)
        client_log(c, "closed", why);
    um_watch_set(c->watch, 0);
    netd_io_post(c->listener->io, &c->die);
}

static void on_link_closed(void *arg, const char *reason)
{
    struct netd_client *c = arg;

    if (reason)
        client_log(c, "closed", reason);
    netd_io_post(c->listener->io, &c->die);
}

static void name_port(const struct netd_client *c, struct netd_port_config *ret)
{
    snprintf(ret->name, sizeof(ret->name), "%.40s-%llu", c->listener->config.name,
             (unsigned long long)c->number);
}

/* Makes fd, which it takes, the client's port. */
static bool client_link(struct netd_client *c, int fd, enum netd_link_kind kind, uint32_t number)
{
    struct netd_listener *l = c->listener;
    struct netd_port_config config = l->config;

    name_port(c, &config);
    config.number = number;
    c->link = netd_link_new(l->io, fd, kind, &config, on_link_closed, c);
    if (c->link)
        l->pending--;
    return c->link != NULL;
}

static int data_socket(struct netd_client *c, const struct netd_hello *hello)
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
static void client_join(struct netd_client *c, const struct netd_hello *hello)
{
    c->member = netd_shared_join(c->listener->shared, &hello->address, c->link);
    if (!c->member)
        client_end(c, "no memory");
}

static void client_answer(struct netd_client *c, const struct netd_hello *hello)
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

static void client_read_hello(struct netd_client *c)
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
    struct netd_client *c = arg;
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

static bool watch_control(struct netd_client *c)
{
    struct um_loop *loop = c->listener->io->loop;

    c->watch = um_watch_new(loop, c->control, UM_READ, on_control, c);
    c->limit = um_timer_new(loop, on_limit, c);
    if (!c->watch || !c->limit)
        return false;
    um_timer_arm(c->limit, HELLO_LIMIT_NS);
    return true;
}

static void add(struct netd_listener *l, int fd)
{
    struct netd_client *c = calloc(1, sizeof(*c));
    bool ok;

    if (!c) {
        um_fd_close(&fd);
        return;
    }
    *c = (struct netd_client){.listener = l,
                              .number = ++l->last_number,
                              .control = -1,
                              .die = {.fn = client_die, .arg = c},
                              .next = l->clients,
                              .at = &l->clients};
    if (l->clients)
        l->clients->at = &c->next;
    l->clients = c;
    l->pending++;
    if (netd_listener_rows[l->kind].control) {
        c->control = fd;
        ok = watch_control(c);
    } else {
        ok = client_link(c, fd, netd_listener_rows[l->kind].link, 0);
    }
    if (!ok) {
        client_log(c, "refused", "no port is free, or no memory");
        netd_io_post(l->io, &c->die);
    }
}

/* Those that have been silent longest make room. */
static void limit_pending(struct netd_listener *l)
{
    struct netd_client *oldest = NULL;

    if (l->pending <= PENDING_MAX)
        return;
    for (struct netd_client *c = l->clients; c; c = c->next) {
        if (!c->link && !c->die.posted)
            oldest = c;
    }
    if (oldest)
        client_end(oldest, "too many others wait for their requests");
}

void netd_client_add(struct netd_listener *l, int fd)
{
    add(l, fd);
    limit_pending(l);
}

bool netd_clients_configure(struct netd_listener *l)
{
    bool ok = true;

    for (const struct netd_client *c = l->clients; c; c = c->next) {
        struct netd_port_config own = l->config;

        name_port(c, &own);
        if (c->link && !netd_switch_configure(l->io->sw, netd_link_port(c->link), &own))
            ok = false;
    }
    return ok;
}

void netd_clients_end(struct netd_listener *l)
{
    while (l->clients)
        client_die(l->clients);
}
