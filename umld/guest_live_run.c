/*
 * Doing a change, one step at a time: each asks the kernel or the monitor something, and the answer
 * decides. When an item fails, it and those before it are put back.
 */
#include "umld/events.h"
#include "umld/failpoint.h"
#include "umld/guest_live_steps.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_AGAIN_MS = 100 };

static void go_on(struct live_job *job);

/* ---- the job ---- */

static void swap_sides(struct live_item *it)
{
    struct live_side side = it->old;

    it->old = it->fresh;
    it->fresh = side;
}

static void job_free(struct live_job *job)
{
    um_timer_free(job->timer);
    live_plan_done(job->plan);
    free(job->plan);
    free(job);
}

static void finish(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);
    const struct um_error *err = job->err.code ? &job->err : NULL;

    job->ticket = 0;
    if (g && g->live)
        g->live->job = NULL;
    job->done(job->umld, g, job->plan, err, job->arg);
    job_free(job);
}

/* What the item is now is noted; what it was held open for is let go. */
static void item_took(struct guest *g, const struct live_item *it)
{
    if (!guest_live_set(g, it->name, &it->fresh))
        um_log(UM_LOG_ERROR, "guest %s: %s: out of memory", g->def.name, it->name);
    if (it->old.hold != it->fresh.hold)
        live_drop_hold(g, it->old.hold);
}

static void all_took(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);

    if (g)
        failpoint_guest("device-took", g);
    for (size_t i = 0; g && g->live && i < job->plan->count; i++)
        if (job->plan->items[i].how == LIVE_NOW)
            item_took(g, &job->plan->items[i]);
    finish(job);
}

/* On to the next item, which while undoing is the one before. */
static void next_item(struct live_job *job)
{
    struct live_plan *p = job->plan;

    job->step = 0;
    do {
        if (job->undoing && job->at == 0) {
            finish(job);
            return;
        }
        job->at += job->undoing ? (size_t)-1 : 1;
        if (job->at == p->count) {
            all_took(job);
            return;
        }
    } while (p->items[job->at].how != LIVE_NOW);
    if (job->undoing)
        swap_sides(&p->items[job->at]);
    go_on(job);
}

static void tell_failed(struct live_job *job, struct guest *g, struct live_item *it)
{
    events_emit(job->umld, "guest.device", g->def.name, "device", it->name, "action", "failed",
                "text", job->err.message, NULL);
    um_log(UM_LOG_WARNING, "guest %s: %s: %s", g->def.name, it->name, job->err.message);
}

static void item_failed(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);
    struct live_item *it = &job->plan->items[job->at];

    if (!g) {
        finish(job);
        return;
    }
    tell_failed(job, g, it);
    if (job->flags & LIVE_SINGLY) { /* it stays what it was before */
        swap_sides(it);
        job->err.code = UM_OK;
        next_item(job);
    } else if (job->undoing) {
        next_item(job);
    } else {
        job->undoing = true;
        swap_sides(it);
        job->step = 0;
        go_on(job);
    }
}

static void undo_done(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);
    struct live_item *it = &job->plan->items[job->at];

    if (g && it->old.hold != it->fresh.hold)
        live_drop_hold(g, it->old.hold);
    next_item(job);
}

/* Keeps the first error: what follows from it while undoing is logged only. */
static void step_failed(struct live_job *job, const struct um_error *first)
{
    if (job->undoing) {
        struct guest *g = guest_by_id(job->umld, job->guest);

        if (g)
            tell_failed(job, g, &job->plan->items[job->at]);
        job->err = *first;
        if (job->err.code == UM_E_UNRESPONSIVE)
            finish(job);
        else
            next_item(job);
        return;
    }
    item_failed(job);
}

static void go_on(struct live_job *job)
{
    struct live_item *it = &job->plan->items[job->at];
    struct guest *g = guest_by_id(job->umld, job->guest);
    struct um_error first = job->err;

    while (job->step < live_step_count && !live_steps[job->step].wanted(job, it))
        job->step++;
    if (job->step == live_step_count) {
        if (job->undoing)
            undo_done(job);
        else
            next_item(job);
        return;
    }
    if (!job->undoing)
        job->err.code = UM_OK;
    um_timer_arm(job->timer, 2 * LIVE_STEP_MS * UM_MS_NS);
    if (g && live_steps[job->step].ask(job, g, it))
        return;
    if (!job->err.code || job->undoing)
        live_fail(job, UM_E_BUSY, "its kernel or monitor cannot be asked");
    step_failed(job, &first);
}

void live_answered(struct live_job *job, const struct live_answer *a)
{
    struct live_item *it = &job->plan->items[job->at];
    struct um_error first = job->err;
    enum live_verdict verdict;

    job->ticket = 0;
    if (a->code && !(a->code == UM_E_GUEST_ERROR && a->status))
        verdict = live_fail(job, a->code, "%s",
                            a->code == UM_E_UNRESPONSIVE ? "its kernel does not answer" : a->text);
    else
        verdict = live_steps[job->step].judge(job, it, a);
    switch (verdict) {
    case STEP_DONE:
        job->step++;
        go_on(job);
        break;
    case STEP_AGAIN: /* asked again already, or a little later */
        if (!job->ticket)
            um_timer_arm(job->timer, ASK_AGAIN_MS * UM_MS_NS);
        break;
    case STEP_ITEM_DONE:
        next_item(job);
        break;
    case STEP_TURN:
        swap_sides(it);
        it->turned = true;
        job->step = LIVE_AFTER_LOOK;
        go_on(job);
        break;
    case STEP_FAILED:
        step_failed(job, &first);
        break;
    }
}

/* Either the time to ask once more, or an answer that did not come. */
static void on_timer(void *arg)
{
    struct live_job *job = arg;
    struct um_error first = job->err;

    if (!job->ticket) {
        go_on(job);
        return;
    }
    job->ticket = 0;
    live_fail(job, UM_E_UNRESPONSIVE, "neither its kernel nor its monitor answers");
    step_failed(job, &first);
}

enum um_code live_run(struct guest *g, struct live_plan *plan, unsigned flags, live_done_fn done,
                      void *arg, struct um_error *err)
{
    struct live_job *job = calloc(1, sizeof(*job));

    if (job)
        job->timer = um_timer_new(g->umld->loop, on_timer, job);
    if (!job || !job->timer) {
        free(job);
        return um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    }
    job->umld = g->umld;
    job->guest = g->id;
    job->plan = plan;
    job->flags = flags;
    job->done = done;
    job->arg = arg;
    job->at = (size_t)-1;
    job->boot_limit_ns = um_clock_mono_ns() + LIVE_BOOT_MS * UM_MS_NS;
    g->live->job = job;
    next_item(job);
    return UM_OK;
}

void live_job_end(struct guest *g)
{
    struct live_job *job = g->live->job;

    if (!job)
        return;
    um_fail(&job->err, UM_E_NOT_RUNNING, NULL, NULL, "it ended before the change was done");
    finish(job);
}
