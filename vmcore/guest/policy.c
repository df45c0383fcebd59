#include "vmcore/guest/policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* A panic on the way is the better reason. */
static bool ended_hung(const struct policy_end *e)
{
    return (e->kind == POLICY_END_EXIT || e->kind == POLICY_END_UNTOLD) && !e->panicked &&
           (e->hung == HANG_RESTART || e->hung == HANG_KILL);
}

static bool may_retry(const struct policy_input *in)
{
    return ended_hung(&in->end) ? in->end.hung == HANG_RESTART : in->restart != RESTART_NEVER;
}

bool policy_end_clean(const struct policy_end *e)
{
    bool status =
        e->kind == POLICY_END_UNTOLD || (e->kind == POLICY_END_EXIT && WIFEXITED(e->wait_status) &&
                                         WEXITSTATUS(e->wait_status) == 0);

    return status && !e->panicked && !e->timed_out && !ended_hung(e);
}

/* Delay before try number n (1: the first again). */
static int64_t delay_of(unsigned n)
{
    int64_t delay = POLICY_DELAY_MIN_MS;

    while (n-- > 1 && delay < POLICY_DELAY_MAX_MS)
        delay *= 2;
    return delay < POLICY_DELAY_MAX_MS ? delay : POLICY_DELAY_MAX_MS;
}

/* One more in a row, unless it lived long enough to begin a new row. */
static unsigned count(const struct policy_end *e, unsigned before)
{
    if (e->uptime_ms >= POLICY_STABLE_MS)
        return 1;
    return before < 1000 ? before + 1 : before;
}

static void decide_failed(const struct policy_input *in, struct policy_verdict *v)
{
    const struct policy_end *e = &in->end;
    bool permanent =
        (e->kind == POLICY_END_PREPARE || e->kind == POLICY_END_SPAWN) && !e->retryable;
    bool tried_again = may_retry(in) && !permanent;

    v->failures = count(e, in->failures);
    v->ends = count(e, in->ends);
    v->braked = tried_again && v->failures >= POLICY_FAILURES_MAX;
    v->want_up = tried_again && !v->braked;
    v->event = v->want_up ? GUEST_R_RETRY : GUEST_R_FAIL;
    v->delay_ms = v->want_up ? delay_of(v->ends) : 0;
}

void policy_decide(const struct policy_input *in, struct policy_verdict *ret)
{
    *ret = (struct policy_verdict){.event = GUEST_R_DONE};
    if (!in->want_up)
        return;
    if (in->start_asked) {
        ret->event = GUEST_R_RETRY;
        ret->want_up = true;
    } else if (in->end.kind != POLICY_END_CANCEL && !policy_end_clean(&in->end)) {
        decide_failed(in, ret);
    } else if (in->end.kind != POLICY_END_CANCEL && in->restart == RESTART_ALWAYS) {
        ret->event = GUEST_R_RETRY;
        ret->want_up = true;
        ret->ends = count(&in->end, in->ends);
        ret->delay_ms = delay_of(ret->ends);
    }
}

static const char *exit_cause(const struct policy_end *e, char *buf, size_t size)
{
    if (e->panicked)
        snprintf(buf, size, "kernel panic%s%s", e->text && *e->text ? ": " : "",
                 e->text ? e->text : "");
    else if (WIFSIGNALED(e->wait_status) && WTERMSIG(e->wait_status) == 6)
        /* A panic whose notification was lost also ends in abort(). */
        snprintf(buf, size, "killed by signal 6 (Aborted), probably a kernel panic");
    else if (WIFSIGNALED(e->wait_status))
        snprintf(buf, size, "killed by signal %d (%s)", WTERMSIG(e->wait_status),
                 strsignal(WTERMSIG(e->wait_status)));
    else if (WIFEXITED(e->wait_status) && WEXITSTATUS(e->wait_status) != 0)
        snprintf(buf, size, "exit status %d", WEXITSTATUS(e->wait_status));
    else if (WIFEXITED(e->wait_status))
        snprintf(buf, size, "powered off");
    else
        snprintf(buf, size, "ended with unknown status %d", e->wait_status);
    return buf;
}

const char *policy_cause(const struct policy_end *e, char *buf, size_t size)
{
    const char *text = e->text && *e->text ? e->text : NULL;

    switch (e->kind) {
    case POLICY_END_EXIT:
        if (e->starved && !e->stopping)
            snprintf(buf, size, "killed by the host: its memory limit (limit:memory) was reached");
        else if (ended_hung(e))
            snprintf(buf, size, "hung%s%s", text ? ": " : "", text ? text : "");
        else if (e->timed_out && !e->panicked)
            snprintf(buf, size, "%s", text ? text : "not ready in time");
        else if (e->stopping && !e->panicked)
            snprintf(buf, size, "%s", policy_end_clean(e) ? "stopped" : "killed");
        else
            exit_cause(e, buf, size);
        break;
    case POLICY_END_PREPARE:
        snprintf(buf, size, "cannot start: %s", text ? text : "preparing took too long");
        break;
    case POLICY_END_SPAWN:
        snprintf(buf, size, "cannot start: %s", text ? text : "its monitor could not be started");
        break;
    case POLICY_END_LOST:
        snprintf(buf, size, "%s", text ? text : "monitor died");
        break;
    case POLICY_END_UNTOLD:
        if (ended_hung(e))
            snprintf(buf, size, "hung%s%s", text ? ": " : "", text ? text : "");
        else
            snprintf(buf, size, "%s",
                     e->stopping ? "stopped" : "ended; how is known to its parent only");
        break;
    case POLICY_END_LEFT:
        snprintf(buf, size, "let go; it runs on");
        break;
    case POLICY_END_CANCEL:
        snprintf(buf, size, "stopped before it was started");
        break;
    }
    return buf;
}
