#include "tests/umld/server/fixture.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

struct fixture fixture;

static void call_gone(uint64_t call_id, um_unused void *arg)
{
    ck_assert_ptr_null(api_call_find(fixture.server, call_id));
    fixture.gone = call_id;
}

void api_guest_start(um_unused struct umld *umld, struct api_call *call,
                     um_unused const json_t *params)
{
    ck_assert_int_lt(fixture.handled, (int)UM_ARRAY_LEN(fixture.started));
    fixture.started[fixture.handled++] = api_call_id(call);
    api_call_on_gone(call, call_gone, NULL);
}

void api_guest_resume(um_unused struct umld *umld, struct api_call *call,
                      um_unused const json_t *params)
{
    fixture.handled++;
    api_reply(call, json_pack("{s:b, s:s}", "changed", 1, "state", "running"));
}

static void stream(struct api_call *call, um_unused void *arg)
{
    char text[4096] = "";

    memset(text, 'x', fixture.stream_bytes);
    while (fixture.stream_sent < fixture.stream_count) {
        json_t *reply =
            json_pack("{s:{s:i, s:s, s:s, s:s, s:{}}}", "event", "seq", fixture.stream_sent, "time",
                      "t", "type", "e", "object", text, "data");

        if (!api_reply_continue(call, reply)) {
            fixture.stream_stalls++;
            return;
        }
        fixture.stream_sent++;
    }
    api_reply(call, NULL);
}

void api_server_subscribe(um_unused struct umld *umld, struct api_call *call,
                          um_unused const json_t *params)
{
    api_call_on_drain(call, stream, NULL);
    api_call_on_gone(call, call_gone, NULL);
    stream(call, NULL);
}

void api_console_attach(um_unused struct umld *umld, struct api_call *call,
                        um_unused const json_t *params)
{
    struct api_upgrade up;

    fixture.handled++;
    if (!api_upgrade_offer(call, json_pack("{s:s, s:i}", "device", "con0", "boot", 1), &up))
        return;
    fixture.offered = api_call_id(call);
    fixture.taken = dup(up.fd);
    snprintf(fixture.greeting, sizeof(fixture.greeting), "%s", up.reply.data);
    snprintf(fixture.rest, sizeof(fixture.rest), "%.*s", (int)up.rest_len, up.rest);
    um_buf_done(&up.reply);
}

static enum api_role give_role(um_unused struct umld *umld, um_unused uid_t uid,
                               um_unused const struct api_method *method,
                               um_unused const json_t *params)
{
    return fixture.role;
}

static bool after(void *arg)
{
    fixture.after_rounds++;
    return api_server_after(arg);
}

static void stop(um_unused void *arg)
{
    um_loop_stop(fixture.loop);
}

/* The time may be over before the loop begins; from request to answer takes fewer rounds. */
enum { PUMP_ROUNDS = 8 };

void fixture_pump(int ms)
{
    struct um_timer *timer = um_timer_new(fixture.loop, stop, NULL);

    um_timer_arm(timer, ms * UM_MS_NS);
    um_loop_run(fixture.loop);
    for (int i = 0; i < PUMP_ROUNDS; i++) {
        um_timer_arm(timer, 0);
        um_loop_run(fixture.loop);
    }
    um_timer_free(timer);
}

void fixture_start(const struct api_server_limits *limits)
{
    struct um_error err;
    int fd = -1;

    setenv("UMLD_CHECK_REPLIES", "1", 1);
    fixture.role = API_ROLE_ADMIN;
    fixture.taken = -1;
    snprintf(fixture.path, sizeof(fixture.path), "/tmp/umld-test-%d", (int)getpid());
    ck_assert_int_eq(um_unix_listen(fixture.path, SOCK_STREAM, 0600, &fd, &err), UM_OK);
    fixture.loop = um_loop_new();
    fixture.server = api_server_new(fixture.loop, NULL, fd,
                                    limits ? limits : &api_server_default_limits, give_role);
    ck_assert_ptr_nonnull(fixture.server);
    ck_assert(um_loop_add_after(fixture.loop, after, fixture.server));
}

void fixture_stop(void)
{
    api_server_free(fixture.server);
    um_loop_free(fixture.loop);
    um_fd_close(&fixture.taken);
    unlink(fixture.path);
}

