/*
 * Calls that wait for a guest to reach a goal. Checked after each change of the guest; answered
 * when the goal is met, when it can no longer be met, or when their time is up. Replies leave after
 * the commit.
 */
#include "umld/guest.h"
#include "umld/jobs.h"
#include "umld/wait_condition.h"
#include "vmcore/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guest_waiter {
    struct umld *umld;
    struct guest *guest;
    uint64_t call_id;
    struct guest_wait wait;
    uint64_t boot;          /* boot number at the call */
    unsigned ends;          /* its lives ended before the call */
    unsigned kept;          /* its stops taken back before the call */
    unsigned shown_doing;   /* last thing it did that was sent as progress */
    enum guest_state shown; /* last state sent as progress */
    const struct wait_condition *met;
    struct um_timer *timer;
    struct guest_waiter *next;
};

/* NULL: there is none (any more). */
static struct api_call *call_of(const struct guest_waiter *w)
{
    return w->call_id ? api_call_find(w->umld->server, w->call_id) : NULL;
}

void guest_tell_missed(const struct guest *g, struct um_error *err)
{
    enum um_code code = g->end_code ? g->end_code : UM_E_CRASHED;
    char object[96];

    guest_object(g, object, sizeof(object));
    /* About a value or a file: not of this call, but of the definition. */
    if (code == UM_E_INVALID || code == UM_E_NOT_FOUND || code == UM_E_EXISTS)
        code = UM_E_BAD_CONFIG;
    if (g->state == GUEST_STOPPED && (g->end.stopping || g->end.kind == POLICY_END_CANCEL)) {
        um_fail(err, UM_E_CANCELLED, object, NULL, "was stopped before it got there");
        return;
    }
    um_fail(err, code, object, NULL, "%s%s%s", guest_state_info(g->state)->name,
            g->cause ? ": " : "", g->cause ? g->cause : "");
    um_hint(err, "see: umlctl logs %s", g->def.name);
}

/* Up to a mark: met when it is there, missed when the guest came to rest without it. */
static enum wait_outcome up_to(const struct guest *g, bool there, struct um_error *err)
{
    if (there)
        return WAIT_MET;
    /* Backing off without a failure: a start that came while it was going down. */
    if (g->state == GUEST_FAILED || (g->state == GUEST_STOPPED && !g->want_up) ||
        (g->state == GUEST_BACKOFF && g->failures)) {
        guest_tell_missed(g, err);
        return WAIT_MISSED;
    }
    return WAIT_PENDING;
}

static enum wait_outcome refused(const struct guest *g, const char *what, struct um_error *err)
{
    char object[96];

    um_fail(err, UM_E_UNRESPONSIVE, guest_object(g, object, sizeof(object)), NULL,
            "its kernel did not take the %s command", what);
    um_hint(err, "see: umlctl logs %s", g->def.name);
    return WAIT_MISSED;
}

/* Any of them will do; only when none can come any more is that the answer. */
static enum wait_outcome judge_conditions(struct guest_waiter *w, struct um_error *err)
{
    size_t missed = 0;

    for (size_t i = 0; i < w->wait.condition_count; i++) {
        struct um_error why;

        switch (wait_condition_judge(&w->wait.conditions[i], w->guest, &why)) {
        case WAIT_MET:
            w->met = &w->wait.conditions[i];
            return WAIT_MET;
        case WAIT_MISSED:
            if (missed++ == 0)
                *err = why;
            break;
        case WAIT_PENDING:
            break;
        }
    }
    return missed == w->wait.condition_count ? WAIT_MISSED : WAIT_PENDING;
}

static enum wait_outcome taken_back(const struct guest *g, struct um_error *err)
{
    char object[96];

    um_fail(err, UM_E_CANCELLED, guest_object(g, object, sizeof(object)), NULL,
            "its stop was taken back");
    um_hint(err, "Ctrl-Alt-Del may have reached it; it is not halted or killed");
    return WAIT_MISSED;
}

static enum wait_outcome judge(struct guest_waiter *w, struct um_error *err)
{
    const struct guest *g = w->guest;
    bool at_rest = g->state == GUEST_STOPPED || g->state == GUEST_FAILED;

