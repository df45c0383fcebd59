/*
 * The one place where a network's state changes: table of network_state.h, actions as a table of
 * functions. What starts, asks or ends something is an effect and runs once all is committed.
 */
#include "umld/events.h"
#include "umld/network_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_cause(struct network *n, const char *fmt, va_list ap)
{
    char text[640];

    vsnprintf(text, sizeof(text), fmt, ap);
    free(n->cause);
    n->cause = text[0] ? strdup(text) : NULL;
}

void network_set_cause(struct network *n, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_cause(n, fmt, ap);
    va_end(ap);
}

void network_condemn(struct network *n, const char *fmt, ...)
{
    va_list ap;

    if (n->condemned)
        return;
    n->condemned = true;
    va_start(ap, fmt);
    set_cause(n, fmt, ap);
    va_end(ap);
    network_post(n, NETWORK_N_BAD);
}

void network_post(struct network *n, enum network_event event)
{
    if (n->inbox_count == NETWORK_INBOX_MAX) {
        um_log(UM_LOG_ERROR, "network %s: inbox full, %s dropped", n->def.name,
               network_event_name(event));
        return;
    }
    if (!n->inbox_count && !n->effects)
        n->umld->networks->busy++;
    n->inbox[n->inbox_count++] = (unsigned char)event;
}

static void effect(struct network *n, enum network_action action)
{
    if (!n->inbox_count && !n->effects)
        n->umld->networks->busy++;
    n->effects |= 1u << action;
}

/* ---- calls that wait ---- */

bool network_wait(struct network *n, struct api_call *call)
{
    struct network_call *c = malloc(sizeof(*c));

    if (!c)
        return false;
    *c = (struct network_call){api_call_id(call), n->calls};
    n->calls = c;
    return true;
}

static void answer_calls(struct network *n)
{
    while (n->calls) {
        struct network_call *c = n->calls;
        struct api_call *call = api_call_find(n->umld->server, c->id);
        struct um_error err;
        char object[96];

        n->calls = c->next;
        free(c);
        if (!call)
            continue;
        if (n->removed) {
            api_reply(call, json_pack("{s:b}", "changed", 1));
        } else if (n->state == NETWORK_FAILED) {
            um_fail(&err, UM_E_WRONG_STATE, network_object(n->def.name, object), NULL, "failed: %s",
                    n->cause ? n->cause : "");
            um_hint(&err, "see the daemon's log; then: umlctl net restart %s", n->def.name);
            api_reply_error(call, &err);
        } else {
            api_reply(call, json_pack("{s:o,s:b}", "network", network_json(n), "changed", 1));
        }
    }
}

/* ---- actions ---- */

static void act_none(um_unused struct network *n, um_unused enum network_action a)
{
}

static void act_effect(struct network *n, enum network_action a)
{
    effect(n, a);
}

static void act_renew(struct network *n, um_unused enum network_action a)
{
    n->death_count = n->in_a_row = 0;
    effect(n, NETWORK_ACT_SPAWN);
}

static void act_up(struct network *n, um_unused enum network_action a)
{
    char pid[16];

    n->running_ns = um_clock_mono_ns();
    n->found = false;
    network_set_cause(n, "%s", "");
    snprintf(pid, sizeof(pid), "%d", (int)n->pid);
    events_emit(n->umld, "network.up", n->def.name, "pid", pid, "kept", n->kept ? "yes" : "no",
                NULL);
    network_ports_answer(n, 0, "");
    network_guests_wake(n->umld);
    answer_calls(n);
}

static void act_arm(struct network *n, um_unused enum network_action a)
{
    enum { FIRST_MS = 100, FACTOR = 4, MOST_MS = 15000 };
    int64_t delay_ms = 0; /* the first time at once: nobody shall notice */

    for (unsigned i = 1; i < n->in_a_row && delay_ms < MOST_MS; i++)
        delay_ms = delay_ms ? delay_ms * FACTOR : FIRST_MS;
    n->restarts++;
    events_emit(n->umld, "network.down", n->def.name, "cause", n->cause, NULL);
    um_log(UM_LOG_WARNING, "network %s: %s; starts again in %" PRId64 " ms", n->def.name,
           n->cause ? n->cause : "umlnetd has ended", delay_ms);
    um_timer_arm(n->limit, delay_ms * UM_MS_NS);
}

static void act_fail(struct network *n, um_unused enum network_action a)
{
    char why[640];

    snprintf(why, sizeof(why), "%s", n->cause ? n->cause : "umlnetd has ended");
    network_set_cause(n, "umlnetd died %d times within a minute, the last time: %s",
                      NETWORK_WORN_DEATHS, why);
    events_emit(n->umld, "network.failed", n->def.name, "cause", n->cause, NULL);
    um_log(UM_LOG_ERROR, "network %s: failed: %s", n->def.name, n->cause ? n->cause : why);
    network_ports_answer(n, EHOSTDOWN, n->cause ? n->cause : why);
    network_guests_wake(n->umld);
    answer_calls(n);
}

