#include "umld/server.h"

#include "umld/server_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const struct api_server_limits api_server_default_limits = {
    .request_bytes = 1 << 20,
    .json_depth = 32,
    .connections = 256,
    .connections_per_uid = 64,
    .calls_per_connection = 64,
    .output_bytes = 4 << 20,
    .half_request_ns = 30 * UM_SEC_NS,
};

#define ACCEPT_RETRY_NS (200 * UM_MS_NS)
#define TICK_NS         (250 * UM_MS_NS)

enum { ACCEPT_BATCH = 16 };

static void pause_accepting(struct api_server *server, int errnum)
{
    if (!um_timer_armed(server->accept_timer))
        um_log(UM_LOG_WARNING, "server: cannot accept connections: %s; trying again",
               strerror(errnum));
    um_watch_set(server->accept_watch, 0);
    um_timer_arm(server->accept_timer, ACCEPT_RETRY_NS);
}

static void resume_accepting(void *arg)
{
    struct api_server *server = arg;

    um_timer_disarm(server->accept_timer);
    um_watch_set(server->accept_watch, UM_READ);
}

static int connections_of(const struct api_server *server, uid_t uid)
{
    int count = 0;

    for (const struct server_conn *c = server->conns; c; c = c->next)
        count += c->uid == uid;
    return count;
}

/* Answered without becoming a connection, so that a flood cannot occupy anything. */
static void refuse(int fd, int limit, const char *whose)
{
    struct server_conn conn = {.fd = -1, .in.mode = UM_FRAME_NUL};
    struct um_error err;

    um_fail(&err, UM_E_BUSY, "server", NULL, "the limit of %d connections%s is reached", limit,
            whose);
    um_hint(&err, "close connections that are not in use, or try again later");
    server_send_errors(&conn, NULL, "server", NULL, &err, 1, 1);
    if (conn.out.len && send(fd, conn.out.data, conn.out.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        um_log(UM_LOG_DEBUG, "server: a refused client did not wait for the reason");
    um_buf_done(&conn.out);
    close(fd);
}

static void take_connection(struct api_server *server, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    struct server_conn *conn;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
        close(fd);
        return;
    }
    if (server->count >= server->limits.connections) {
        refuse(fd, server->limits.connections, "");
        return;
    }
    if (connections_of(server, cred.uid) >= server->limits.connections_per_uid) {
        refuse(fd, server->limits.connections_per_uid, " per user");
        return;
    }
    conn = server_conn_new(server, fd, cred.uid);
    if (!conn) {
        close(fd);
        return;
    }
    conn->next = server->conns;
    server->conns = conn;
    server->count++;
}

static void accept_ready(int listen_fd, um_unused unsigned ready, void *arg)
{
    struct api_server *server = arg;

    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            take_connection(server, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(server, errno);
        if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
}

static void tick(void *arg)
{
    struct api_server *server = arg;
    int64_t now = um_clock_mono_ns();
    struct server_conn *next;
    bool again = false;

    for (struct server_conn *c = server->conns; c; c = next) {
        next = c->next; /* c may be closed */
        again = server_conn_tick(c, now) || again;
    }
    if (again)
        server_need_tick(server);
}

void server_need_tick(struct api_server *server)
{
    int64_t delay = server->limits.half_request_ns / 4;

    if (!um_timer_armed(server->tick_timer))
        um_timer_arm(server->tick_timer, delay < TICK_NS ? delay : TICK_NS);
}

void server_forget_conn(struct server_conn *conn)
{
    struct api_server *server = conn->server;
    struct server_conn **at = &server->conns;

    while (*at && *at != conn)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = conn->next;
    conn->next = server->dead;
    server->dead = conn;
    server->count--;
    if (um_timer_armed(server->accept_timer))
        resume_accepting(server);
}

struct api_server *api_server_new(struct um_loop *loop, struct umld *umld, int listen_fd,
                                  const struct api_server_limits *limits, api_role_fn role)
{
    struct api_server *server = calloc(1, sizeof(*server));

    if (!server) {
        close(listen_fd);
        return NULL;
    }
    server->loop = loop;
    server->umld = umld;
    server->limits = *limits;
    server->role = role;
    server->listen_fd = listen_fd;
#ifdef UMLD_CHECK_REPLIES
    server->check_output = true;
#else
    server->check_output = getenv("UMLD_CHECK_REPLIES") != NULL;
#endif
    server->accept_timer = um_timer_new(loop, resume_accepting, server);
    server->tick_timer = um_timer_new(loop, tick, server);
    if (um_fd_set_nonblock(listen_fd, true))
        server->accept_watch = um_watch_new(loop, listen_fd, UM_READ, accept_ready, server);
    if (!server->accept_timer || !server->tick_timer || !server->accept_watch) {
        api_server_free(server);
        return NULL;
    }
    return server;
}

void api_server_remember(struct api_server *server, const struct api_memory *memory)
{
    server->memory = memory;
}

static void free_dead(struct api_server *server)
{
    while (server->dead_calls) {
        struct api_call *call = server->dead_calls;

        server->dead_calls = call->next_dead;
        server_call_free(call);
    }
    while (server->dead) {
        struct server_conn *conn = server->dead;

        server->dead = conn->next;
        server_conn_free(conn);
    }
}

void api_server_free(struct api_server *server)
{
    if (!server)
        return;
    while (server->conns) {
        if (server->conns->call)
            server_call_end(server->conns->call);
        server_conn_close(server->conns);
    }
    while (server->detached)
        server_call_end(server->detached);
    server->dirty = NULL;
    free_dead(server);
    um_watch_free(server->accept_watch);
    um_timer_free(server->accept_timer);
    um_timer_free(server->tick_timer);
    um_fd_close(&server->listen_fd);
    free(server);
}

bool api_server_after(struct api_server *server)
{
    struct server_conn *list = server->dirty, *next;
    bool more = false;

    server->dirty = NULL;
    for (struct server_conn *c = list; c; c = next) {
        next = c->next_dirty;
        if (server->held && c->promised && !c->dead) {
            c->next_dirty = server->dirty;
            server->dirty = c;
            continue;
        }
        c->dirty = c->promised = false;
        more = server_conn_after(c) || more;
    }
    /* What ran above may have marked dead connections dirty: they go in the next round. */
    if (!server->dirty)
        free_dead(server);
    return more;
}

void api_server_hold(struct api_server *server, bool held)
{
    server->held = held;
}

int api_server_connections(const struct api_server *server)
{
    return server->count;
}
