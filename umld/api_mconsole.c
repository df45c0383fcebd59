/*
 * io.umld.Guest.Mconsole: one command, checked against the table of verbs, on the verb's lane.
 */
#include "schemas/api_rows.h"
#include "umld/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mconsole_call {
    struct umld *umld;
    uint64_t call_id;
    char guest[64];
};

/* The kernel's text may hold any byte; JSON holds UTF-8. */
static json_t *safe_text(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    char *copy;

    if (json)
        return json;
    copy = malloc(len + 1);
    for (size_t i = 0; copy && i < len; i++)
        copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    json = copy ? json_stringn(copy, len) : json_string("");
    free(copy);
    return json;
}

static void answered(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    struct mconsole_call *c = arg;
    struct api_call *call = api_call_find(c->umld->server, c->call_id);
    struct um_error err;
    char object[96];

    snprintf(object, sizeof(object), "guest \"%s\"", c->guest);
    free(c);
    if (!call)
        return;
    /* Without a status it is not the guest's answer but what is wrong with it. */
    if (code == UM_OK || (code == UM_E_GUEST_ERROR && status != 0)) {
        api_reply(call,
                  json_pack("{s:o,s:i}", "text", safe_text(text, len), "status", (int)status));
        return;
    }
    um_fail(&err, code, object, NULL, "%s",
            code == UM_E_UNRESPONSIVE ? "its kernel did not answer in time"
                                      : (len ? text : "its kernel could not be asked"));
    api_reply_error(call, &err);
}

/* dryRun: text is the command as it would be sent. */
static void would_send(struct guest *g, struct api_call *call, const char *command)
{
    struct um_error err;
    char object[96];

    if (guest_state_info(g->state)->has_process) {
        api_reply(call, json_pack("{s:s,s:i}", "text", command, "status", 0));
        return;
    }
    um_fail(&err, UM_E_NOT_RUNNING, guest_object(g, object, sizeof(object)), NULL,
            "is not running");
    api_reply_error(call, &err);
}

void api_guest_mconsole(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    const json_t *timeout = json_object_get(params, "timeoutMs");
    struct guest *g = guest_of_call(umld, call, params);
    struct um_buf command = UM_BUF_INIT;
    struct mconsole_call *c;
    enum mconsole_verb verb;
    struct um_error err;
    char object[96];
    enum um_code code;

    if (!g)
        return;
    guest_object(g, object, sizeof(object));
    code = mconsole_command_check(json_string_value(json_object_get(params, "command")),
                                  json_is_true(json_object_get(params, "force")), &command, &verb,
                                  &err);
    if (!code && api_call_dry(call)) {
        would_send(g, call, command.data);
        um_buf_done(&command);
        return;
    }
    c = code ? NULL : calloc(1, sizeof(*c));
    if (!code && !c)
        code = um_fail(&err, UM_E_NO_RESOURCES, object, NULL, "out of memory");
    if (!code && c) {
        *c = (struct mconsole_call){.umld = umld, .call_id = api_call_id(call)};
        snprintf(c->guest, sizeof(c->guest), "%.63s", name);
        code = guest_mconsole(g, verb, command.data,
                              json_is_integer(timeout) ? (int)json_integer_value(timeout)
                                                       : mconsole_verb_info(verb)->timeout_ms,
                              false, answered, c, &err);
        if (code)
            free(c);
    }
    um_buf_done(&command);
    if (!code)
        return;
    snprintf(err.object, sizeof(err.object), "%s", object);
    api_reply_error(call, &err);
}
