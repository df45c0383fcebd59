/*
 * What is asked of guests: that it was asked, and by whom, is an event; a start or stop is a job as
 * well. The job is a waiter that outlives its client and, since goal and limit are stored, its
 * daemon.
 */
#include "umld/events.h"
#include "umld/guest_ladder.h"
#include "umld/jobs.h"
#include "vmcore/base/clock.h"

#include <string.h>

/* A daemon that was away long gives a guest at least so much before it calls it late. */
#define GRACE_MS INT64_C(10000)

static const struct {
    const char *name;
    enum guest_goal goal;
} goals[] = {
    {"ready", GOAL_READY},
    {"kernel", GOAL_KERNEL},
    {"stopped", GOAL_STOPPED},
};

void guest_ask(struct guest *g, enum guest_event event, const char *by)
{
    static const char *const verbs[] = {
        [GUEST_U_START] = "start",        [GUEST_U_STOP] = "stop",     [GUEST_U_KILL] = "kill",
        [GUEST_U_PAUSE] = "pause",        [GUEST_U_RESUME] = "resume", [GUEST_U_REBOOT] = "reboot",
        [GUEST_U_KEEP] = "keep",          [GUEST_U_ADOPT] = "adopt",   [GUEST_U_LEAVE] = "let-go",
        [GUEST_U_CLEAR] = "reset-failed",
    };

    if (g->id)
        events_emit(g->umld, "guest.asked", g->def.name, "verb", verbs[event], "by", by, NULL);
    guest_post(g, event);
}

void guest_job_begin(struct guest *g, const char *kind, uid_t uid, struct guest_wait *wait)
{
    int64_t limit = um_clock_wall_ns() + wait->timeout_ms * UM_MS_NS;

    wait->job = jobs_begin(g->umld, kind, g->def.name, uid, job_kind(kind)->cancel,
                           (void *)(uintptr_t)g->id);
    for (size_t i = 0; i < UM_ARRAY_LEN(goals); i++)
        if (wait->job && goals[i].goal == wait->goal)
            jobs_set_goal(g->umld, wait->job, goals[i].name, limit);
}

enum um_code guest_job_cancel_start(struct umld *umld, int64_t id, void *arg,
                                    um_unused struct um_error *err)
{
    struct guest *g = guest_by_id(umld, (int64_t)(uintptr_t)arg);
    char by[40] = "job ";

    jobs_id_text(id, by + strlen(by), sizeof(by) - strlen(by));
    if (g)
        guest_ask(g, GUEST_U_STOP, by);
    return UM_OK;
}

/* Ctrl-Alt-Del cannot be called back, but whether umld insists is its own affair. */
enum um_code guest_job_cancel_stop(struct umld *umld, int64_t id, void *arg, struct um_error *err)
{
    struct guest *g = guest_by_id(umld, (int64_t)(uintptr_t)arg);
    char by[40] = "job ", object[96];

    jobs_id_text(id, by + strlen(by), sizeof(by) - strlen(by));
    if (!g || (g->state == GUEST_STOPPING && g->rung <= RUNG_CAD)) {
        if (g)
            guest_ask(g, GUEST_U_KEEP, by);
        return UM_OK;
    }
    um_fail(err, UM_E_WRONG_STATE, guest_object(g, object, sizeof(object)), NULL,
            "it is too late: %s", g->doing ? g->doing : guest_state_info(g->state)->name);
    return um_hint(err, "start it again when it is down: umlctl start %s", g->def.name);
}

bool guest_job_resume(struct umld *umld, int64_t id, const char *object, const char *goal,
                      int64_t limit_ns, void **ret_arg)
{
    struct guest *g = guest_find(umld, object);
    struct guest_wait wait = {
        .goal = GOAL_STOPPED, .job = id, .timeout_ms = (limit_ns - um_clock_wall_ns()) / UM_MS_NS};

    if (!g)
        return false;
    for (size_t i = 0; i < UM_ARRAY_LEN(goals); i++)
        if (strcmp(goals[i].name, goal) == 0)
            wait.goal = goals[i].goal;
    if (wait.timeout_ms < GRACE_MS)
        wait.timeout_ms = GRACE_MS;
    *ret_arg = (void *)(uintptr_t)g->id;
    guest_wait_add(g, NULL, &wait);
    return true;
}
