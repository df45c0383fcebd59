/*
 * io.umld.Guest.Wait: conditions of a call. What there is: wait_condition.c; waiting: guest_wait.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest.h"
#include "umld/wait_condition.h"

#include <stdlib.h>

enum { WAIT_TIMEOUT_MS = 3600000 };

/* One more condition of the call. */
static enum um_code take(const struct api_call *call, const char *text, struct guest_wait *wait,
                         struct um_error *err)
{
    struct wait_condition *c = &wait->conditions[wait->condition_count];

    if (wait_condition_parse(text, c, err))
        return err->code;
    wait->condition_count++;
    if (api_call_role(call) >= wait_condition_role(c))
        return UM_OK;
    um_fail(err, UM_E_DENIED, "wait", "condition",
            "\"%.40s\" shows what is on the console, which is its owner's", text);
    return um_hint(err, "call it as the guest's owner or as an administrator");
}

static enum um_code take_all(const struct api_call *call, const json_t *params,
                             struct guest_wait *wait, struct um_error *err)
{
    const json_t *others = json_object_get(params, "others"), *item;
    enum um_code code;
    size_t i;

    wait->conditions = calloc(1 + json_array_size(others), sizeof(*wait->conditions));
    if (!wait->conditions)
        return um_fail(err, UM_E_NO_RESOURCES, "wait", NULL, "out of memory");
    code = take(call, params_text(params, "condition", ""), wait, err);
    json_array_foreach(others, i, item)
    {
        if (!code)
            code = take(call, json_string_value(item), wait, err);
    }
    return code;
}

void api_guest_wait(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_CONDITIONS,
                              .timeout_ms = params_int(params, "timeoutMs", WAIT_TIMEOUT_MS)};
    struct um_error err;

    if (!g)
        return;
    if (take_all(call, params, &wait, &err) == UM_OK) {
        guest_wait_add(g, call, &wait);
        return;
    }
    for (size_t i = 0; i < wait.condition_count; i++)
        wait_condition_done(&wait.conditions[i]);
    free(wait.conditions);
    api_reply_error(call, &err);
}
