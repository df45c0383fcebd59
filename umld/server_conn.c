/*
 * One connection: bytes in, bytes out, when to read, when it ends.
 *
 * A client may send its requests, close its sending side and wait for the answers (`printf … |
 * socat - UNIX:…`), so end of file alone does not mean that it is gone. It is gone when both sides
 * are closed, which poll(2) tells as POLLHUP; where reading pauses, the tick looks for that.
 */
#include "umld/server_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 65536, OUT_COMPACT = 262144 };

static void read_ready(struct server_conn *conn);

static void ready(um_unused int fd, unsigned directions, void *arg)
{
    struct server_conn *conn = arg;

    if (conn->dead)
        return;
    if (directions & UM_READ)
        read_ready(conn);
    if (!conn->dead)
        server_conn_dirty(conn);
}

struct server_conn *server_conn_new(struct api_server *server, int fd, uid_t uid)
{
    struct server_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->server = server;
    conn->uid = uid;
    um_frame_init(&conn->in, server->limits.request_bytes);
    conn->watch = um_watch_new(server->loop, fd, UM_READ, ready, conn);
    if (!conn->watch) {
        free(conn);
        return NULL;
    }
    conn->fd = fd;
    return conn;
}

void server_conn_free(struct server_conn *conn)
{
    if (!conn)
        return;
    um_frame_done(&conn->in);
    um_buf_done(&conn->out);
    free(conn);
}

void server_conn_dirty(struct server_conn *conn)
{
    if (conn->dirty || conn->fd < 0)
        return;
    conn->dirty = true;
    conn->next_dirty = conn->server->dirty;
    conn->server->dirty = conn;
}

size_t server_conn_unsent(const struct server_conn *conn)
{
    return conn->out.len - conn->out_start;
}

void server_conn_close(struct server_conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = true;
    um_watch_free(conn->watch);
    conn->watch = NULL;
    um_fd_close(&conn->fd);
    server_forget_conn(conn);
}

void server_conn_vanish(struct server_conn *conn)
{
    struct api_call *call = conn->call;

    if (call && !server_repeat_detach(call)) {
        server_call_end(call);
        /* A oneway caller need not stay: its call goes on. */
        if (call->gone && !call->oneway)
            call->gone(call->id, call->gone_arg);
    }
    server_conn_close(conn);
}

static bool hung_up(const struct server_conn *conn)
{
    struct pollfd p = {.fd = conn->fd};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static size_t count_byte(const char *data, size_t len, char byte)
{
    size_t count = 0;

    for (const char *end = data + len; (data = memchr(data, byte, (size_t)(end - data))); data++)
        count++;
    return count;
}

/* The rest of the stream cannot be understood: answer, then close. */
static void give_up(struct server_conn *conn, struct um_error *err)
{
    server_send_errors(conn, NULL, "request", NULL, err, 1, 1);
    conn->closing = true;
    server_conn_dirty(conn);
}

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r") == len;
}

/* Requests are taken out only while none is under way. True if one was run. */
static bool run_waiting(struct server_conn *conn)
{
    struct um_error err;
    bool ran = false;

    while (!conn->call && !conn->closing && !conn->dead &&
           server_conn_unsent(conn) < conn->server->limits.output_bytes) {
        bool undecided = conn->in.mode == UM_FRAME_UNDECIDED;
        const char *text, *rest;
        size_t len, rest_len;

        switch (um_frame_next(&conn->in, &text, &len)) {
        case UM_FRAME_NONE:
            return ran;
        case UM_FRAME_TOO_LONG:
            um_fail(&err, UM_E_INVALID, "request", NULL,
                    "longer than %zu bytes, the limit of one request", conn->in.max);
            give_up(conn, &err);
            return ran;
        default:
            break;
        }
        rest_len = um_frame_rest(&conn->in, &rest);
        if (undecided)
            conn->waiting = count_byte(rest, rest_len, um_frame_terminator(conn->in.mode));
        else
            conn->waiting--;
        conn->partial_since = 0;
        if (conn->in.mode == UM_FRAME_LINE && is_blank(text, len))
            continue;
        server_request(conn, text, len);
        ran = true;
    }
    return ran;
}

