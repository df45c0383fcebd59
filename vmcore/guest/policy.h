/*
 * What follows the end of a guest: stay down, try again, or give up; and the words for why it
 * ended. Pure. Its answer is the event umld posts in GUEST_RELEASING.
 */
#ifndef VMCORE_GUEST_POLICY_H
#define VMCORE_GUEST_POLICY_H

#include "vmcore/guest/definition.h"
#include "vmcore/guest/state.h"

enum policy_end_kind {
    POLICY_END_EXIT,    /* the kernel ended; wait_status is valid */
    POLICY_END_PREPARE, /* GUEST_R_ERROR or the time limit of preparing */
    POLICY_END_SPAWN,   /* GUEST_P_SPAWN_ERR */
    POLICY_END_LOST,    /* the monitor died without an exit record */
    POLICY_END_CANCEL,  /* a user stopped it before anything was started */
    POLICY_END_UNTOLD,  /* the kernel ended; only its parent, not us, knows how */
    POLICY_END_LEFT     /* it was somebody else's, and was let go */
};

/* How it ended. */
struct policy_end {
    enum policy_end_kind kind;
    int wait_status;      /* as from waitpid(2) */
    bool panicked;        /* a PANIC notification came */
    bool stopping;        /* umld was bringing it down (states stopping, killing by a user) */
    bool timed_out;       /* killed because a state's time limit passed */
    bool starved;         /* the host killed something of it: its memory limit was reached */
    enum guest_hang hung; /* RESTART or KILL: killed for that reason; text says how it hung */
    const char *text; /* panic message, or the error's message for PREPARE and SPAWN; may be NULL */
    bool retryable;   /* PREPARE and SPAWN: the error may go away by itself */
    int64_t uptime_ms; /* from spawn to exit; 0 if it never ran */
};

struct policy_input {
    struct policy_end end;
    enum guest_restart restart;
    bool want_up;      /* desired state */
    bool start_asked;  /* GUEST_ACT_WANT_UP came after the stop: start again whatever the policy */
    unsigned failures; /* failures in a row stored before this end */
    unsigned ends;     /* ends in a row, good or bad, each soon after its start */
};

struct policy_verdict {
    enum guest_event event; /* GUEST_R_DONE, GUEST_R_RETRY or GUEST_R_FAIL */
    int64_t delay_ms;       /* with GUEST_R_RETRY; 0: at once */
    unsigned failures;      /* to be stored */
    unsigned ends;          /* to be stored */
    bool want_up;           /* desired state to be stored */
    bool braked; /* with GUEST_R_FAIL: it would have been tried again but for the count */
};

#define POLICY_DELAY_MIN_MS 1000
#define POLICY_DELAY_MAX_MS 60000
/* That many failures in a row, none of them after POLICY_STABLE_MS of life, and it has failed. */
#define POLICY_FAILURES_MAX 5
/* A guest that lived this long starts counting from nothing again. */
#define POLICY_STABLE_MS 60000

/* Did it end by itself in good order: halt or poweroff with exit code 0? Or without a sign that it
 * did not, if nobody can tell. */
bool policy_end_clean(const struct policy_end *e) um_nonnull(1);

/*
 * want down -> R_DONE; start_asked -> R_RETRY at once. Otherwise a clean end is R_DONE (want
 * becomes down), with restart=always R_RETRY. A failure is R_RETRY with restart=onFailure or always
 * until POLICY_FAILURES_MAX, else R_FAIL. Errors of the definition or host that do not go away by
 * themselves are R_FAIL at once. A guest that was killed because it hung is a failure that is
 * retried with hang=restart and not with hang=kill, whatever restart says. Delays double from
 * POLICY_DELAY_MIN_MS to POLICY_DELAY_MAX_MS with each end that comes before POLICY_STABLE_MS. With
 * restart=always a clean end is no failure: it ends a row of failures, but not a row of early ends,
 * so that one that powers off as soon as it is up does not spin.
 */
void policy_decide(const struct policy_input *in, struct policy_verdict *ret) um_nonnull(1, 2);

/*
 * `kernel panic: Attempted to kill init!`, `killed by signal 9 (Killed)`, `exit status 3`,
 * `powered off`, `monitor died`, `not ready in time`, `hung: no answer for 30 s`, `ended; how is
 * known to its parent only`. Returns buf.
 */
const char *policy_cause(const struct policy_end *e, char *buf, size_t size) um_nonnull(1, 2);

#endif
