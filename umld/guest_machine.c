/*
 * The one place where a guest's state changes: table of vmcore/guest/state.h, actions as a table of
 * functions. Actions only change the struct and mark effects (see guest.h).
 */
#include "umld/events.h"
#include "umld/failpoint.h"
#include "umld/guest_evidence.h"
#include "umld/guest_ladder.h"
#include "umld/guest_order.h"
#include "umld/settings.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void end_clear(struct guest *g)
{
    free((char *)(uintptr_t)g->end.text);
    g->end = (struct policy_end){.kind = POLICY_END_EXIT};
}

void guest_note_failure(struct guest *g, enum policy_end_kind kind, const struct um_error *err)
{
    char text[1024];

    end_clear(g);
    g->end.kind = kind;
    g->end.retryable = err->retryable;
    g->end.text = strdup(um_error_text(err, text, sizeof(text)));
    g->end_code = err->code;
}

static void act_none(um_unused struct guest *g)
{
}

static void act_prepare(struct guest *g)
{
    end_clear(g);
    g->end_code = UM_OK;
    g->starts++;
    g->start_asked = g->kill_asked = g->parked = g->looked = false;
    g->ladder_found = g->stop_rebooted = false;
    g->how = NULL;
    g->rung = RUNG_RESUME;
    g->rung_ns = g->grace_ms = 0;
    g->asked = "";
    g->ready = g->kernel_up = false;
    guest_signals_reset(g);
    g->signals.dropped = 0;
    g->hung = false;
    guest_set_cause(g, NULL);
    guest_effect(g, EFFECT_PREPARE);
}

static void act_spawn(struct guest *g)
{
    guest_effect(g, EFFECT_SPAWN);
}

static void act_cancel(struct guest *g)
{
    end_clear(g);
    /* Wished away, or out of time: the latter is a failure like any other. */
    g->end.kind = g->want_up && !g->parked ? POLICY_END_PREPARE : POLICY_END_CANCEL;
    g->end.timed_out = g->end.retryable = g->end.kind == POLICY_END_PREPARE;
    guest_effect(g, EFFECT_RELEASE);
}

static void announce(struct guest *g, const char *type)
{
    char boot[24];

    if (!g->id)
        return;
    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    events_emit(g->umld, type, g->def.name, "boot", boot, NULL);
}

static void log_since(struct guest *g, const char *what)
{
    um_log(UM_LOG_INFO, "guest %s: %s after %" PRId64 " ms", g->def.name, what,
           (um_clock_wall_ns() - g->start_ns) / UM_MS_NS);
}

static void act_up(struct guest *g)
{
    g->kernel_up = true;
    announce(g, "guest.kernel-up");
    log_since(g, "kernel up");
    /* A guest that never says it is ready must not hold up others for ever. */
    um_timer_arm(g->step, 5 * UM_SEC_NS);
    guest_touch(g);
}

static void act_ready(struct guest *g)
{
    guest_slot_release(g);
    if (g->ready)
        return;
    g->ready = true;
    announce(g, "guest.ready");
    log_since(g, "ready");
    guest_touch(g);
}

static void act_rebooted(struct guest *g)
{
    guest_lanes_close(g);
    guest_watch_rebooted(g);
    if (g->stranger)
        guest_ask_stranger(g);
    g->kernel_up = true;
    g->asked = "";
    announce(g, "guest.rebooted");
    um_log(UM_LOG_INFO, "guest %s: rebooted in place, boot %" PRIu64, g->def.name, g->boot);
    guest_touch(g);
}

static void act_send_stop(struct guest *g)
{
    g->asked = "pause";
    guest_touch(g);
    guest_effect(g, EFFECT_PAUSE);
}

static void act_send_go(struct guest *g)
{
    g->asked = "resume";
    guest_touch(g);
    guest_effect(g, EFFECT_RESUME);
}

static void act_paused(struct guest *g)
{
    guest_slot_release(g);
    if (strcmp(g->asked, "pause") == 0) /* a resume behind it is still under way */
        g->asked = "";
    announce(g, "guest.paused");
    guest_touch(g);
}

