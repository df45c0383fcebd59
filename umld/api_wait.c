/*
 * io.umld.Guest.Wait: which condition a call waits for. The waiting itself is in guest_wait.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest.h"

#include <string.h>

void api_guest_wait(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *condition = params_text(params, "condition", NULL);
    struct guest_wait wait = {.goal = GOAL_STATE,
                              .timeout_ms = params_int(params, "timeoutMs", 3600000),
                              .reply_guest = true};
    struct um_error err;

    if (!g)
        return;
    if (strcmp(condition, "ready") == 0) {
        wait.goal = GOAL_READY;
    } else if (strcmp(condition, "exit") == 0) {
        wait.goal = GOAL_STOPPED;
    } else if (!guest_state_from_name(condition, &wait.state)) {
        um_fail(&err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no state", condition);
        um_hint(&err, "use ready, exit or a state: stopped, booting, running, paused, failed, ...");
        api_reply_error(call, &err);
        return;
    }
    guest_wait_add(g, call, &wait);
}