void fixture_answer(uint64_t id, const char *state)
{
    struct api_call *call = api_call_find(fixture.server, id);

    ck_assert_ptr_nonnull(call);
    api_reply(call, json_pack("{s:b, s:s, s:b}", "changed", 1, "state", state, "ready", 0));
    ck_assert_ptr_null(api_call_find(fixture.server, id));
}

struct client client_new(void)
{
    struct client c = {.fd = -1};
    struct um_error err;

    ck_assert_int_eq(um_unix_connect(fixture.path, SOCK_STREAM, &c.fd, &err), UM_OK);
    return c;
}

void client_send(struct client *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            fixture_pump(1);
            continue;
        }
        if (n < 0)
            return; /* refused: the reply tells why */
        data += n;
        len -= (size_t)n;
    }
}

void client_call(struct client *c, const char *text)
{
    client_send(c, text, strlen(text) + 1);
}

/* 1: something came, 0: nothing, -1: the end. */
static int take_input(struct client *c)
{
    char buf[65536];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n > 0)
        um_buf_append(&c->in, buf, (size_t)n);
    return n > 0 ? 1 : (n < 0 && errno == EAGAIN ? 0 : -1);
}

#define WAIT_LIMIT (20 * UM_SEC_NS)

json_t *client_next(struct client *c)
{
    int64_t deadline = um_clock_mono_ns() + WAIT_LIMIT;
    json_error_t err;

    while (um_clock_mono_ns() < deadline) {
        char *end = c->in.len ? memchr(c->in.data, c->end, c->in.len) : NULL;

        if (end) {
            size_t len = (size_t)(end - c->in.data);
            json_t *message = json_loadb(c->in.data, len, 0, &err);

            ck_assert_msg(message != NULL, "reply is not JSON: %.*s", (int)len, c->in.data);
            um_buf_consume(&c->in, len + 1);
            return message;
        }
        if (take_input(c) < 0)
            return NULL;
        if (!c->in.len || !memchr(c->in.data, c->end, c->in.len))
            fixture_pump(1);
    }
    return NULL;
}

void expect_equal(json_t *got, const char *want)
{
    json_t *expected = json_loads(want, 0, NULL);
    char *text = got ? json_dumps(got, JSON_COMPACT) : NULL;

    ck_assert_ptr_nonnull(expected);
    ck_assert_msg(json_equal(got, expected), "got %s, wanted %s", text ? text : "nothing", want);
    free(text);
    json_decref(got);
    json_decref(expected);
}

void client_expect(struct client *c, const char *json)
{
    expect_equal(client_next(c), json);
}

void client_expect_error(struct client *c, const char *error, const char *field)
{
    json_t *got = client_next(c), *params;

    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(json_string_value(json_object_get(got, "error")), error);
    params = json_object_get(got, "parameters");
    ck_assert(json_string_length(json_object_get(params, "message")) > 0);
    ck_assert(json_is_boolean(json_object_get(params, "retryable")));
    ck_assert(json_is_array(json_object_get(params, "more")));
    if (field)
        ck_assert_str_eq(json_string_value(json_object_get(params, "field")), field);
    json_decref(got);
}

void client_expect_end(struct client *c)
{
    int64_t deadline = um_clock_mono_ns() + WAIT_LIMIT;

    while (um_clock_mono_ns() < deadline) {
        int r = take_input(c);

        if (r < 0) {
            ck_assert_uint_eq(c->in.len, 0);
            return;
        }
        fixture_pump(1);
    }
    ck_abort_msg("the connection was not closed");
}

void client_expect_silence(struct client *c, int ms)
{
    fixture_pump(ms);
    ck_assert_int_eq(take_input(c), 0);
    ck_assert_uint_eq(c->in.len, 0);
}

void client_done(struct client *c)
{
    um_fd_close(&c->fd);
    um_buf_done(&c->in);
}

json_t *fixture_execute(const char *text, size_t len)
{
    struct um_buf out = UM_BUF_INIT;
    json_t *message = NULL;

    api_server_execute(fixture.server, text, len, 1000, &out);
    api_server_after(fixture.server);
    if (out.len) {
        ck_assert_int_eq(out.data[out.len - 1], 0);
        message = json_loads(out.data, 0, NULL);
        ck_assert_ptr_nonnull(message);
    }
    um_buf_done(&out);
    return message;
}
