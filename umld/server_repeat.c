/*
 * requestId: what makes a changing call repeatable. The reply of a call that has an id is
 * remembered together with what the call changed; the same call again gets that reply and is not
 * run. The one surprise: a call with an id outlives its client, because the client that asks again
 * after it lost its connection wants to know how the first one ended. A repeat that comes while the
 * first still runs follows it: one run, one outcome, told to both.
 */
#include "umld/server_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More calls without a client are not kept: their clients have hung up on them one by one. */
enum { DETACHED_MAX = 256 };

/* Told from others only among the calls that one user gave the same id. (FNV-1a) */
static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

/* Of the parameters that say what is to be done: left out is the same as null. */
static char *digest_of(const json_t *params)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)params);
    const char *key;
    json_t *value;
    void *next;
    char *text, *digest = NULL;

    json_object_del(copy, "requestId");
    json_object_del(copy, "dryRun");
    json_object_foreach_safe(copy, next, key, value)
    {
        if (json_is_null(value))
            json_object_del(copy, key);
    }
    text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text && asprintf(&digest, "%016" PRIx64 "-%zu", hash(text), strlen(text)) < 0)
        digest = NULL;
    free(text);
    json_decref(copy);
    return digest;
}

/* Ids belong to the user who chose them. */
static bool identify(struct api_call *call, const char *id)
{
    if (asprintf(&call->key, "%u:%s", (unsigned)call->uid, id) < 0)
        call->key = NULL;
    call->digest = digest_of(call->params);
    return call->key && call->digest;
}

static bool same_call(const struct api_call *call, const char *method, const char *digest)
{
    return strcmp(call->method->name, method) == 0 && strcmp(call->digest, digest) == 0;
}

static void refuse(struct api_call *call)
{
    struct um_error err;

    um_fail(&err, UM_E_CONFLICT, call->method->name, "requestId",
            "\"%s\" was used for another call", strchr(call->key, ':') + 1);
    um_hint(&err, "use a new requestId for a new call");
    api_reply_error(call, &err);
}

static void answer(struct api_call *call, json_t *params)
{
    if (call->conn && !call->oneway) {
        server_send(call->conn, NULL, params, false);
        call->conn->promised = true;
    } else {
        json_decref(params);
    }
    server_call_end(call);
}

/* True: the call was answered from memory. */
static bool recalled(struct api_call *call)
{
    const struct api_memory *memory = call->server->memory;
    struct api_memo memo = {NULL, NULL, NULL};
    json_t *reply;

    if (!memory->find(call->server->umld, call->key, &memo))
        return false;
    reply = json_loads(memo.reply, 0, NULL);
    if (reply && same_call(call, memo.method, memo.digest)) {
        answer(call, reply);
    } else {
        json_decref(reply);
        refuse(call);
    }
    free(memo.method);
    free(memo.digest);
    free(memo.reply);
    return true;
}

static bool leads(const struct api_call *c, const struct api_call *call)
{
    return c && c != call && c->key && !c->follows && !c->dry && strcmp(c->key, call->key) == 0;
}

static struct api_call *running(const struct api_call *call)
{
    for (struct server_conn *c = call->server->conns; c; c = c->next)
        if (leads(c->call, call))
            return c->call;
    for (struct api_call *c = call->server->detached; c; c = c->next_detached)
        if (leads(c, call))
            return c;
    return NULL;
}

bool server_repeated(struct api_call *call)
{
    const char *id = json_string_value(json_object_get(call->params, "requestId"));
    struct api_call *first;
    struct um_error err;

    call->dry =
        call->method->flags & API_MUTATES && json_is_true(json_object_get(call->params, "dryRun"));
    if (!id || !call->server->memory || !(call->method->flags & API_MUTATES))
        return false;
    if (!identify(call, id)) {
        um_fail(&err, UM_E_NO_RESOURCES, call->method->name, NULL, "out of memory");
        api_reply_error(call, &err);
        return true;
    }
    if (recalled(call))
        return true;
    first = running(call);
    if (!first)
        return false;
    if (!same_call(call, first->method->name, first->digest)) {
        refuse(call);
        return true;
    }
    /* A trial of it has nothing to wait for. */
    if (!call->dry)
        call->follows = first->id;
    return !call->dry;
}

static struct api_call *next_follower(const struct api_call *call)
{
    for (struct server_conn *c = call->server->conns; c; c = c->next)
        if (c->call && c->call->follows == call->id)
            return c->call;
    return NULL;
}

void server_repeat_replied(struct api_call *call, const json_t *params)
{
    struct api_call *follower;
    char *text;

    if (!call->key || call->dry || call->follows)
        return;
    text = params ? json_dumps(params, JSON_COMPACT) : strdup("{}");
    if (text)
        call->server->memory->store(call->server->umld, call->key, call->method->name, call->digest,
                                    text);
    free(text);
    while ((follower = next_follower(call)))
        answer(follower, params ? json_deep_copy(params) : NULL);
}

void server_repeat_failed(struct api_call *call, const char *name, const json_t *extra,
                          const struct um_error *errors, size_t count, size_t total)
{
    struct api_call *follower;

    if (!call->key || call->dry || call->follows)
        return;
    while ((follower = next_follower(call)))
        server_fail_call(follower, name, extra ? json_deep_copy(extra) : NULL, errors, count,
                         total);
}

bool server_repeat_detach(struct api_call *call)
{
    struct api_server *server = call->server;

    if (!call->key || call->dry || call->follows)
        return false;
    /* Who follows it has a connection, and those are limited. */
    if (server->detached_count >= DETACHED_MAX && !next_follower(call))
        return false;
    call->conn->call = NULL;
    call->conn = NULL;
    call->detached = true;
    call->next_detached = server->detached;
    server->detached = call;
    server->detached_count++;
    return true;
}

void server_repeat_forget(struct api_call *call)
{
    struct api_call **link = &call->server->detached;

    while (*link && *link != call)
        link = &(*link)->next_detached;
    if (!*link)
        return;
    *link = call->next_detached;
    call->server->detached_count--;
}