static void act_resumed(struct guest *g)
{
    g->asked = "";
    announce(g, "guest.resumed");
    guest_touch(g);
}

static void act_halt(struct guest *g)
{
    guest_slot_release(g);
    g->end.stopping = true;
    /* A pause that is under way may win: resume before anything else. */
    guest_ladder_from(g, strcmp(g->asked, "pause") == 0 ? RUNG_RESUME : RUNG_CAD);
}

static void act_go_and_halt(struct guest *g)
{
    g->end.stopping = true;
    guest_ladder_from(g, RUNG_RESUME);
}

static void act_reboot(struct guest *g)
{
    g->asked = "reboot";
    guest_touch(g);
    guest_effect(g, EFFECT_REBOOT);
}

static void act_halt_now(struct guest *g)
{
    guest_effect(g, EFFECT_HALT);
}

static void act_kill(struct guest *g)
{
    guest_slot_release(g);
    if (g->parked) /* not wanted down, as any other kill says */
        g->asked = "start";
    guest_effect(g, EFFECT_KILL);
}

static void act_kept(struct guest *g)
{
    guest_ladder_leave(g, "taken back");
    g->start_asked = g->parked = g->end.stopping = false;
    g->asked = "";
    g->kept++;
    guest_touch(g);
}

static void act_release(struct guest *g)
{
    guest_effect(g, EFFECT_RELEASE);
}

static void act_report_leak(struct guest *g)
{
    um_log(UM_LOG_ERROR, "guest %s: its resources could not be released in time", g->def.name);
    guest_set_cause(g, "resources could not be released in time (see the daemon's log)");
    g->want_up = false;
    announce(g, "guest.failed");
    if (!g->id)
        guest_remove(g);
}

static void act_stopped(struct guest *g)
{
    char boot[24];

    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    if (g->id)
        events_emit(g->umld, "guest.stopped", g->def.name, "boot", boot, "how", g->how, NULL);
    guest_effect(g, EFFECT_FORGET);
    if (!g->id)
        guest_remove(g);
}

static void act_arm(struct guest *g)
{
    if (g->failures) /* by itself, not because a user asked */
        g->restarts++;
    g->next_start_ns = um_clock_wall_ns() + g->backoff_ms * UM_MS_NS;
    guest_effect(g, EFFECT_FORGET);
    um_log(UM_LOG_INFO, "guest %s: starts again in %" PRId64 " ms", g->def.name, g->backoff_ms);
    guest_touch(g);
}

static void act_failed(struct guest *g)
{
    announce(g, "guest.failed");
    um_log(UM_LOG_WARNING, "guest %s: failed: %s", g->def.name, g->cause ? g->cause : "no cause");
    guest_effect(g, EFFECT_FORGET);
    if (!g->id)
        guest_remove(g);
}

static void act_want_up(struct guest *g)
{
    g->start_asked = true;
    g->asked = "start";
    guest_touch(g);
}

static void act_want_down(struct guest *g)
{
    g->start_asked = false;
    if (strcmp(g->asked, "start") == 0)
        g->asked = "";
    if (g->state == GUEST_STOPPED)
        guest_set_cause(g, NULL);
    guest_touch(g);
}

static void act_reattach(struct guest *g)
{
    guest_effect(g, EFFECT_REATTACH);
}

static void act_attach(struct guest *g)
{
    um_log(UM_LOG_NOTICE, "guest %s: adopted, %s, pid %d", g->def.name,
           guest_state_info(g->state)->name, (int)g->main_pid);
    announce(g, "guest.adopted");
    guest_touch(g);
    /* A stop that came while it was being asked. */
    if (!g->want_up || g->parked)
        guest_post(g, GUEST_U_STOP);
}

/* From here on as if the daemon had been restarted while it ran. */
static void act_watch(struct guest *g)
{
    end_clear(g);
    g->adopting_from = GUEST_RUNNING;
    guest_effect(g, EFFECT_WATCH);
}

static void act_leave(struct guest *g)
{
    end_clear(g);
    g->end.kind = POLICY_END_LEFT;
    guest_effect(g, EFFECT_RELEASE);
}

