/*
 * From the text of a request to its handler: parse, look up, check, authorise. Each step answers
 * its own faults.
 */
#include "umld/server_private.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE "org.varlink.service."

static const char *const role_names[] = {
    [API_ROLE_NONE] = "none",
    [API_ROLE_VIEWER] = "viewer",
    [API_ROLE_OWNER] = "owner",
    [API_ROLE_ADMIN] = "admin",
};

/* jansson recurses for each level, up to 2048 of them; our messages need a handful. */
static bool too_deep(const char *text, size_t len, int max)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        if (depth > max)
            return true;
    }
    return false;
}

static void answer_fault(struct server_conn *conn, const struct um_error *err, bool close)
{
    server_send_errors(conn, NULL, "request", NULL, err, 1, 1);
    conn->closing = conn->closing || close;
}

static json_t *parse(struct server_conn *conn, const char *text, size_t len)
{
    int max = conn->server->limits.json_depth;
    struct um_error err;
    json_error_t where;
    json_t *request;

    if (too_deep(text, len, max)) {
        um_fail(&err, UM_E_INVALID, "request", NULL, "nested deeper than %d levels", max);
        answer_fault(conn, &err, true);
        return NULL;
    }
    request = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!request) {
        um_fail(&err, UM_E_INVALID, "request", NULL, "not valid JSON at line %d, column %d: %s",
                where.line, where.column, where.text);
        um_hint(&err, "a request looks like {\"method\": \"io.umld.Server.Ping\"}");
        answer_fault(conn, &err, true);
    }
    return request;
}

static bool read_flag(struct um_error *err, const json_t *request, const char *name, bool *ret)
{
    const json_t *value = json_object_get(request, name);

    *ret = json_is_true(value);
    if (!value || json_is_boolean(value))
        return true;
    um_fail(err, UM_E_INVALID, "request", name, "must be true or false");
    return false;
}

static bool known_members(struct um_error *err, const json_t *request)
{
    static const char *const known[] = {"method", "parameters", "more", "oneway", "upgrade"};
    const json_t *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)request, key, value)
    {
        bool found = false;

        for (size_t i = 0; i < UM_ARRAY_LEN(known); i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found) {
            um_fail(err, UM_E_INVALID, "request", key, "there is no member of this name");
            um_hint(err, "a request has method, parameters, more, oneway and upgrade");
            return false;
        }
    }
    return true;
}

/* The envelope: everything but the method's own parameters. */
static bool read_envelope(struct api_call *call, struct um_error *err)
{
    const json_t *request = call->request;

    if (!json_is_object(request)) {
        um_fail(err, UM_E_INVALID, "request", NULL, "must be a JSON object");
        return false;
    }
    if (!known_members(err, request) || !read_flag(err, request, "more", &call->more) ||
        !read_flag(err, request, "oneway", &call->oneway) ||
        !read_flag(err, request, "upgrade", &call->upgrade))
        return false;
    if (!json_is_string(json_object_get(request, "method"))) {
        um_fail(err, UM_E_INVALID, "request", "method", "is missing or not a string");
        um_hint(err, "a request looks like {\"method\": \"io.umld.Server.Ping\"}");
        return false;
    }
    if (call->oneway && (call->more || call->upgrade)) {
        um_fail(err, UM_E_INVALID, "request", "oneway",
                "excludes more and upgrade: a oneway call has no reply");
        call->oneway = false;
        return false;
    }
    call->params = json_object_get(request, "parameters");
    if (json_is_null(call->params))
        call->params = NULL;
    return true;
}

static const char *next_method(um_unused const void *arg, size_t index)
{
    return index < api_method_count ? api_methods[index].name : NULL;
}

static bool interface_known(const char *name, size_t len)
{
    for (size_t i = 0; i < api_interface_count; i++)
        if (strlen(api_interfaces[i].name) == len && memcmp(api_interfaces[i].name, name, len) == 0)
            return true;
    return false;
}

static void unknown_method(struct api_call *call, const char *name)
{
    const char *dot = strrchr(name, '.'), *near = api_nearest(name, next_method, NULL);
    size_t len = dot ? (size_t)(dot - name) : strlen(name);
    bool known = interface_known(name, len);
    struct um_error err;

    um_fail(&err, UM_E_INVALID, name, known ? "method" : "interface", "there is no such %s",
            known ? "method" : "interface");
    if (near)
        um_hint(&err, "did you mean %s?", near);
    server_fail_call(call, known ? SERVICE "MethodNotFound" : SERVICE "InterfaceNotFound",
                     known ? json_pack("{s:s}", "method", name)
                           : json_pack("{s:s%}", "interface", name, len),
                     &err, 1, 1);
}

