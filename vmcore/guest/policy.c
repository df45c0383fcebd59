#include "vmcore/guest/policy.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* A panic on the way is the better reason. */
static bool ended_hung(const struct policy_end *e)
{
    return e->kind == POLICY_END_EXIT && !e->panicked &&
           (e->hung == HANG_RESTART || e->hung == HANG_KILL);
}

static bool may_retry(const struct policy_input *in)
{
    return ended_hung(&in->end) ? in->end.hung == HANG_RESTART : in->restart != RESTART_NEVER;
}

bool policy_end_clean(const struct policy_end *e)
{
    return e->kind == POLICY_END_EXIT && !e->panicked && !e->timed_out && !ended_hung(e) &&
           WIFEXITED(e->wait_status) && WEXITSTATUS(e->wait_status) == 0;
}

/* Delay before try number n (1: the first again). */
static int64_t delay_of(unsigned n)
{
    int64_t delay = POLICY_DELAY_MIN_MS;

    while (n-- > 1 && delay < POLICY_DELAY_MAX_MS)
        delay *= 2;
    return delay < POLICY_DELAY_MAX_MS ? delay : POLICY_DELAY_MAX_MS;
}

static void retry(struct policy_verdict *v, unsigned failures, int64_t delay)
{
    *v = (struct policy_verdict){GUEST_R_RETRY, delay, failures, true};
}

static void decide_clean(const struct policy_input *in, unsigned failures, struct policy_verdict *v)
{
    if (in->restart != RESTART_ALWAYS)
        *v = (struct policy_verdict){GUEST_R_DONE, 0, 0, false};
    else /* never fails, but one that powers off at once must not spin */
        retry(v, failures, delay_of(failures));
}

void policy_decide(const struct policy_input *in, struct policy_verdict *ret)
{
    const struct policy_end *e = &in->end;
    unsigned before = e->uptime_ms >= POLICY_STABLE_MS ? 0 : in->failures;
    unsigned failures = before < 1000 ? before + 1 : before;
    bool permanent =
        (e->kind == POLICY_END_PREPARE || e->kind == POLICY_END_SPAWN) && !e->retryable;

    if (!in->want_up)
        *ret = (struct policy_verdict){GUEST_R_DONE, 0, 0, false};
    else if (in->start_asked)
        retry(ret, 0, 0);
    else if (e->kind == POLICY_END_CANCEL)
        *ret = (struct policy_verdict){GUEST_R_DONE, 0, 0, false};
    else if (policy_end_clean(e))
        decide_clean(in, failures, ret);
    else if (!may_retry(in) || permanent || failures >= POLICY_FAILURES_MAX)
        *ret = (struct policy_verdict){GUEST_R_FAIL, 0, failures, false};
    else
        retry(ret, failures, delay_of(failures));
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
    case POLICY_END_CANCEL:
        snprintf(buf, size, "stopped before it was started");
        break;
    }
    return buf;
}
