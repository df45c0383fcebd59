#include "cli/client.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    REPLY_MAX = 16 << 20, /* four times the daemon's output limit: longer is not our daemon */
    READ_SIZE = 64 << 10,
    CONNECT_TRIES = 100, /* 10 ms apart, while the daemon's backlog is full */
};

struct client {
    int fd;
    struct um_frame_in in;
};

void client_reply_done(struct client_reply *r)
{
    json_decref(r->params);
    *r = CLIENT_REPLY_INIT;
}

enum um_code client_connect(const char *path, struct client **ret, struct um_error *err)
{
    enum um_code code = UM_E_UNREACHABLE;
    struct client *c;
    int fd = -1;

    for (int i = 0; i < CONNECT_TRIES; i++) {
        code = um_unix_connect(path, SOCK_STREAM, &fd, err);
        if (code != UM_E_NO_RESOURCES) /* EAGAIN: the backlog is full */
            break;
        poll(NULL, 0, 10);
    }
    if (code == UM_E_INVALID || code == UM_E_DENIED)
        return code;
    if (code) {
        um_fail(err, UM_E_UNREACHABLE, NULL, NULL, "no daemon answers at %s", path);
        return um_hint(err, "is umld running?");
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->fd = fd;
    um_frame_init(&c->in, REPLY_MAX);
    c->in.mode = UM_FRAME_NUL;
    *ret = c;
    return UM_OK;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    um_fd_close(&c->fd);
    um_frame_done(&c->in);
    free(c);
}

enum um_code client_too_late(struct um_error *err)
{
    um_fail(err, UM_E_TIMEOUT, NULL, NULL, "the daemon did not answer in time");
    return um_hint(err, "what was asked for may still happen; --timeout waits longer");
}

int client_fd(const struct client *c)
{
    return c->fd;
}

static enum um_code wait_for(const struct client *c, short events, int64_t deadline_ns,
                             struct um_error *err)
{
    struct pollfd p = {.fd = c->fd, .events = events};

    for (;;) {
        int64_t left = deadline_ns == CLIENT_FOREVER ? 0 : deadline_ns - um_clock_mono_ns();
        int ms = -1;
        int n;

        if (deadline_ns != CLIENT_FOREVER) {
            if (left <= 0)
                break;
            ms = left > INT64_C(1000000000) * UM_MS_NS ? 1000000000
                                                       : (int)((left + UM_MS_NS - 1) / UM_MS_NS);
        }
        n = poll(&p, 1, ms);
        if (n > 0)
            return UM_OK;
        if (n < 0 && errno != EINTR)
            return um_fail_errno(err, errno, NULL, "cannot wait for the daemon");
    }
    return client_too_late(err);
}

enum um_code client_send(struct client *c, const char *method, json_t *params, unsigned flags,
                         int64_t deadline_ns, struct um_error *err)
{
    json_t *call = json_object();
    enum um_code code = UM_OK;
    size_t len, sent = 0;
    char *text;

    json_object_set_new(call, "method", json_string(method));
    json_object_set_new(call, "parameters", params ? params : json_object());
    if (flags & CLIENT_MORE)
        json_object_set_new(call, "more", json_true());
    if (flags & CLIENT_UPGRADE)
        json_object_set_new(call, "upgrade", json_true());
    text = json_dumps(call, JSON_COMPACT);
    json_decref(call);
    if (!text)
        return um_fail(err, UM_E_INVALID, NULL, NULL, "the request is not valid UTF-8 text");
    len = strlen(text) + 1;
    while (sent < len && !code) {
        ssize_t n = send(c->fd, text + sent, len - sent, MSG_NOSIGNAL);

        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN)
            code = wait_for(c, POLLOUT, deadline_ns, err);
        else if (errno == EPIPE || errno == ECONNRESET)
            break; /* it may have said why before hanging up: client_receive() tells */
        else if (errno != EINTR)
            code = um_fail_errno(err, errno, NULL, "cannot write to the daemon");
    }
    free(text);
    return code;
}

static void copy_text(char *dst, size_t size, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    if (s)
        snprintf(dst, size, "%s", s);
}

