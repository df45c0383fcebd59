/*
 * Surprise of this file: a request's end may free the lane. finish() is therefore the last thing
 * every path does, and whatever may end a request is done from a zero timer, never inside send().
 */
#include "mconsole/lane.h"

#include "mconsole/endpoint.h"
#include "mconsole/wire.h"
#include "vmcore/base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_GAP_MS = 1000, /* longest silence inside a multi-part reply */
    READ_BURST = 64     /* datagrams taken in one round: a flooding guest must not hold the loop */
};

struct request {
    struct request *next;
    mconsole_done_fn done;
    void *arg;
    int timeout_ms;
    bool peek;
    int fd;      /* goes along, or -1; not ours */
    size_t size; /* of wire, bytes to send */
    struct mconsole_request wire;
};

/* Small: there are up to three for each guest. */
struct mconsole_lane {
    struct um_loop *loop;
    const char *dir, *prefix, *target; /* in texts; dir may be NULL */
    struct mconsole_endpoint endpoint;
    struct um_watch *watch; /* on endpoint.fd, NULL when closed */
    struct um_timer *kick;  /* armed with 0: there is something to do */
    struct um_timer *limit; /* of the request in flight */
    struct request *current;
    bool sent;  /* current has left; before that, answers are not for it */
    bool lost;  /* current went to a kernel that is gone */
    bool dying; /* being freed */
    int64_t deadline_ns;
    int64_t answered_ns; /* last part of any reply */
    struct mconsole_joined joined;
    struct request *waiting;
    unsigned waiting_count;
    char texts[];
};

/* ---- the socket ---- */

static void on_ready(int fd, unsigned ready, void *arg);

static void disconnect(struct mconsole_lane *lane)
{
    um_watch_free(lane->watch);
    lane->watch = NULL;
    mconsole_endpoint_close(&lane->endpoint, lane->dir, lane->prefix);
}

static enum um_code ensure_connected(struct mconsole_lane *lane, struct um_error *err)
{
    enum um_code code;

    if (lane->watch)
        return UM_OK;
    code = mconsole_endpoint_open(&lane->endpoint, lane->dir, lane->prefix, lane->target, err);
    if (code)
        return code;
    lane->watch = um_watch_new(lane->loop, lane->endpoint.fd, UM_READ, on_ready, lane);
    if (lane->watch)
        return UM_OK;
    mconsole_endpoint_close(&lane->endpoint, lane->dir, lane->prefix);
    return um_fail(err, UM_E_NO_RESOURCES, lane->target, NULL, "out of memory");
}

static void start_soon(struct mconsole_lane *lane);

/* ---- ends of a request ---- */

/* The lane may be gone when this returns. text may live in lane->joined. */
static void finish(struct mconsole_lane *lane, enum um_code code, int32_t status, const char *text,
                   size_t len)
{
    struct request *r = lane->current;
    struct mconsole_joined joined = lane->joined;

    lane->current = NULL;
    lane->joined = (struct mconsole_joined){.max = MCONSOLE_REPLY_MAX};
    lane->sent = lane->lost = false;
    um_timer_disarm(lane->limit);
    if (lane->watch)
        um_watch_set(lane->watch, UM_READ);
    start_soon(lane);
    r->done(code, status, text, len, r->arg);
    free(r);
    um_buf_done(&joined.text);
}

static void finish_text(struct mconsole_lane *lane, enum um_code code, const char *text)
{
    finish(lane, code, 0, text, strlen(text));
}

/*
 * The conversation cannot be trusted any more: whatever still comes is for the request that ends
 * here, so the address it goes to disappears.
 */
static void um_format(3, 4)
    give_up(struct mconsole_lane *lane, enum um_code code, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    disconnect(lane);
    finish_text(lane, code, text);
}