static void (*const actions[GUEST_ACTION_COUNT])(struct guest *g) = {
    [GUEST_ACT_NONE] = act_none,
    [GUEST_ACT_REFUSE] = act_none,
    [GUEST_ACT_PREPARE] = act_prepare,
    [GUEST_ACT_SPAWN] = act_spawn,
    [GUEST_ACT_CANCEL] = act_cancel,
    [GUEST_ACT_NOTE] = act_none,
    [GUEST_ACT_UP] = act_up,
    [GUEST_ACT_READY] = act_ready,
    [GUEST_ACT_REBOOTED] = act_rebooted,
    [GUEST_ACT_SEND_STOP] = act_send_stop,
    [GUEST_ACT_SEND_GO] = act_send_go,
    [GUEST_ACT_PAUSED] = act_paused,
    [GUEST_ACT_RESUMED] = act_resumed,
    [GUEST_ACT_HALT] = act_halt,
    [GUEST_ACT_GO_AND_HALT] = act_go_and_halt,
    [GUEST_ACT_SEND_REBOOT] = act_reboot,
    [GUEST_ACT_HALT_NOW] = act_halt_now,
    [GUEST_ACT_KILL] = act_kill,
    [GUEST_ACT_KILL_HARDER] = act_kill,
    [GUEST_ACT_RELEASE] = act_release,
    [GUEST_ACT_REPORT_LEAK] = act_report_leak,
    [GUEST_ACT_STOPPED] = act_stopped,
    [GUEST_ACT_ARM] = act_arm,
    [GUEST_ACT_FAILED] = act_failed,
    [GUEST_ACT_WANT_UP] = act_want_up,
    [GUEST_ACT_WANT_DOWN] = act_want_down,
    [GUEST_ACT_KEPT] = act_kept,
    [GUEST_ACT_REATTACH] = act_reattach,
    [GUEST_ACT_ATTACH] = act_attach,
    [GUEST_ACT_WATCH] = act_watch,
    [GUEST_ACT_LEAVE] = act_leave,
};

static int64_t limit_ms(const struct guest *g)
{
    if (g->state == GUEST_BACKOFF)
        return g->backoff_ms;
    if (g->state == GUEST_BOOTING)
        return settings_int(g->umld, SETTING_BOOT_SECONDS) * 1000;
    if (g->state == GUEST_STOPPING)
        return guest_ladder_limit_ms(g);
    return guest_state_info(g->state)->timeout_ms;
}

static void enter(struct guest *g, enum guest_state next, enum guest_event event)
{
    const struct guest_state_info *from = guest_state_info(g->state), *to = guest_state_info(next);

    um_timer_disarm(g->limit);
    um_timer_disarm(g->step);
    g->state = next;
    guest_order_forget(g);
    guest_clear_doing(g);
    /* Who waits for the end sees it go by, even if a start follows in the same round. */
    g->ends += to->stable && !to->has_process;
    if (limit_ms(g) > 0 || next == GUEST_BACKOFF)
        um_timer_arm(g->limit, limit_ms(g) * UM_MS_NS);
    um_log(UM_LOG_INFO, "guest %s: %s -> %s (%s)", g->def.name, from->name, to->name,
           guest_event_name(event));
    if (g->id)
        events_emit(g->umld, "guest.state", g->def.name, "from", from->name, "to", to->name, "why",
                    guest_event_name(event), "text", guest_event_words(event), NULL);
    guest_touch(g);
    if (next == GUEST_RUNNING && g->live)
        guest_effect(g, EFFECT_DEVICES); /* what waited for a kernel that takes changes */
    failpoint_guest("enter", g);
}

/* The guest asked for what is about to be done. */
static void announce_wish(struct guest *g, const char *wish)
{
    char boot[24];

    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    events_emit(g->umld, "guest.want", g->def.name, "boot", boot, "want", wish, NULL);
    um_log(UM_LOG_INFO, "guest %s: wants %s", g->def.name, wish);
}