static const struct api_method *find_method(const char *name)
{
    for (size_t i = 0; i < api_method_count; i++)
        if (strcmp(api_methods[i].name, name) == 0)
            return &api_methods[i];
    return NULL;
}

static bool upgrade_agrees(struct api_call *call)
{
    bool upgrades = call->method->flags & API_UPGRADE;
    struct um_error err;

    if (upgrades == call->upgrade)
        return true;
    if (upgrades) {
        um_fail(&err, UM_E_INVALID, call->method->name, "upgrade",
                "the connection becomes a raw stream, which this call did not ask for");
        um_hint(&err, "send \"upgrade\": true with the request");
    } else {
        um_fail(&err, UM_E_INVALID, call->method->name, "upgrade",
                "this method does not turn the connection into a raw stream");
    }
    api_reply_error(call, &err);
    return false;
}

static bool params_fit(struct api_call *call)
{
    struct api_faults faults;

    if (api_check_input(call->method, call->params, &faults))
        return true;
    server_fail_call(call, SERVICE "InvalidParameter",
                     json_pack("{s:o}", "parameter", server_json_text(faults.errors[0].field)),
                     faults.errors, faults.count, faults.total);
    return false;
}

static bool allowed(struct api_call *call)
{
    const struct api_method *method = call->method;
    struct um_error err;

    if (method->role == API_ROLE_NONE)
        return true;
    call->role = call->server->role(call->server->umld, call->uid, method, call->params);
    if (call->role >= method->role)
        return true;
    um_fail(&err, UM_E_DENIED, method->name, NULL, "needs the role %s, user %u has %s here",
            role_names[method->role], (unsigned)call->uid, role_names[call->role]);
    if (method->role == API_ROLE_OWNER)
        um_hint(&err, "call it as the guest's owner or as an administrator");
    else
        um_hint(&err, "call it as %s %s", method->role == API_ROLE_ADMIN ? "an" : "a",
                method->role == API_ROLE_ADMIN ? "administrator" : role_names[method->role]);
    api_reply_error(call, &err);
    return false;
}

/* Changes are refused while none can be stored; ending the daemon is always possible. */
static bool storable(struct api_call *call)
{
    struct um_error err;

    if (!call->server->held || !server_call_stores(call))
        return true;
    um_fail(&err, UM_E_NO_RESOURCES, call->method->name, NULL,
            "nothing can be stored now, so nothing is changed: the database cannot be written");
    um_hint(&err, "see the daemon's log; make room in its state directory");
    err.retryable = true;
    api_reply_error(call, &err);
    return false;
}

static void run(struct api_call *call)
{
    static json_t *nothing; /* handlers get an object even if none was sent */

    if (!nothing)
        nothing = json_object();
    call->method->handler(call->server->umld, call, call->params ? call->params : nothing);
}

void server_run_held(struct api_call *call)
{
    call->held = false;
    run(call);
}

static struct api_call *new_call(struct server_conn *conn, json_t *request)
{
    struct api_call *call = calloc(1, sizeof(*call));

    if (!call) {
        json_decref(request);
        conn->out.failed = true;
        return NULL;
    }
    call->server = conn->server;
    call->conn = conn;
    call->id = ++conn->server->last_id;
    call->uid = conn->uid;
    call->request = request;
    conn->call = call;
    return call;
}

void server_request(struct server_conn *conn, const char *text, size_t len)
{
    json_t *request = parse(conn, text, len);
    struct api_call *call = request ? new_call(conn, request) : NULL;
    struct um_error err;
    const char *name;

    if (!call)
        return;
    if (!read_envelope(call, &err)) {
        api_reply_error(call, &err);
        return;
    }
    name = json_string_value(json_object_get(request, "method"));
    call->method = find_method(name);
    if (!call->method) {
        unknown_method(call, name);
        return;
    }
    if (!upgrade_agrees(call) || !params_fit(call) || server_repeated(call) || !allowed(call) ||
        !storable(call))
        return;
    if (call->upgrade && server_conn_unsent(conn))
        call->held = true;
    else
        run(call);
}

static void abandon(struct api_call *call)
{
    server_call_end(call);
    if (call->gone)
        call->gone(call->id, call->gone_arg);
}

void api_server_execute(struct api_server *server, const char *text, size_t len, uid_t uid,
                        struct um_buf *ret)
{
    struct server_conn conn = {.server = server, .fd = -1, .uid = uid, .in.mode = UM_FRAME_NUL};

    server_request(&conn, text, len);
    if (conn.call)
        abandon(conn.call);
    um_buf_append(ret, conn.out.data, conn.out.len);
    um_buf_done(&conn.out);
}