    /* Posted but not yet drained: nothing can be said. */
    if (g->inbox_count)
        return WAIT_PENDING;
    switch (w->wait.goal) {
    case GOAL_KERNEL:
        return up_to(g, g->kernel_up && g->state == GUEST_RUNNING, err);
    case GOAL_READY:
        return up_to(g, g->ready && g->state == GUEST_RUNNING, err);
    case GOAL_STOPPED:
        if (g->kept != w->kept)
            return taken_back(g, err);
        return at_rest || g->ends != w->ends ? WAIT_MET : WAIT_PENDING;
    case GOAL_REMOVED:
        return at_rest ? WAIT_MET : WAIT_PENDING;
    case GOAL_PAUSED:
        if (g->state == GUEST_RUNNING && !g->asked[0])
            return refused(g, "stop", err);
        return g->state == GUEST_PAUSED ? WAIT_MET : up_to(g, false, err);
    case GOAL_RUNNING:
        if (g->state == GUEST_PAUSED && !g->asked[0])
            return refused(g, "go", err);
        return g->state == GUEST_RUNNING && !g->asked[0] ? WAIT_MET : up_to(g, false, err);
    case GOAL_ADOPTED:
        return up_to(g, g->state != GUEST_ADOPTING && guest_state_info(g->state)->has_process, err);
    case GOAL_REBOOTED:
        if (g->state == GUEST_RUNNING && g->boot == w->boot && !g->asked[0])
            return refused(g, "reboot", err);
        return up_to(g, g->boot > w->boot && g->kernel_up && g->state == GUEST_RUNNING, err);
    case GOAL_STATE:
        return g->state == w->wait.state ? WAIT_MET : WAIT_PENDING;
    case GOAL_CONDITIONS:
        return judge_conditions(w, err);
    }
    return WAIT_PENDING;
}

static json_t *verb_reply(const struct guest_waiter *w)
{
    json_t *reply;
    char id[24];

    if (w->wait.goal == GOAL_REMOVED)
        return json_pack("{s:b}", "changed", w->wait.changed);
    if (w->wait.goal == GOAL_ADOPTED)
        return json_pack("{s:o,s:b}", "guest", guest_json(w->guest), "changed", w->wait.changed);
    reply = json_pack("{s:b,s:s}", "changed", w->wait.changed, "state",
                      guest_state_info(w->guest->state)->name);
    if (w->wait.reply_job && w->guest->doing)
        json_object_set_new(reply, "doing", json_string(w->guest->doing));
    if (w->wait.reply_how && w->wait.changed && w->guest->how && w->guest->ends != w->ends)
        json_object_set_new(reply, "how", json_string(w->guest->how));
    if (w->wait.reply_ready)
        json_object_set_new(reply, "ready", json_boolean(w->guest->ready));
    if (w->wait.reply_job && w->wait.job)
        json_object_set_new(reply, "job", json_string(jobs_id_text(w->wait.job, id, sizeof(id))));
    return reply;
}

static json_t *condition_reply(const struct guest_waiter *w)
{
    const struct wait_condition *c = w->met;
    json_t *reply = json_pack("{s:o,s:s}", "guest", guest_json(w->guest), "met", c->text);

    if (c->met_seq)
        json_object_set_new(reply, "seq", json_integer(c->met_seq));
    if (c->met_text)
        json_object_set_new(reply, "text", json_string(c->met_text));
    return reply;
}

static void conditions_free(struct guest_wait *wait)
{
    for (size_t i = 0; i < wait->condition_count; i++)
        wait_condition_done(&wait->conditions[i]);
    free(wait->conditions);
    wait->conditions = NULL;
    wait->condition_count = 0;
}

static void waiter_free(struct guest_waiter *w)
{
    struct guest_waiter **link = &w->guest->waiters;

    while (*link && *link != w)
        link = &(*link)->next;
    if (*link)
        *link = w->next;
    um_timer_free(w->timer);
    conditions_free(&w->wait);
    free(w);
}

/* err NULL: met. */
static void finish(struct guest_waiter *w, const struct um_error *err)
{
    struct api_call *call = call_of(w);
    json_t *reply;

    if (w->wait.job)
        jobs_end(w->umld, w->wait.job, err);
    if (call && err) {
        api_reply_error(call, err);
    } else if (call) {
        reply = w->wait.goal == GOAL_CONDITIONS ? condition_reply(w) : verb_reply(w);
        api_reply(call, reply);
    }
    if (!w->guest->removed &&
        (err ? w->wait.goal == GOAL_ADOPTED && !guest_state_info(w->guest->state)->has_process
             : w->wait.goal == GOAL_REMOVED))
        guest_remove(w->guest);
    waiter_free(w);
}