static void read_ready(struct server_conn *conn)
{
    static char buf[READ_SIZE];
    ssize_t n = recv(conn->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (n == 0 && hung_up(conn))) {
        server_conn_vanish(conn);
        return;
    }
    if (n == 0) {
        conn->eof = true;
        return;
    }
    if (!um_frame_feed(&conn->in, buf, (size_t)n)) {
        um_log(UM_LOG_ERROR, "server: out of memory, closing a connection of uid %u",
               (unsigned)conn->uid);
        server_conn_vanish(conn);
        return;
    }
    if (conn->in.mode != UM_FRAME_UNDECIDED)
        conn->waiting += count_byte(buf, (size_t)n, um_frame_terminator(conn->in.mode));
    run_waiting(conn);
}

/* False: the client is gone. */
static bool flush(struct server_conn *conn)
{
    while (server_conn_unsent(conn) > 0) {
        ssize_t n = send(conn->fd, conn->out.data + conn->out_start, server_conn_unsent(conn),
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        conn->out_start += (size_t)n;
    }
    return true;
}

void server_conn_send_now(struct server_conn *conn)
{
    /* An error is met again, and dealt with, when the connection has its turn. */
    if (!conn->dead && conn->fd >= 0 && !conn->out.failed)
        (void)flush(conn);
}

static void compact(struct server_conn *conn)
{
    if (server_conn_unsent(conn) && conn->out_start < OUT_COMPACT)
        return;
    um_buf_consume(&conn->out, conn->out_start);
    conn->out_start = 0;
    if (!conn->out.len && conn->out.cap > OUT_COMPACT)
        um_buf_done(&conn->out); /* one large reply should not hold memory for ever */
}

static bool wants_input(const struct server_conn *conn)
{
    const struct api_server_limits *limits = &conn->server->limits;
    const char *rest;

    if (conn->eof || conn->closing || server_conn_unsent(conn) >= limits->output_bytes)
        return false;
    if (!conn->call)
        return true;
    return !conn->call->upgrade && conn->waiting < (size_t)limits->calls_per_connection &&
           um_frame_rest(&conn->in, &rest) <= limits->request_bytes;
}

/* What to wait for now that everything possible is done. */
static void set_interest(struct server_conn *conn)
{
    bool input = wants_input(conn);
    const char *rest;

    um_watch_set(conn->watch, (input ? UM_READ : 0u) | (server_conn_unsent(conn) ? UM_WRITE : 0u));
    if (!input || conn->call || !um_frame_rest(&conn->in, &rest))
        conn->partial_since = 0;
    else if (!conn->partial_since)
        conn->partial_since = um_clock_mono_ns();
    if (conn->partial_since || !input)
        server_need_tick(conn->server);
}

static bool drain(struct server_conn *conn)
{
    struct api_call *call = conn->call;

    if (!call || !call->stalled || !call->drain || server_conn_unsent(conn) > SERVER_STREAM_LOW)
        return false;
    call->stalled = false;
    call->drain(call, call->drain_arg);
    return true;
}

bool server_conn_after(struct server_conn *conn)
{
    bool ran;

    if (conn->dead)
        return false;
    if (conn->out.failed || !flush(conn)) {
        server_conn_vanish(conn);
        return true;
    }
    compact(conn);
    ran = drain(conn);
    if (!conn->dead && conn->call && conn->call->held && !server_conn_unsent(conn)) {
        server_run_held(conn->call);
        ran = true;
    }
    ran = run_waiting(conn) || ran;
    if (conn->dead)
        return ran;
    if (!server_conn_unsent(conn) && (conn->closing || (conn->eof && !conn->call)))
        server_conn_close(conn);
    else
        set_interest(conn);
    if (ran && !conn->dead)
        server_conn_dirty(conn);
    return ran;
}

bool server_conn_tick(struct server_conn *conn, int64_t now)
{
    struct um_error err;

    if (conn->partial_since && now - conn->partial_since >= conn->server->limits.half_request_ns) {
        conn->partial_since = 0;
        um_fail(&err, UM_E_TIMEOUT, "request", NULL, "the rest of it did not come in time");
        um_hint(&err, "end each request with a NUL byte or, in line mode, a line feed");
        give_up(conn, &err);
        return true;
    }
    if (!wants_input(conn) && hung_up(conn)) {
        server_conn_vanish(conn);
        return false;
    }
    return conn->partial_since || !wants_input(conn);
}
