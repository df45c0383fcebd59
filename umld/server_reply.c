/*
 * Calls and their answers. An answer ends the call: its client's next request may run from then on,
 * and the call object stays until the after-phase because its handler may still hold it.
 */
#include "schemas/api_rows.h"
#include "umld/server_private.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_PREFIX "io.umld.Server."

uint64_t api_call_id(const struct api_call *call)
{
    return call->id;
}

uid_t api_call_uid(const struct api_call *call)
{
    return call->uid;
}

bool api_call_dry(const struct api_call *call)
{
    return call->dry;
}

enum api_role api_call_role(const struct api_call *call)
{
    return call->role;
}

bool api_call_more(const struct api_call *call)
{
    return call->more;
}

struct api_call *api_call_find(struct api_server *server, uint64_t id)
{
    for (struct server_conn *c = server->conns; c; c = c->next)
        if (c->call && c->call->id == id)
            return c->call;
    for (struct api_call *c = server->detached; c; c = c->next_detached)
        if (c->id == id)
            return c;
    return NULL;
}

void api_call_on_drain(struct api_call *call, api_drain_fn fn, void *arg)
{
    call->drain = fn;
    call->drain_arg = arg;
}

void api_call_on_gone(struct api_call *call, api_gone_fn fn, void *arg)
{
    call->gone = fn;
    call->gone_arg = arg;
}

bool server_call_stores(const struct api_call *call)
{
    return call->method->flags & API_MUTATES && !call->dry &&
           call->method->handler != api_server_shutdown;
}

void server_call_end(struct api_call *call)
{
    if (call->ended)
        return;
    call->ended = true;
    if (call->detached)
        server_repeat_forget(call);
    if (call->conn) {
        call->conn->call = NULL;
        server_conn_dirty(call->conn);
        call->conn = NULL;
    }
    call->next_dead = call->server->dead_calls;
    call->server->dead_calls = call;
}

void server_call_free(struct api_call *call)
{
    json_decref(call->request);
    free(call->key);
    free(call->digest);
    free(call);
}

static int append(const char *data, size_t len, void *arg)
{
    struct um_buf *out = arg;

    um_buf_append(out, data, len);
    return out->failed ? -1 : 0;
}

/* params is stolen. */
static void put_message(const struct server_conn *conn, struct um_buf *out, const char *error,
                        json_t *params, bool continues)
{
    json_t *message = json_object();
    const char terminator = um_frame_terminator(conn->in.mode);

    if (error)
        json_object_set_new(message, "error", json_string(error));
    json_object_set_new(message, "parameters", params ? params : json_object());
    if (continues)
        json_object_set_new(message, "continues", json_true());
    if (!message || json_dump_callback(message, append, out, JSON_COMPACT) < 0)
        out->failed = true;
    um_buf_append(out, &terminator, 1);
    json_decref(message);
}

void server_send(struct server_conn *conn, const char *error, json_t *params, bool continues)
{
    /* If it fails the connection is closed in the after-phase. */
    put_message(conn, &conn->out, error, params, continues);
    server_conn_dirty(conn);
}

/* Messages are cut to fit their arrays, perhaps within a character, which jansson refuses. */
json_t *server_json_text(const char *text)
{
    json_t *value = json_string(text);
    char copy[1024];

    if (value)
        return value;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p > 126)
            *p = '?';
    return json_string(copy);
}

static const char *wire_name(enum um_code code)
{
    /* These are made by the command line only and are in no interface. */
    if (code == UM_OK || code == UM_E_USAGE || code == UM_E_UNREACHABLE || code == UM_E_PARTLY)
        code = UM_E_INTERNAL;
    return um_code_info(code)->wire;
}

void server_send_errors(struct server_conn *conn, const char *name, const char *about,
                        json_t *extra, const struct um_error *errors, size_t count, size_t total)
{
    json_t *params = extra ? extra : json_object(), *more = json_array();
    char wire[64], text[sizeof(*errors)];

    snprintf(wire, sizeof(wire), ERROR_PREFIX "%s", wire_name(errors->code));
    json_object_set_new(params, "object",
                        server_json_text(errors->object[0] ? errors->object : about));
    json_object_set_new(params, "field", server_json_text(errors->field));
    json_object_set_new(params, "message", server_json_text(errors->message));
    json_object_set_new(params, "hint", server_json_text(errors->hint));
    json_object_set_new(params, "retryable", json_boolean(errors->retryable));
    for (size_t i = 1; i < count; i++) {
        const struct um_error *e = &errors[i];
        const char *what = e->field[0] ? e->field : e->object;

        snprintf(text, sizeof(text), "%s%s%s%s%s%s", what, what[0] ? ": " : "", e->message,
                 e->hint[0] ? " (" : "", e->hint, e->hint[0] ? ")" : "");
        json_array_append_new(more, server_json_text(text));
    }
    if (total > count) {
        snprintf(text, sizeof(text), "and %zu more", total - count);
        json_array_append_new(more, json_string(text));
    }
    json_object_set_new(params, "more", more);
    server_send(conn, name ? name : wire, params, false);
}

