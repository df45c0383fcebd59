#include "lane_fixture.h"

#include "vmcore/base/fd.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lane_fixture fx;

bool server_send_to(const struct sockaddr_un *to, const void *data, size_t len)
{
    return sendto(fx.server, data, len, MSG_DONTWAIT, (const struct sockaddr *)to, fx.from_len) ==
           (ssize_t)len;
}

bool server_reply(int32_t err, bool more, const char *text)
{
    struct mconsole_reply reply = {.err = err, .more = more, .len = (uint32_t)strlen(text) + 1};

    memcpy(reply.data, text, strlen(text));
    return server_send_to(&fx.from, &reply, 12 + reply.len);
}

static void on_request(int fd, um_unused unsigned ready, um_unused void *arg)
{
    struct mconsole_request r;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {&r, sizeof(r)};
    struct msghdr message = {.msg_name = &fx.from,
                             .msg_namelen = sizeof(fx.from),
                             .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    memset(&fx.from, 0, sizeof(fx.from));
    memset(&r, 0, sizeof(r));
    if (recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 12)
        return;
    fx.from_len = message.msg_namelen;
    if (message.msg_controllen > 0)
        memcpy(&fx.received_fd, CMSG_DATA(&control.header), sizeof(int));
    ck_assert_uint_eq(r.magic, MCONSOLE_MAGIC);
    snprintf(fx.last, sizeof(fx.last), "%.*s", (int)r.len, r.data);
    snprintf(fx.received + strlen(fx.received), sizeof(fx.received) - strlen(fx.received), "%s ",
             fx.last);
    if (++fx.requests >= fx.want_requests && fx.want_requests > 0)
        um_loop_stop(fx.loop);
    if (!fx.hold)
        server_reply(0, false, fx.last);
}

void server_open(void)
{
    struct um_error err = UM_ERROR_INIT;

    ck_assert_msg(um_unix_listen(fx.target, SOCK_DGRAM, 0700, &fx.server, &err) == UM_OK, "%s",
                  err.message);
    fx.server_watch = um_watch_new(fx.loop, fx.server, UM_READ, on_request, NULL);
    ck_assert_ptr_nonnull(fx.server_watch);
}

void server_close(void)
{
    um_watch_free(fx.server_watch);
    fx.server_watch = NULL;
    um_fd_close(&fx.server);
}

void fixture_setup(void)
{
    memset(&fx, 0, sizeof(fx));
    snprintf(fx.dir, sizeof(fx.dir), "/tmp/mcXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fx.dir));
    snprintf(fx.target, sizeof(fx.target), "%s/mconsole", fx.dir);
    fx.loop = um_loop_new();
    ck_assert_ptr_nonnull(fx.loop);
    server_open();
    fx.received_fd = -1;
    fx.lane = mconsole_lane_new(fx.loop, fx.dir, "q", fx.target);
    ck_assert_ptr_nonnull(fx.lane);
}

void fixture_teardown(void)
{
    mconsole_lane_free(fx.lane);
    server_close();
    um_fd_close(&fx.received_fd);
    um_loop_free(fx.loop);
    ck_assert(um_remove_tree(fx.dir));
}

void on_done(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    struct outcome *o = &fx.outcomes[fx.done];

    ck_assert(!fx.in_send);
    ck_assert_int_lt(fx.done, OUTCOME_MAX);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(text[len], '\0');
    *o = (struct outcome){.code = code, .status = status, .len = len, .tag = arg};
    snprintf(o->text, sizeof(o->text), "%s", text);
    fx.done++;
    if (fx.want_done > 0 && fx.done >= fx.want_done)
        um_loop_stop(fx.loop);
    if (fx.send_more) {
        const char *command = fx.send_more;

        fx.send_more = NULL;
        send_ok(command, 15000, 0);
    }
    if (fx.free_lane) {
        fx.free_lane = false;
        mconsole_lane_free(fx.lane);
        fx.lane = NULL;
    }
}

void send_ok(const char *command, int timeout_ms, unsigned flags)
{
    struct um_error err = UM_ERROR_INIT;

    fx.in_send = true;
    ck_assert_msg(mconsole_lane_send(fx.lane, command, timeout_ms, flags, on_done,
                                     (void *)(uintptr_t)command, &err) == UM_OK,
                  "%s", err.message);
    fx.in_send = false;
}

void run_until_done(int count)
{
    fx.want_done = count;
    if (fx.done < count)
        um_loop_run(fx.loop);
    fx.want_done = 0;
}

void run_until_requests(int count)
{
    fx.want_requests = count;
    if (fx.requests < count)
        um_loop_run(fx.loop);
    fx.want_requests = 0;
}
