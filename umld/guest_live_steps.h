/*
 * Between guest_live_run.c, which walks through the steps of a job, and guest_live_steps.c, which
 * knows what each of them asks and what the answer means; nobody else includes this.
 */
#ifndef UMLD_GUEST_LIVE_STEPS_H
#define UMLD_GUEST_LIVE_STEPS_H

#include "mconsole/guard.h"
#include "umld/guest_live.h"

enum { LIVE_COMMAND_MAX = 512 };

/* TURN: it is the other way round, go to the side it was before. */
enum live_verdict { STEP_DONE, STEP_AGAIN, STEP_ITEM_DONE, STEP_TURN, STEP_FAILED };

struct live_job {
    struct umld *umld;
    int64_t guest;
    struct live_plan *plan;
    unsigned flags, step;
    live_done_fn done;
    void *arg;
    size_t at;
    bool booted, undoing, removing;
    struct um_error err; /* why it is undone; of the whole job */
    struct um_error why; /* of the step that failed last */
    uint64_t ticket;     /* of the answer that is awaited */
    struct um_timer *timer;
    int64_t boot_limit_ns, free_before;
    struct mconsole_guard guard;
    char command[LIVE_COMMAND_MAX];
};

/* What went wrong on the way, or what the kernel said. */
struct live_answer {
    enum um_code code;
    int32_t status;
    const char *text;
};

struct live_step {
    bool (*wanted)(const struct live_job *job, const struct live_item *it);
    bool (*ask)(struct live_job *job, struct guest *g, struct live_item *it);
    enum live_verdict (*judge)(struct live_job *job, struct live_item *it,
                               const struct live_answer *a);
    bool changes; /* the guest is another one when it is done */
};

extern const struct live_step live_steps[];
extern const size_t live_step_count;
enum { LIVE_STEP_REMOVE = 2 };

/* job->why for the item that is being done. Always STEP_FAILED. */
enum live_verdict live_fail(struct live_job *job, enum um_code code, const char *fmt, ...)
    um_nonnull(1, 3) um_format(3, 4);

/* ---- guest_live_run.c ---- */
/* The answer to what the present step asked. */
void live_answered(struct live_job *job, const struct live_answer *a) um_nonnull(1, 2);

#endif