static void on_limit(void *arg)
{
    struct mconsole_lane *lane = arg;

    if (lane->joined.parts > 0)
        give_up(lane, UM_E_UNRESPONSIVE,
                "the reply broke off after %u parts (%zu bytes); the guest's kernel drops what the "
                "client cannot take at once",
                lane->joined.parts, lane->joined.text.len);
    else
        give_up(lane, UM_E_UNRESPONSIVE, "the guest's kernel did not %s within %d ms",
                lane->sent ? "answer" : "take the command", lane->current->timeout_ms);
}

/* ---- replies ---- */

/*
 * uml(kernel): what other clients queued behind a command it does not know waits until one more
 * datagram comes (reference §2, Appendix B 8). So one more goes, a harmless one. Its answer finds
 * no address.
 */
static void wake_stalled(struct mconsole_lane *lane)
{
    struct mconsole_request r;
    size_t size = mconsole_encode_request("version", &r);

    if (!lane->watch || lane->joined.err != 1 || !lane->joined.text.data ||
        strcmp(lane->joined.text.data, "Unknown command") != 0)
        return;
    if (um_fd_send(lane->endpoint.fd, &r, size, -1)) /* else its queue is full: it is being read */
        disconnect(lane);
}

static void finish_joined(struct mconsole_lane *lane)
{
    const struct mconsole_joined *j = &lane->joined;

    wake_stalled(lane);
    finish(lane, j->err ? UM_E_GUEST_ERROR : UM_OK, j->err, j->text.data ? j->text.data : "",
           j->text.len);
}

static void wait_for_next_part(struct mconsole_lane *lane)
{
    int64_t left = lane->deadline_ns - um_clock_mono_ns();
    int64_t gap = PART_GAP_MS * UM_MS_NS;

    um_timer_arm(lane->limit, left < gap ? left : gap);
}

/* One datagram for the request in flight. True: it is still in flight. */
static bool take_part(struct mconsole_lane *lane, const void *data, size_t size)
{
    struct mconsole_reply part;
    enum mconsole_join_result result;

    lane->answered_ns = um_clock_mono_ns();
    if (!mconsole_decode_reply(data, size, &part)) {
        give_up(lane, UM_E_GUEST_ERROR, "the guest's kernel sent a malformed reply (%zu bytes)",
                size);
        return false;
    }
    result = mconsole_join(&lane->joined, &part);
    if (lane->joined.text.failed) {
        give_up(lane, UM_E_NO_RESOURCES, "out of memory for the reply");
        return false;
    }
    switch (result) {
    case MCONSOLE_JOIN_MORE:
        if (lane->current->peek) {
            disconnect(lane); /* the rest finds no address */
            break;
        }
        wait_for_next_part(lane);
        return true;
    case MCONSOLE_JOIN_TOO_LONG:
        give_up(lane, UM_E_NO_RESOURCES, "the reply is longer than %zu bytes", lane->joined.max);
        return false;
    case MCONSOLE_JOIN_DONE:
        break;
    }
    finish_joined(lane);
    return false;
}

static void read_replies(struct mconsole_lane *lane)
{
    char data[sizeof(struct mconsole_reply)];

    for (int i = 0; i < READ_BURST; i++) {
        ssize_t n = um_fd_receive(lane->endpoint.fd, data, sizeof(data), NULL, NULL);
        bool oversized = n < 0 && errno == EMSGSIZE;

        if (n < 0 && !oversized)
            return;
        if (!lane->sent)
            continue; /* nobody is waiting for it */
        if (!take_part(lane, data, oversized ? sizeof(data) + 1 : (size_t)n))
            return;
    }
}

/* ---- requests ---- */

static bool peer_is_gone(int errnum)
{
    return errnum == ECONNREFUSED || errnum == ENOTCONN || errnum == ECONNRESET;
}

/*
 * Whatever is in our queue before a request leaves answers something else. False: it does not end,
 * so the name has to go.
 */
