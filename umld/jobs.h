/*
 * Jobs: long work, recorded before its first side effect. A job's row says what happened to it even
 * if the daemon dies; what becomes of it then is a rule of its kind (jobs_kinds.c).
 */
#ifndef UMLD_JOBS_H
#define UMLD_JOBS_H

#include "umld/umld.h"

/*
 * Asks the owner to stop; the owner then calls jobs_end() with UM_E_CANCELLED. An error says why it
 * cannot be cancelled (any more).
 */
typedef enum um_code (*job_cancel_fn)(struct umld *umld, int64_t id, void *arg,
                                      struct um_error *err);

struct jobs *jobs_new(struct umld *umld) um_check;
void jobs_free(struct jobs *jobs);

/*
 * Record a job; the caller starts the work only after this round's commit (post, do not do).
 * cancel may be NULL: not cancellable. Returns its id, 0 on failure.
 */
int64_t jobs_begin(struct umld *umld, const char *kind, const char *object, uid_t uid,
                   job_cancel_fn cancel, void *arg) um_nonnull(1, 2, 3);
/*
 * For kinds that are resumed: what the next daemon has to know. goal: the kind's own word;
 * limit_ns: wall clock time at which the job fails.
 */
void jobs_set_goal(struct umld *umld, int64_t id, const char *goal, int64_t limit_ns)
    um_nonnull(1, 3);
/* An event when it is a new phase; done of total: 0 of 0 when that is not known. */
void jobs_phase(struct umld *umld, int64_t id, const char *phase, int64_t done, int64_t total)
    um_nonnull(1, 3);
/* For kinds with steps: this one has begun. No event: what they follow has its own. */
void jobs_step(struct umld *umld, int64_t id, const char *step) um_nonnull(1, 3);
/* err NULL: done. UM_E_CANCELLED: cancelled. Otherwise failed. Unknown ids are ignored. */
void jobs_end(struct umld *umld, int64_t id, const struct um_error *err) um_nonnull(1);

/* It has not ended. ret_cancel: NULL if it cannot be cancelled; ret_kind: until it ends. */
bool jobs_active(const struct umld *umld, int64_t id, const char **ret_kind,
                 job_cancel_fn *ret_cancel, void **ret_arg) um_nonnull(1, 3, 4, 5);

/* Decimal id as text for replies. Returns buf. */
const char *jobs_id_text(int64_t id, char *buf, size_t size);

/*
 * After a restart: the rule of its kind is applied to each unfinished job. Called when guests are
 * loaded and not yet adopted.
 */
void jobs_recover(struct umld *umld) um_nonnull(1);

/* ---- jobs_kinds.c ---- */
enum job_rule {
    JOB_RESUMED,     /* its work goes on, and so does the job */
    JOB_ROLLED_BACK, /* what it made is removed; the job has failed */
    JOB_FAILED       /* it left nothing; the job has failed */
};
enum { JOB_STEPS_MAX = 3 };
struct job_kind {
    const char *name;
    enum job_rule rule;
    const char *text;                 /* why it failed; JOB_RESUMED: if it cannot be resumed */
    const char *no_cancel;            /* why it cannot be cancelled and what else to do; or NULL */
    const char *steps[JOB_STEPS_MAX]; /* in order, for jobs_step(); may be left out or come again */
    job_cancel_fn cancel;             /* JOB_RESUMED: of the resumed job */
    /* JOB_RESUMED: take it up; *ret_arg is for cancel. False: it cannot be. */
    bool (*resume)(struct umld *umld, int64_t id, const char *object, const char *goal,
                   int64_t limit_ns, void **ret_arg);
};
/* Kinds without a row of their own fail. */
const struct job_kind *job_kind(const char *name) um_nonnull(1);

/* ---- job_watch.c ---- */
/* The job's row has changed, or is the last one (ended): tell those who wait for it. */
void job_watchers_tell(struct umld *umld, int64_t id, bool ended) um_nonnull(1);
void job_watchers_free(struct umld *umld) um_nonnull(1);

/* ---- api_job.c ---- */
/* The stored row, or NULL. */
json_t *job_json(struct umld *umld, int64_t id) um_nonnull(1);
/* The job that a call's `id` means and its row; false after an error reply. */
bool job_of_call(struct umld *umld, struct api_call *call, const json_t *params, int64_t *ret_id,
                 json_t **ret_job) um_nonnull(1, 2, 3, 4, 5) um_check;

#endif
