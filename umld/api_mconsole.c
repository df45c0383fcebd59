/*
 * io.umld.Guest.Mconsole: one command, checked against the table of verbs, on the verb's lane; a
 * command that may do harm waits for the answer to its guard's question. One time limit for both.
 */
#include "mconsole/guard.h"
#include "mconsole/wire.h"
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mconsole_call {
    struct umld *umld;
    uint64_t call_id;
    int64_t guest;
    char object[96];
    int64_t deadline_ns;
    enum mconsole_verb verb;
    char command[MCONSOLE_COMMAND_MAX + 1];
    struct mconsole_guard guard;
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

/* Ends the call. err NULL: answered already. */
static void done(struct mconsole_call *c, const struct um_error *err)
{
    struct api_call *call = api_call_find(c->umld->server, c->call_id);
    struct um_error named;

    if (err && call) {
        named = *err;
        snprintf(named.object, sizeof(named.object), "%s", c->object);
        api_reply_error(call, &named);
    }
    free(c);
}

static void answered(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    struct mconsole_call *c = arg;
    struct api_call *call = api_call_find(c->umld->server, c->call_id);
    struct um_error err;

    /* Without a status it is not the guest's answer but what is wrong with it. */
    if (call && (code == UM_OK || (code == UM_E_GUEST_ERROR && status != 0))) {
        api_reply(call,
                  json_pack("{s:o,s:i}", "text", safe_text(text, len), "status", (int)status));
        done(c, NULL);
        return;
    }
    um_fail(&err, code, NULL, NULL, "%s",
            code == UM_E_UNRESPONSIVE ? "its kernel did not answer in time"
                                      : (len ? text : "its kernel could not be asked"));
    done(c, &err);
}

static int left_ms(const struct mconsole_call *c)
{
    int64_t left = (c->deadline_ns - um_clock_mono_ns()) / UM_MS_NS;

    return left < 1 ? 1 : (int)left;
}

/* The call's command, or a question of its guard. */
static void send_line(struct mconsole_call *c, enum mconsole_verb verb, const char *line,
                      unsigned flags, mconsole_done_fn on_answer)
{
    struct guest *g = guest_by_id(c->umld, c->guest);
    struct um_error err;

    if (!g)
        um_fail(&err, UM_E_NOT_FOUND, NULL, NULL, "has been removed");
    else if (!guest_mconsole(g, verb, line, left_ms(c), flags, on_answer, c, &err))
        return;
    done(c, &err);
}

/* dryRun: text is the command as it would be sent. */
static void would_send(struct mconsole_call *c, struct api_call *call)
{
    const struct guest *g = guest_by_id(c->umld, c->guest);
    struct um_error err;

    if (g && guest_state_info(g->state)->has_process) {
        api_reply(call, json_pack("{s:s,s:i}", "text", c->command, "status", 0));
        done(c, NULL);
        return;
    }
    um_fail(&err, UM_E_NOT_RUNNING, NULL, NULL, "is not running");
    done(c, &err);
}

static void follow(struct mconsole_call *c, enum mconsole_verdict verdict, struct um_error *err);

static void judge(enum um_code code, int32_t status, const char *text, um_unused size_t len,
                  void *arg)
{
    struct mconsole_call *c = arg;
    struct um_error err;

    follow(c, mconsole_guard_next(&c->guard, code, status, text, &err), &err);
}

static void follow(struct mconsole_call *c, enum mconsole_verdict verdict, struct um_error *err)
{
    struct api_call *call = api_call_find(c->umld->server, c->call_id);

    if (verdict == MCONSOLE_SEND && call && api_call_dry(call))
        would_send(c, call);
    else if (verdict == MCONSOLE_SEND)
        send_line(c, c->verb, c->command, 0, answered);
    else if (verdict == MCONSOLE_ASK)
        send_line(c, c->guard.ask_verb, c->guard.ask, c->guard.peek ? MCONSOLE_PEEK : 0, judge);
    else
        done(c, err);
}

void api_guest_mconsole(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    bool force = params_flag(params, "force");
    struct um_buf command = UM_BUF_INIT;
    struct mconsole_call *c;
    struct um_error err;
    int64_t timeout_ms;

    if (!g)
        return;
    c = calloc(1, sizeof(*c));
    if (!c) {
        um_fail(&err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
        api_reply_error(call, &err);
        return;
    }
    c->umld = umld;
    c->call_id = api_call_id(call);
    c->guest = g->id;
    guest_object(g, c->object, sizeof(c->object));
    if (mconsole_command_check(params_text(params, "command", ""), force, &command, &c->verb,
                               &err)) {
        done(c, &err);
        return;
    }
    snprintf(c->command, sizeof(c->command), "%s", command.data);
    um_buf_done(&command);
    timeout_ms = params_int(params, "timeoutMs", mconsole_verb_info(c->verb)->timeout_ms);
    c->deadline_ns = um_clock_mono_ns() + timeout_ms * UM_MS_NS;
    follow(c, force ? MCONSOLE_SEND : mconsole_guard_begin(&c->guard, c->verb, c->command), NULL);
}
