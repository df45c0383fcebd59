/*
 * Calls that are one request to a guest's monitor: its answer is the call's reply.
 */
#include "schemas/api_rows.h"
#include "umld/guest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct relay {
    uint64_t call_id;
    char object[96];
};

static void answered(struct umld *umld, int errnum, const char *text, void *arg)
{
    struct relay *r = arg;
    struct api_call *call = api_call_find(umld->server, r->call_id);
    struct um_error err;

    if (call && errnum == 0) {
        api_reply(call, NULL);
    } else if (call) {
        if (errnum == ESRCH)
            um_fail(&err, UM_E_NOT_RUNNING, r->object, NULL, "%s", text);
        else
            um_fail_errno(&err, errnum, r->object, "%s", text[0] ? text : "its monitor refused");
        api_reply_error(call, &err);
    }
    free(r);
}

void monitor_relay(struct guest *g, struct api_call *call, enum mon_type type, const void *payload,
                   size_t len)
{
    struct relay *r;
    struct um_error err;

    if (api_call_dry(call)) {
        api_reply(call, NULL);
        return;
    }
    r = calloc(1, sizeof(*r));
    if (r) {
        r->call_id = api_call_id(call);
        guest_object(g, r->object, sizeof(r->object));
        if (monitor_ask(g, type, payload, len, NULL, answered, r))
            return;
    }
    free(r);
    um_fail(&err, UM_E_BUSY, g->def.name, NULL, "its monitor is busy");
    api_reply_error(call, &err);
}

void api_guest_interrupt(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct mon_signal s = {.signo = SIGINT};
    char object[96];
    struct um_error err;

    if (!g)
        return;
    if (guest_state_info(g->state)->has_process) {
        monitor_relay(g, call, MON_SIGNAL, &s, sizeof(s));
        return;
    }
    um_fail(&err, UM_E_NOT_RUNNING, guest_object(g, object, sizeof(object)), NULL,
            "is not running");
    api_reply_error(call, &err);
}