/* What a user's event says about the desired state, whatever the present one. */
static void take_wish(struct guest *g, enum guest_event event)
{
    bool up = event == GUEST_U_START || event == GUEST_U_KEEP || event == GUEST_U_ADOPT;
    bool down = event == GUEST_U_STOP || event == GUEST_U_KILL || event == GUEST_U_LEAVE ||
                event == GUEST_M_WANT_HALT;

    if ((up && !g->want_up) || (down && g->want_up && !g->parked)) {
        g->want_up = up;
        guest_touch(g);
    }
    /* A user's start forgives what went wrong before. */
    if ((up || event == GUEST_U_CLEAR) &&
        (g->state == GUEST_FAILED || g->state == GUEST_STOPPED || g->state == GUEST_BACKOFF))
        g->failures = g->early_ends = 0;
    if (down) {
        g->end.stopping = true;
        g->start_asked = false;
        if (strcmp(g->asked, "start") == 0)
            g->asked = "";
    }
}

void guest_step(struct guest *g, enum guest_event event)
{
    struct guest_transition t = guest_next(g->state, event);

    if (g->removed)
        return;
    if (!t.defined) {
        um_log(UM_LOG_DEBUG, "guest %s: %s means nothing in state %s", g->def.name,
               guest_event_name(event), guest_state_info(g->state)->name);
        return;
    }
    /* Waiting for a place among the booting guests is not the guest's own delay. */
    if (event == GUEST_T_EXPIRED && g->state == GUEST_PREPARING && g->wants_slot) {
        um_timer_arm(g->limit, limit_ms(g) * UM_MS_NS);
        return;
    }
    if (event == GUEST_T_EXPIRED && g->waits) {
        guest_order_give_up(g);
        return;
    }
    if (event == GUEST_T_EXPIRED && (g->state == GUEST_BOOTING || g->state == GUEST_ADOPTING))
        g->end.timed_out = true;
    if (event == GUEST_M_WANT_HALT || event == GUEST_M_WANT_REBOOT)
        announce_wish(g, event == GUEST_M_WANT_HALT ? "halt" : "reboot");
    take_wish(g, event);
    if (t.next != g->state)
        enter(g, t.next, event);
    else if (event == GUEST_T_EXPIRED && limit_ms(g) > 0)
        um_timer_arm(g->limit, limit_ms(g) * UM_MS_NS);
    actions[t.action](g);
}

/* Each life's end and what it was due to: a row of them is what explain tells. */
static void announce_end(struct guest *g)
{
    char boot[24], failures[24], cause[512];

    if (!g->id)
        return;
    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    snprintf(failures, sizeof(failures), "%u", g->failures);
    events_emit(g->umld, "guest.ended", g->def.name, "boot", boot, "cause",
                policy_cause(&g->end, cause, sizeof(cause)), "failures", failures, NULL);
}

void guest_judge_end(struct guest *g)
{
    struct policy_input in = {.end = g->end,
                              .restart = g->def.restart,
                              .want_up = g->want_up && !g->parked,
                              .start_asked = g->start_asked,
                              .failures = g->failures,
                              .ends = g->early_ends};
    struct policy_verdict verdict;
    char cause[512], braked[600];

    in.end.uptime_ms =
        g->start_ns && g->exit_ns > g->start_ns ? (g->exit_ns - g->start_ns) / UM_MS_NS : 0;
    policy_decide(&in, &verdict);
    g->failures = verdict.failures;
    g->early_ends = verdict.ends;
    if (!g->parked)
        g->want_up = verdict.want_up;
    g->backoff_ms = verdict.delay_ms;
    g->start_asked = false;
    g->ends++;
    announce_end(g);
    /* A guest that was told to go down needs no explanation; anything else does. */
    if (g->end.kind == POLICY_END_CANCEL || (g->end.stopping && verdict.event == GUEST_R_DONE))
        guest_set_cause(g, NULL);
    else
        guest_set_cause(g, policy_cause(&g->end, cause, sizeof(cause)));
    if (verdict.braked) {
        snprintf(braked, sizeof(braked), "%s (%u failures in a row: not started again)",
                 g->cause ? g->cause : "failed", g->failures);
        guest_set_cause(g, braked);
    }
    if (g->end.panicked)
        guest_evidence_of_panic(g);
    guest_touch(g);
    guest_post(g, verdict.event);
}