static bool drop_unasked(struct mconsole_lane *lane)
{
    char data[1];

    for (int i = 0; i < READ_BURST; i++)
        if (um_fd_receive(lane->endpoint.fd, data, sizeof(data), NULL, NULL) < 0 &&
            errno != EMSGSIZE)
            return true;
    return false;
}

static void try_send(struct mconsole_lane *lane)
{
    struct request *r = lane->current;
    struct um_error err = UM_ERROR_INIT;
    char text[512];

    um_fail(&err, UM_E_UNRESPONSIVE, lane->target, NULL, "the kernel floods us with replies");
    /* Twice: a kernel that rebooted has a new socket behind the old name. */
    for (int attempt = 0; attempt < 2; attempt++) {
        if (ensure_connected(lane, &err) != UM_OK)
            break;
        if (!drop_unasked(lane)) {
            disconnect(lane);
            continue;
        }
        if (um_fd_send(lane->endpoint.fd, &r->wire, r->size, r->fd)) {
            lane->sent = true;
            um_watch_set(lane->watch, UM_READ);
            return;
        }
        if (errno == EAGAIN) { /* the guest's queue is full */
            um_watch_set(lane->watch, UM_READ | UM_WRITE);
            return;
        }
        if (peer_is_gone(errno)) {
            um_fail(&err, UM_E_NOT_RUNNING, lane->target, NULL, "the kernel closed its socket");
            disconnect(lane);
            continue;
        }
        um_fail_errno(&err, errno, lane->target, "cannot send");
        disconnect(lane);
        break;
    }
    finish_text(lane, err.code, um_error_text(&err, text, sizeof(text)));
}

static void take_next(struct mconsole_lane *lane)
{
    struct request *r = lane->waiting;

    lane->waiting = r->next;
    lane->waiting_count--;
    lane->current = r;
    lane->deadline_ns = um_clock_mono_ns() + r->timeout_ms * UM_MS_NS;
    um_timer_arm(lane->limit, r->timeout_ms * UM_MS_NS);
}

/*
 * Where nothing stands in the way the next request leaves at once, so that the kernel has it while
 * the loop is busy with the answer before it. All else, and every failure, is the timer's.
 */
static void start_soon(struct mconsole_lane *lane)
{
    if (lane->current || !lane->waiting)
        return;
    if (lane->watch && drop_unasked(lane)) {
        take_next(lane);
        lane->sent = um_fd_send(lane->endpoint.fd, &lane->current->wire, lane->current->size,
                                lane->current->fd);
    }
    if (!lane->sent)
        um_timer_arm(lane->kick, 0);
}

static void on_kick(void *arg)
{
    struct mconsole_lane *lane = arg;

    if (lane->lost) {
        finish_text(lane, UM_E_NOT_RUNNING, "the guest's kernel went away before it answered");
        return;
    }
    if (!lane->current && lane->waiting)
        take_next(lane);
    if (lane->current && !lane->sent)
        try_send(lane);
}

static void on_ready(um_unused int fd, unsigned ready, void *arg)
{
    struct mconsole_lane *lane = arg;

    if (ready & UM_READ)
        read_replies(lane); /* may free the lane; a pending write comes as its own event */
    else if (lane->current && !lane->sent)
        try_send(lane);
}

/* ---- interface ---- */

/* A copy at *place, which moves behind it. NULL stays NULL. */
static const char *put_text(char **place, const char *text)
{
    char *copy = *place;

    if (!text)
        return NULL;
    *place = stpcpy(copy, text) + 1;
    return copy;
}

