/*
 * io.umld.Guest: the verbs. Handlers look up, refuse what the state does not allow, post the event
 * and leave the rest to guest_wait.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest_ladder.h"
#include "umld/guest_order.h"
#include "umld/host_shutdown.h"
#include "umld/jobs.h"

#include <stdio.h>
#include <string.h>

enum { START_TIMEOUT_MS = 120000, STOP_TIMEOUT_MS = 120000, VERB_TIMEOUT_MS = 15000 };

static void refuse(struct guest *g, struct api_call *call, const char *verb, const char *hint)
{
    bool at_rest = !guest_state_info(g->state)->has_process;
    struct um_error err;
    char object[96];

    um_fail(&err, at_rest ? UM_E_NOT_RUNNING : UM_E_WRONG_STATE,
            guest_object(g, object, sizeof(object)), NULL, "cannot %s: it is %s", verb,
            guest_state_info(g->state)->name);
    if (hint)
        um_hint(&err, hint, g->def.name);
    api_reply_error(call, &err);
}

/* dryRun: as it would be answered, in the state as it is. */
static void would(struct guest *g, struct api_call *call, const struct guest_wait *wait)
{
    json_t *reply = json_pack("{s:b}", "changed", wait->changed);

    if (wait->goal != GOAL_REMOVED)
        json_object_set_new(reply, "state", json_string(guest_state_info(g->state)->name));
    if (wait->reply_ready)
        json_object_set_new(reply, "ready", json_boolean(g->ready));
    api_reply(call, reply);
}

/* A user's wish, and whose it is. */
static void ask(struct guest *g, const struct api_call *call, enum guest_event event)
{
    char by[24];

    snprintf(by, sizeof(by), "%u", (unsigned)api_call_uid(call));
    guest_ask(g, event, by);
}

/*
 * Common path of the verbs: refuse an impossible event, post it unless the goal holds already,
 * wait.
 */
static void verb(struct guest *g, struct api_call *call, enum guest_event event, bool changed,
                 struct guest_wait *wait)
{
    wait->changed = changed;
    if (api_call_dry(call)) {
        would(g, call, wait);
        return;
    }
    /* What is posted already may end the state the goal holds in: this wish comes after it. */
    if (changed || g->inbox_count > 0)
        ask(g, call, event);
    guest_wait_add(g, call, wait);
}

/* The definition forbids it, force or not: who wants it has to lift that first, and knows why. */
static bool protected_from(struct guest *g, struct api_call *call, const char *verb)
{
    const char *reason = guest_definition_protected(&g->def, verb);
    struct um_error err;
    char object[96];

    if (!reason)
        return false;
    um_fail(&err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), NULL,
            "is protected from %s: %s", verb, reason);
    um_hint(&err, "an administrator can lift that: umlctl config %s protect:%s=", g->def.name,
            verb);
    api_reply_error(call, &err);
    return true;
}

/* ---- start ---- */

/* wait=none: the answer is that the wish is stored; the job goes on until the kernel is up. */
static void start_unattended(struct guest *g, struct api_call *call, const struct guest_wait *wait,
                             bool changed)
{
    char job[24];
    json_t *reply = json_pack("{s:b,s:s,s:b,s:s*}", "changed", changed, "state",
                              guest_state_info(g->state)->name, "ready", g->ready, "job",
                              wait->job ? jobs_id_text(wait->job, job, sizeof(job)) : NULL);

    if (changed || g->inbox_count > 0)
        ask(g, call, GUEST_U_START);
    if (wait->job)
        guest_wait_add(g, NULL,
                       &(struct guest_wait){
                           .goal = wait->goal, .job = wait->job, .timeout_ms = wait->timeout_ms});
    api_reply(call, reply);
}

static bool may_start(struct guest *g, struct api_call *call)
{
    struct um_error err;

    if (host_shutdown_runs(g->umld)) {
        um_fail(&err, UM_E_WRONG_STATE, "umld", NULL, "is shutting all guests down");
        um_hint(&err, "wait for its end, or cancel it: umlctl job list --active");
    } else if (guest_order_known(g, &err) == UM_OK) {
        return true;
    }
    api_reply_error(call, &err);
    return false;
}

void api_guest_start(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *until = params_text(params, "wait", NULL);
    struct guest_wait wait = {.goal = GOAL_READY,
                              .timeout_ms = params_int(params, "timeoutMs", START_TIMEOUT_MS),
                              .reply_ready = true,
                              .reply_job = true};
    bool running, changed;
    struct um_error err;

    if (!g)
        return;
    running = guest_state_info(g->state)->has_process && g->state != GUEST_STOPPING &&
              g->state != GUEST_KILLING;
    changed = !running && g->state != GUEST_PREPARING;
    if (g->state == GUEST_PAUSED) {
        refuse(g, call, "start", "resume it: umlctl resume %s");
        return;
    }
    if (changed && !may_start(g, call))
        return;
    if (until && strcmp(until, "ready") != 0)
        wait.goal = GOAL_KERNEL;
    if (api_call_dry(call) && changed && guest_start_check(g, &err)) {
        api_reply_error(call, &err);
        return;
    }
    if (changed && !api_call_dry(call))
        guest_job_begin(g, "guest.start", api_call_uid(call), &wait);
    if (!api_call_dry(call))
        g->insists = g->insists || changed;
    if (!api_call_dry(call) && until && strcmp(until, "none") == 0) {
        start_unattended(g, call, &wait, changed);
        return;
    }
    verb(g, call, GUEST_U_START, changed, &wait);
}

