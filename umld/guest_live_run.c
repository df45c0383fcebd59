/*
 * Doing a change, one step at a time: each asks the kernel something, and the answer decides. When
 * an item fails, it and those before it are put back.
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

/* What the kernel has, in `now`. */
static void note_side(struct guest *g, const struct live_item *it, const struct live_side *side)
{
    if (!guest_live_set(g, it->name, side))
        um_log(UM_LOG_ERROR, "guest %s: %s: out of memory", g->def.name, it->name);
}

static void all_took(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);

    if (g)
        failpoint_guest("device-took", g);
    for (size_t i = 0; g && g->live && i < job->plan->count; i++)
        if (job->plan->items[i].how == LIVE_NOW)
            note_side(g, &job->plan->items[i], &job->plan->items[i].fresh);
    finish(job);
}

static bool has_to_be_done(const struct live_job *job, const struct live_item *it)
{
    return it->how == LIVE_NOW && (!job->undoing || it->touched);
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
    } while (!has_to_be_done(job, &p->items[job->at]));
    if (job->undoing)
        swap_sides(&p->items[job->at]);
    go_on(job);
}

static void tell_failed(struct live_job *job, struct guest *g, const struct live_item *it)
{
    events_emit(job->umld, "guest.device", g->def.name, "device", it->name, "action", "failed",
                "text", job->why.message, NULL);
    um_log(UM_LOG_WARNING, "guest %s: %s: %s", g->def.name, it->name, job->why.message);
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
        it->turned = true;
        next_item(job);
        return;
    }
    job->err = job->why;
    job->undoing = true;
    job->at++; /* beginning with this one, if anything was done to it */
    next_item(job);
}

/* What its kernel still has, though it should not: what is asked of it next goes by that. */
static bool still_there(const struct live_job *job, const struct live_item *it)
{
    return it->kind == DEVICE_MEM ? it->took
                                  : it->kind == DEVICE_UBD && job->step == LIVE_STEP_REMOVE;
}

/*
 * It could not be put back, so the user has to know both: what went wrong first, and what is left
 * behind by it.
 */
static void undo_failed(struct live_job *job)
{
    struct guest *g = guest_by_id(job->umld, job->guest);
    const struct live_item *it = &job->plan->items[job->at];
    size_t len = strlen(job->err.message);

    snprintf(job->err.message + len, sizeof(job->err.message) - len,
             "; and %s could not be put back: %.240s", it->name, job->why.message);
    if (g) {
        tell_failed(job, g, it);
        um_hint(&job->err, "what its kernel has now: umlctl config %s", g->def.name);
    }
    if (g && g->live && still_there(job, it))
        note_side(g, it, &it->old);
    if (job->why.code == UM_E_UNRESPONSIVE)
        finish(job);
    else
        next_item(job);
}

static void step_failed(struct live_job *job)
{
    if (job->undoing)
        undo_failed(job);
    else
        item_failed(job);
}

static void go_on(struct live_job *job)
{
    struct live_item *it = &job->plan->items[job->at];
    struct guest *g = guest_by_id(job->umld, job->guest);

    while (job->step < live_step_count && !live_steps[job->step].wanted(job, it))
        job->step++;
    if (job->step == live_step_count) {
        it->took = !job->undoing;
        next_item(job);
        return;
    }
    job->why.code = UM_OK;
    um_timer_arm(job->timer, 2 * LIVE_STEP_MS * UM_MS_NS);
    if (g && live_steps[job->step].ask(job, g, it))
        return;
    if (!job->why.code)
        live_fail(job, UM_E_BUSY, "its kernel cannot be asked");
    step_failed(job);
}

/* Whether it was done nobody knows. */
static void no_answer(struct live_job *job, struct live_item *it)
{
    it->touched = it->touched || live_steps[job->step].changes;
}

static void judge(struct live_job *job, struct live_item *it, enum live_verdict verdict)
{
    switch (verdict) {
    case STEP_DONE:
        it->touched = it->touched || live_steps[job->step].changes;
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
        job->step++;
        go_on(job);
        break;
    case STEP_FAILED:
        step_failed(job);
        break;
    }
}

void live_answered(struct live_job *job, const struct live_answer *a)
{
    struct live_item *it = &job->plan->items[job->at];
    enum live_verdict verdict;

    job->ticket = 0;
    if (a->code && !(a->code == UM_E_GUEST_ERROR && a->status)) {
        no_answer(job, it);
        verdict = live_fail(job, a->code, "%s",
                            a->code == UM_E_UNRESPONSIVE ? "its kernel does not answer" : a->text);
    } else {
        verdict = live_steps[job->step].judge(job, it, a);
    }
    judge(job, it, verdict);
}

/* Either the time to ask once more, or an answer that did not come. */
static void on_timer(void *arg)
{
    struct live_job *job = arg;

    if (!job->ticket) {
        go_on(job);
        return;
    }
    job->ticket = 0;
    no_answer(job, &job->plan->items[job->at]);
    live_fail(job, UM_E_UNRESPONSIVE, "its kernel does not answer");
    step_failed(job);
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