static void (*const actions[NETWORK_ACTION_COUNT])(struct network *n, enum network_action a) = {
    [NETWORK_ACT_NONE] = act_none,        [NETWORK_ACT_SPAWN] = act_effect,
    [NETWORK_ACT_RENEW] = act_renew,      [NETWORK_ACT_CONNECT] = act_effect,
    [NETWORK_ACT_CONFIGURE] = act_effect, [NETWORK_ACT_UP] = act_up,
    [NETWORK_ACT_HANDOVER] = act_effect,  [NETWORK_ACT_KILL] = act_effect,
    [NETWORK_ACT_ARM] = act_arm,          [NETWORK_ACT_FAIL] = act_fail,
    [NETWORK_ACT_END] = act_effect,       [NETWORK_ACT_FREE] = act_effect,
};

static void set_limit(struct network *n)
{
    int64_t ms = network_state_info(n->state)->timeout_ms;

    if (ms)
        um_timer_arm(n->limit, ms * UM_MS_NS);
    else
        um_timer_disarm(n->limit);
}

static void step(struct network *n, enum network_event event)
{
    struct network_transition t = network_next(n->state, event);
    enum network_state before = n->state;

    if (!t.defined)
        return;
    n->state = t.next;
    /* What keeps the state because it took too long gets the time once more. */
    if (before != t.next || event == NETWORK_T_EXPIRED)
        set_limit(n);
    if (before != t.next)
        um_log(UM_LOG_INFO, "network %s: %s -> %s (%s)", n->def.name,
               network_state_info(before)->name, network_state_info(t.next)->name,
               network_event_name(event));
    actions[t.action](n, t.action);
}

void networks_drain(struct umld *umld)
{
    if (!umld->networks->busy)
        return;
    for (struct network *n = umld->networks->list; n; n = n->next) {
        unsigned char events[NETWORK_INBOX_MAX];
        unsigned count = n->inbox_count;

        if (!count)
            continue;
        memcpy(events, n->inbox, count);
        n->inbox_count = 0;
        /* Counted again by the effects they mark. */
        if (!n->effects)
            umld->networks->busy--;
        for (unsigned i = 0; i < count; i++)
            step(n, (enum network_event)events[i]);
    }
}

/* ---- effects ---- */

static void do_connect(struct network *n)
{
    struct um_error err;

    if (n->state != NETWORK_STARTING || n->fd >= 0)
        return;
    if (network_connect(n, &err)) {
        network_set_cause(n, "%s: %s", err.object, err.message);
        network_post(n, NETWORK_N_LOST);
    }
}

static void do_handover(struct network *n)
{
    if (!network_ask(n, NETD_CTL_HANDOVER, NULL, 0, -1, NULL, NULL))
        network_condemn(n, "umlnetd (pid %d) cannot be asked to let go", (int)n->pid);
}

static void do_kill(struct network *n)
{
    /* Its end may have been seen in the same round as why it was to be ended. */
    if (n->pid || n->state == NETWORK_STARTING)
        network_signal(n, SIGKILL);
}

static void do_end(struct network *n)
{
    network_signal(n, SIGTERM);
}

static void do_free(struct network *n)
{
    answer_calls(n);
    network_free(n);
}

static const struct {
    enum network_action action;
    void (*run)(struct network *n);
} effect_rows[] = {
    {NETWORK_ACT_SPAWN, network_spawn},
    {NETWORK_ACT_CONNECT, do_connect},
    {NETWORK_ACT_CONFIGURE, network_configure},
    {NETWORK_ACT_HANDOVER, do_handover},
    {NETWORK_ACT_KILL, do_kill},
    {NETWORK_ACT_END, do_end},
    {NETWORK_ACT_FREE, do_free}, /* last: it is gone then */
};

bool networks_effects(struct umld *umld)
{
    struct networks *all = umld->networks;

    for (struct network *n = all->list, *next; n && all->busy; n = next) {
        unsigned effects = n->effects;

        next = n->next;
        if (!effects)
            continue;
        n->effects = 0;
        if (!n->inbox_count)
            all->busy--;
        for (size_t i = 0; i < UM_ARRAY_LEN(effect_rows); i++)
            if (effects & 1u << effect_rows[i].action)
                effect_rows[i].run(n);
    }
    return all->busy > 0;
}

void network_begin(struct network *n)
{
    n->state = NETWORK_STARTING;
    set_limit(n);
    effect(n, n->found ? NETWORK_ACT_CONNECT : NETWORK_ACT_SPAWN);
}