struct mconsole_lane *mconsole_lane_new(struct um_loop *loop, const char *dir, const char *prefix,
                                        const char *target)
{
    size_t room = (dir ? strlen(dir) + 1 : 0) + strlen(prefix) + 1 + strlen(target) + 1;
    struct mconsole_lane *lane = calloc(1, sizeof(*lane) + room);
    char *place;

    if (!lane)
        return NULL;
    place = lane->texts;
    lane->loop = loop;
    lane->endpoint = MCONSOLE_ENDPOINT_INIT;
    lane->joined.max = MCONSOLE_REPLY_MAX;
    lane->dir = put_text(&place, dir);
    lane->prefix = put_text(&place, prefix);
    lane->target = put_text(&place, target);
    lane->kick = um_timer_new(loop, on_kick, lane);
    lane->limit = um_timer_new(loop, on_limit, lane);
    if (!lane->kick || !lane->limit) {
        mconsole_lane_free(lane);
        return NULL;
    }
    return lane;
}

static void cancel(struct request *r)
{
    static const char text[] = "the request was cancelled";

    r->done(UM_E_CANCELLED, 0, text, sizeof(text) - 1, r->arg);
    free(r);
}

void mconsole_lane_free(struct mconsole_lane *lane)
{
    if (!lane || lane->dying)
        return;
    lane->dying = true;
    disconnect(lane);
    um_timer_free(lane->kick);
    um_timer_free(lane->limit);
    if (lane->current)
        cancel(lane->current);
    while (lane->waiting) {
        struct request *r = lane->waiting;

        lane->waiting = r->next;
        cancel(r);
    }
    um_buf_done(&lane->joined.text);
    free(lane);
}

static void enqueue(struct mconsole_lane *lane, struct request *r, bool first)
{
    struct request **place = &lane->waiting;

    while (!first && *place)
        place = &(*place)->next;
    r->next = *place;
    *place = r;
    lane->waiting_count++;
}

static enum um_code queue(struct mconsole_lane *lane, const char *command, int fd, int timeout_ms,
                          unsigned flags, mconsole_done_fn done, void *arg, struct um_error *err)
{
    struct request *r;

    if (lane->dying || lane->waiting_count >= MCONSOLE_LANE_QUEUE_MAX)
        return um_fail(err, UM_E_BUSY, lane->target, NULL, "%u mconsole commands are waiting",
                       lane->waiting_count);
    r = calloc(1, sizeof(*r));
    if (!r)
        return um_fail(err, UM_E_BUSY, lane->target, NULL, "out of memory");
    r->size = mconsole_encode_request(command, &r->wire);
    if (r->size == 0) {
        free(r);
        return um_fail(err, UM_E_INVALID, lane->target, "command",
                       "a command has 1 to %d bytes, this one %zu", MCONSOLE_COMMAND_MAX,
                       strlen(command));
    }
    r->timeout_ms = timeout_ms > 0 ? timeout_ms : MCONSOLE_TIMEOUT_MS;
    r->peek = (flags & MCONSOLE_PEEK) != 0;
    r->fd = fd;
    r->done = done;
    r->arg = arg;
    enqueue(lane, r, (flags & MCONSOLE_FIRST) != 0);
    start_soon(lane);
    return UM_OK;
}

int64_t mconsole_lane_answered_ns(const struct mconsole_lane *lane)
{
    return lane->answered_ns;
}

enum um_code mconsole_lane_send(struct mconsole_lane *lane, const char *command, int timeout_ms,
                                unsigned flags, mconsole_done_fn done, void *arg,
                                struct um_error *err)
{
    return queue(lane, command, -1, timeout_ms, flags, done, arg, err);
}

enum um_code mconsole_lane_send_fd(struct mconsole_lane *lane, const char *command, int fd,
                                   int timeout_ms, mconsole_done_fn done, void *arg,
                                   struct um_error *err)
{
    return queue(lane, command, fd, timeout_ms, 0, done, arg, err);
}

void mconsole_lane_reset(struct mconsole_lane *lane)
{
    /* A request may already have gone to the new kernel: its socket is there before the
     * notification that leads here. Only another socket behind the name ends it. */
    if (lane->dying || mconsole_endpoint_current(&lane->endpoint, lane->target))
        return;
    disconnect(lane);
    lane->lost = lane->current && lane->sent;
    if (lane->current)
        um_timer_arm(lane->kick, 0);
}