void server_fail_call(struct api_call *call, const char *name, json_t *extra,
                      const struct um_error *errors, size_t count, size_t total)
{
    if (!call->ended)
        server_repeat_failed(call, name, extra, errors, count, total);
    if (call->conn && !call->oneway)
        server_send_errors(call->conn, name, call->method ? call->method->name : "request", extra,
                           errors, count, total);
    else
        json_decref(extra);
    server_call_end(call);
}

void api_reply_errors(struct api_call *call, const struct um_error *errors, size_t count)
{
    server_fail_call(call, NULL, NULL, errors, count, count);
}

void api_reply_error(struct api_call *call, const struct um_error *err)
{
    server_fail_call(call, NULL, NULL, err, 1, 1);
}

/* A reply that its interface does not allow is a bug of the handler: tests must see it. */
static bool reply_fits(struct api_call *call, const json_t *params)
{
    struct api_faults faults;
    struct um_error err;

    if (!call->server->check_output || api_check_output(call->method, params, &faults))
        return true;
    um_fail(&err, UM_E_INTERNAL, call->method->name, faults.errors[0].field,
            "the reply does not match the interface: %s: %s", faults.errors[0].field,
            faults.errors[0].message);
    um_log(UM_LOG_ERROR, "server: %s: %s", call->method->name, err.message);
    api_reply_error(call, &err);
    return false;
}

void api_reply(struct api_call *call, json_t *params)
{
    if (call->ended || !reply_fits(call, params)) {
        json_decref(params);
        return;
    }
    server_repeat_replied(call, params);
    if (call->conn && !call->oneway) {
        server_send(call->conn, NULL, params, false);
        call->conn->promised = call->conn->promised || server_call_stores(call);
    } else {
        json_decref(params);
    }
    server_call_end(call);
}

/* Tests check this one's shape, too; they can afford the tree. */
static bool text_fits(struct api_call *call, const struct um_buf *params)
{
    json_t *tree;
    bool fits;

    if (!call->server->check_output)
        return true;
    tree = json_loadb(params->data, params->len, 0, NULL);
    fits = reply_fits(call, tree);
    json_decref(tree);
    return fits;
}

void api_reply_text(struct api_call *call, struct um_buf *params)
{
    struct server_conn *conn = call->conn;
    struct um_error err;
    char terminator;

    if (params->failed) {
        um_fail(&err, UM_E_NO_RESOURCES, call->method->name, NULL, "out of memory");
        api_reply_error(call, &err);
    } else if (!conn || call->oneway) {
        server_call_end(call);
    } else if (text_fits(call, params)) {
        terminator = um_frame_terminator(conn->in.mode);
        um_buf_puts(&conn->out, "{\"parameters\":");
        um_buf_append(&conn->out, params->data, params->len);
        um_buf_puts(&conn->out, "}");
        um_buf_append(&conn->out, &terminator, 1);
        server_conn_dirty(conn);
        server_call_end(call);
    }
    um_buf_done(params);
}

bool api_reply_continue(struct api_call *call, json_t *params)
{
    if (!call->conn || !call->more) {
        json_decref(params);
        return true;
    }
    if (server_conn_unsent(call->conn) > SERVER_STREAM_HIGH) {
        json_decref(params);
        call->stalled = true;
        return false;
    }
    if (reply_fits(call, params)) {
        server_send(call->conn, NULL, params, true);
        call->conn->promised = call->conn->promised || server_call_stores(call);
    } else {
        json_decref(params);
    }
    return true;
}

void api_call_send_now(struct api_call *call)
{
    if (call->conn)
        server_conn_send_now(call->conn);
}

static void refuse_upgrade(struct api_call *call, json_t *params)
{
    struct um_error err;

    json_decref(params);
    um_fail(&err, UM_E_INVALID, call->method->name, "upgrade",
            "the connection becomes a raw stream, which this call did not ask for");
    um_hint(&err, "send \"upgrade\": true with the request");
    api_reply_error(call, &err);
}

bool api_upgrade_offer(struct api_call *call, json_t *params, struct api_upgrade *ret)
{
    struct server_conn *conn = call->conn;
    struct um_error err;

    if (!conn || !call->upgrade || conn->fd < 0) {
        refuse_upgrade(call, params);
        return false;
    }
    if (!reply_fits(call, params)) {
        json_decref(params);
        return false;
    }
    *ret = (struct api_upgrade){.fd = conn->fd};
    put_message(conn, &ret->reply, NULL, params, false);
    if (ret->reply.failed) {
        um_buf_done(&ret->reply);
        um_fail(&err, UM_E_NO_RESOURCES, call->method->name, NULL, "out of memory");
        api_reply_error(call, &err);
        return false;
    }
    ret->rest_len = um_frame_rest(&conn->in, &ret->rest);
    return true;
}

void api_upgrade_taken(struct api_call *call)
{
    struct server_conn *conn = call->conn;

    server_call_end(call);
    if (conn)
        server_conn_close(conn);
}
