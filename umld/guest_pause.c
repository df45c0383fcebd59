/*
 * Pause and resume: mconsole stop and go. The wish is stored before it is sent (g->asked), because
 * the kernel cannot be asked whether it is stopped: after a daemon crash the question is sent
 * again, and both "done" and "already so" settle it.
 */
#include "umld/guest.h"
#include "vmcore/base/log.h"

#include <stdlib.h>
#include <string.h>

struct pause_call {
    struct umld *umld;
    int64_t id;
    bool pause;
};

static void refused(struct guest *g)
{
    g->asked = "";
    guest_touch(g);
    guest_waiters_check(g);
}

static void answered(enum um_code code, um_unused int32_t status, const char *text, size_t len,
                     void *arg)
{
    struct pause_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);
    struct um_error err;
    /* mconsole(kernel): err 1 with these texts means the goal is reached already. */
    bool so = code == UM_E_GUEST_ERROR && len &&
              strstr(text, call->pause ? "Already stopped" : "Not stopped");

    if (g && code != UM_E_CANCELLED) {
        if (code == UM_OK || so) {
            guest_post(g, call->pause ? GUEST_M_PAUSED : GUEST_M_RESUMED);
        } else {
            um_log(UM_LOG_WARNING, "guest %s: %s: %s", g->def.name, call->pause ? "stop" : "go",
                   um_code_info(code)->wire);
            refused(g);
            /* One that did not answer may still obey later: it is told to go on in any case. */
            if (call->pause && code == UM_E_UNRESPONSIVE &&
                guest_mconsole(g, MCONSOLE_GO, "go", MCONSOLE_TIMEOUT_MS, 0, NULL, NULL, &err))
                um_log(UM_LOG_WARNING, "guest %s: go: %s", g->def.name, err.message);
        }
    }
    free(call);
}

static void send(struct guest *g, bool pause)
{
    struct pause_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call) {
        refused(g);
        return;
    }
    *call = (struct pause_call){g->umld, g->id, pause};
    if (guest_mconsole(g, pause ? MCONSOLE_STOP : MCONSOLE_GO, pause ? "stop" : "go",
                       MCONSOLE_TIMEOUT_MS, 0, answered, call, &err)) {
        um_log(UM_LOG_WARNING, "guest %s: %s", g->def.name, err.message);
        free(call);
        refused(g);
    }
}

void guest_pause(struct guest *g)
{
    send(g, true);
}

void guest_resume(struct guest *g)
{
    send(g, false);
}