static void timed_out(void *arg)
{
    struct guest_waiter *w = arg;
    struct um_error err;
    char object[96];

    um_fail(&err, UM_E_TIMEOUT, guest_object(w->guest, object, sizeof(object)), NULL,
            "not there after %" PRId64 ".%" PRId64 " s; its state is %s%s%s%s",
            w->wait.timeout_ms / 1000, w->wait.timeout_ms % 1000 / 100,
            guest_state_info(w->guest->state)->name,
            w->guest->kernel_up && !w->guest->ready ? ", kernel up but not ready" : "",
            w->guest->doing ? ": " : "", w->guest->doing ? w->guest->doing : "");
    um_hint(&err, "it goes on; see: umlctl logs %s", w->guest->def.name);
    finish(w, &err);
}

static void progress(struct guest_waiter *w)
{
    struct api_call *call = call_of(w);

    if (!call || (w->guest->state == w->shown && w->guest->doings == w->shown_doing) ||
        w->wait.goal == GOAL_CONDITIONS || w->wait.goal == GOAL_REMOVED ||
        w->wait.goal == GOAL_ADOPTED || !api_call_more(call))
        return;
    w->shown = w->guest->state;
    w->shown_doing = w->guest->doings;
    /* A client that does not read its progress loses progress, nothing else. */
    if (!api_reply_continue(call, verb_reply(w)))
        return;
}

void guest_waiters_check(struct guest *g)
{
    struct guest_waiter *next;

    for (struct guest_waiter *w = g->waiters; w; w = next) {
        struct um_error err;
        enum wait_outcome outcome = judge(w, &err);

        next = w->next;
        if (outcome == WAIT_PENDING && w->wait.job && !g->inbox_count)
            jobs_step(w->umld, w->wait.job, guest_state_info(g->state)->name);
        if (outcome == WAIT_PENDING)
            progress(w);
        else
            finish(w, outcome == WAIT_MET ? NULL : &err);
    }
}

void guest_waiters_drop(struct guest *g)
{
    while (g->waiters)
        waiter_free(g->waiters);
}

void guest_waiters_end(struct guest *g)
{
    struct um_error err;
    char object[96];

    while (g->waiters) {
        um_fail(&err, UM_E_CANCELLED, guest_object(g, object, sizeof(object)), NULL, "was removed");
        finish(g->waiters, &err);
    }
}

static void client_gone(um_unused uint64_t call_id, void *arg)
{
    struct guest_waiter *w = arg;

    /* With a job the waiter stays: the job is ended with the outcome; the reply finds no call. */
    if (!w->wait.job && w->wait.goal != GOAL_REMOVED && w->wait.goal != GOAL_ADOPTED)
        waiter_free(w);
}

void guest_event_seen(struct umld *umld, const char *object, int64_t seq, const char *type)
{
    struct guest *g = umld->guests ? guest_find(umld, object) : NULL;

    if (!g || !g->waiters)
        return;
    for (struct guest_waiter *w = g->waiters; w; w = w->next)
        for (size_t i = 0; i < w->wait.condition_count; i++)
            wait_condition_event(&w->wait.conditions[i], seq, type);
    guest_look(g);
}

static enum um_code begin_conditions(struct guest_waiter *w, struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 0; i < w->wait.condition_count && !code; i++)
        code = wait_condition_begin(&w->wait.conditions[i], w->guest, err);
    return code;
}

static void refuse_wait(struct guest *g, struct api_call *call, const struct guest_wait *wait,
                        const struct um_error *err)
{
    if (wait->job)
        jobs_end(g->umld, wait->job, err);
    if (call)
        api_reply_error(call, err);
}

void guest_wait_add(struct guest *g, struct api_call *call, const struct guest_wait *wait)
{
    struct guest_waiter *w = calloc(1, sizeof(*w));
    struct guest_wait taken = *wait;
    struct um_error err;

    um_fail(&err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    if (w)
        w->timer = um_timer_new(g->umld->loop, timed_out, w);
    if (!w || !w->timer) {
        free(w);
        conditions_free(&taken);
        refuse_wait(g, call, wait, &err);
        return;
    }
    w->umld = g->umld;
    w->guest = g;
    w->call_id = call ? api_call_id(call) : 0;
    w->wait = taken;
    if (begin_conditions(w, &err)) {
        refuse_wait(g, call, wait, &err);
        waiter_free(w);
        return;
    }
    w->boot = g->boot;
    w->ends = g->ends;
    w->kept = g->kept;
    w->shown = GUEST_STATE_COUNT;
    w->next = g->waiters;
    g->waiters = w;
    if (call)
        api_call_on_gone(call, client_gone, w);
    um_timer_arm(w->timer, wait->timeout_ms * UM_MS_NS);
    guest_waiters_check(g);
}