/* Errors every Varlink service may send have other parameters than ours. */
static void standard_error(struct client_reply *r, const char *name)
{
    static const struct {
        const char *name;
        enum um_code code;
        const char *parameter;
        const char *message; /* followed by the parameter's value, if there is one */
    } rows[] = {
        {"InvalidParameter", UM_E_INVALID, "parameter", "not a valid value for this parameter"},
        {"MethodNotFound", UM_E_UNSUPPORTED, "method", "the daemon has no such method"},
        {"MethodNotImplemented", UM_E_UNSUPPORTED, "method", "the daemon lacks this method"},
        {"InterfaceNotFound", UM_E_UNSUPPORTED, "interface", "the daemon has no such interface"},
        {"ExpectedMore", UM_E_INVALID, NULL, "this method gives several replies: add --more"},
        {"PermissionDenied", UM_E_DENIED, NULL, "permission denied"},
    };
    struct um_error *e = &r->error;

    e->code = UM_E_INTERNAL;
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        const char *what = rows[i].parameter ? rows[i].parameter : "";

        if (strcmp(rows[i].name, name) != 0)
            continue;
        what = json_string_value(json_object_get(r->params, what));
        e->code = rows[i].code;
        if (what && !e->field[0])
            snprintf(e->field, sizeof(e->field), "%s", what);
        /* A message about a parameter must say which one. The method is the user's own word. */
        if (what && e->message[0] && !strstr(e->message, what) &&
            (!e->object[0] || um_str_starts(e->object, "io.umld.")))
            snprintf(e->object, sizeof(e->object), "parameter \"%.60s\"", what);
        if (!e->message[0])
            snprintf(e->message, sizeof(e->message), "%s%s%s", rows[i].message, what ? ": " : "",
                     what ? what : "");
    }
}

static void decode_error(struct client_reply *r)
{
    struct um_error *e = &r->error;
    const char *name = strrchr(r->wire, '.');

    name = name ? name + 1 : r->wire;
    copy_text(e->object, sizeof(e->object), r->params, "object");
    copy_text(e->field, sizeof(e->field), r->params, "field");
    copy_text(e->message, sizeof(e->message), r->params, "message");
    copy_text(e->hint, sizeof(e->hint), r->params, "hint");
    e->retryable = json_is_true(json_object_get(r->params, "retryable"));
    if (um_str_starts(r->wire, "org.varlink.service."))
        standard_error(r, name);
    else
        e->code = um_code_from_wire(name);
    if (e->code == UM_OK)
        e->code = UM_E_INTERNAL;
    if (!e->message[0])
        snprintf(e->message, sizeof(e->message), "the daemon answered %s", r->wire);
}

static enum um_code decode(const char *text, size_t len, struct client_reply *r)
{
    json_t *reply = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    json_t *error = json_object_get(reply, "error");
    json_t *params = json_object_get(reply, "parameters");

    if (!json_is_object(reply) || (error && !json_is_string(error)) ||
        (params && !json_is_object(params))) {
        json_decref(reply);
        um_fail(&r->error, UM_E_INTERNAL, NULL, NULL, "the daemon's answer cannot be understood");
        return um_hint(&r->error, "is something else listening on that socket?");
    }
    r->params = params ? json_incref(params) : json_object();
    r->continues = json_is_true(json_object_get(reply, "continues"));
    if (error) {
        snprintf(r->wire, sizeof(r->wire), "%s", json_string_value(error));
        decode_error(r);
    }
    json_decref(reply);
    return r->error.code;
}

/* More bytes from the daemon into c->in. *ret_more: there were some; else, without an error, not
 * yet. */
static enum um_code read_some(struct client *c, bool *ret_more, struct um_error *err)
{
    char data[READ_SIZE];
    ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

    *ret_more = n > 0;
    if (n > 0) {
        if (!um_frame_feed(&c->in, data, (size_t)n))
            abort();
        return UM_OK;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return UM_OK;
    if (n < 0 && errno != ECONNRESET)
        return um_fail_errno(err, errno, NULL, "cannot read from the daemon");
    um_fail(err, UM_E_UNREACHABLE, NULL, NULL, "the daemon closed the connection");
    return um_hint(err, "it may be restarting; its log says more");
}

bool client_try(struct client *c, struct client_reply *ret)
{
    const char *text;
    bool more = true;
    size_t len;

    client_reply_done(ret);
    while (more) {
        switch (um_frame_next(&c->in, &text, &len)) {
        case UM_FRAME_READY:
            decode(text, len, ret);
            return true;
        case UM_FRAME_TOO_LONG:
            um_fail(&ret->error, UM_E_INTERNAL, NULL, NULL,
                    "the daemon's answer is longer than %d bytes", REPLY_MAX);
            return true;
        case UM_FRAME_NONE:
            break;
        }
        if (read_some(c, &more, &ret->error))
            return true;
    }
    return false;
}

enum um_code client_receive(struct client *c, int64_t deadline_ns, struct client_reply *ret)
{
    while (!client_try(c, ret))
        if (wait_for(c, POLLIN, deadline_ns, &ret->error))
            break;
    return ret->error.code;
}

int client_take(struct client *c, struct um_buf *ret_rest)
{
    const char *rest;
    size_t len = um_frame_rest(&c->in, &rest);
    int fd = c->fd;

    um_buf_append(ret_rest, rest, len);
    c->fd = -1;
    client_free(c);
    return fd;
}