/* ---- stop ---- */

static bool is_down(const struct guest *g)
{
    return g->state == GUEST_STOPPED || g->state == GUEST_FAILED;
}

/* A user's stop or kill; whatever the host's shutdown wants with it. */
static void wish_down(struct guest *g, struct api_call *call, bool force, struct guest_wait *wait)
{
    g->parked = g->parked && api_call_dry(call);
    verb(g, call, force ? GUEST_U_KILL : GUEST_U_STOP, !is_down(g), wait);
}

void api_guest_stop(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    int64_t grace = params_int(params, "graceMs", 0);
    struct guest_wait wait = {.goal = GOAL_STOPPED,
                              .timeout_ms =
                                  params_int(params, "timeoutMs", STOP_TIMEOUT_MS + grace),
                              .reply_how = true,
                              .reply_job = true};
    bool changed;

    if (!g)
        return;
    changed = !is_down(g);
    if (changed && protected_from(g, call, "stop"))
        return;
    if (changed && !api_call_dry(call)) {
        guest_job_begin(g, "guest.stop", api_call_uid(call), &wait);
        g->grace_ms = grace;
    }
    wish_down(g, call, params_flag(params, "force"), &wait);
}

void api_guest_kill(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_STOPPED, .timeout_ms = STOP_TIMEOUT_MS};

    if (g && (is_down(g) || !protected_from(g, call, "stop")))
        wish_down(g, call, true, &wait);
}

/* ---- remove ---- */

static bool needed_by_others(struct guest *g, struct api_call *call)
{
    struct um_error err;
    char object[96], names[400];

    if (!guest_order_needed_by(g, names, sizeof(names)))
        return false;
    um_fail(&err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), NULL,
            "cannot be removed: %s cannot start without it", names);
    um_hint(&err, "change what they depend on, or: umlctl remove --force %s", g->def.name);
    api_reply_error(call, &err);
    return true;
}

/* Refused for a reason that force does not, or does, outweigh. */
static bool must_stay(struct guest *g, struct api_call *call, bool force)
{
    return protected_from(g, call, "remove") ||
           (!is_down(g) && force && protected_from(g, call, "stop")) ||
           (!force && needed_by_others(g, call));
}

void api_guest_remove(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = params_text(params, "name", NULL);
    struct guest *g = guest_find(umld, name);
    struct guest_wait wait = {.goal = GOAL_REMOVED, .timeout_ms = STOP_TIMEOUT_MS};
    struct um_error err;
    char object[96];

    if (!g) {
        api_reply(call, json_pack("{s:b}", "changed", 0));
        return;
    }
    if (!guest_revision_fits(g, call, params) || must_stay(g, call, params_flag(params, "force")))
        return;
    if (params_flag(params, "force") && !is_down(g)) {
        wish_down(g, call, true, &wait);
        return;
    }
    if (g->stranger && guest_next(g->state, GUEST_U_LEAVE).defined) {
        verb(g, call, GUEST_U_LEAVE, true, &wait);
        return;
    }
    if (g->state != GUEST_STOPPED && g->state != GUEST_FAILED) {
        um_fail(&err, UM_E_WRONG_STATE, guest_object(g, object, sizeof(object)), NULL,
                "cannot be removed: it is %s", guest_state_info(g->state)->name);
        um_hint(&err, "stop it first: umlctl stop %s, or: umlctl remove --force %s", name, name);
        api_reply_error(call, &err);
        return;
    }
    if (!api_call_dry(call))
        guest_remove(g);
    api_reply(call, json_pack("{s:b}", "changed", 1));
}

/* ---- the others ---- */

void api_guest_reboot(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_REBOOTED,
                              .timeout_ms = params_int(params, "timeoutMs", START_TIMEOUT_MS)};

    if (!g)
        return;
    if (guest_next(g->state, GUEST_U_REBOOT).defined)
        verb(g, call, GUEST_U_REBOOT, true, &wait);
    else
        refuse(g, call, "reboot",
               g->state == GUEST_PAUSED ? "resume it first: umlctl resume %s"
                                        : "start it: umlctl start %s");
}

void api_guest_pause(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_PAUSED, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (g->state == GUEST_PAUSED || guest_next(g->state, GUEST_U_PAUSE).defined)
        verb(g, call, GUEST_U_PAUSE, g->state != GUEST_PAUSED, &wait);
    else
        refuse(g, call, "pause", NULL);
}

void api_guest_resume(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_RUNNING, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (!guest_next(g->state, GUEST_U_RESUME).defined) {
        refuse(g, call, "resume", NULL);
        return;
    }
    /* Sent in any case: a pause may be under way, or its kernel was stopped by somebody else. */
    wait.changed = g->state != GUEST_RUNNING || strcmp(g->asked, "pause") == 0;
    if (api_call_dry(call)) {
        would(g, call, &wait);
        return;
    }
    ask(g, call, GUEST_U_RESUME);
    guest_wait_add(g, call, &wait);
}

void api_guest_reset_failed(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {
        .goal = GOAL_STATE, .state = GUEST_STOPPED, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (g->state == GUEST_FAILED)
        verb(g, call, GUEST_U_CLEAR, true, &wait);
    else
        api_reply(call,
                  json_pack("{s:b,s:s}", "changed", 0, "state", guest_state_info(g->state)->name));
}
