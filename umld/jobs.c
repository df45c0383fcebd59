#include "umld/jobs.h"

#include "umld/db.h"
#include "umld/events.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_KEEP = 1000 };

struct job {
    int64_t id;
    char *kind, *object;
    char phase[32];
    int64_t done, total;
    job_cancel_fn cancel;
    void *arg;
    struct job *next;
};

struct jobs {
    struct umld *umld;
    struct job *active;
};

struct jobs *jobs_new(struct umld *umld)
{
    struct jobs *jobs = calloc(1, sizeof(*jobs));

    if (jobs)
        jobs->umld = umld;
    return jobs;
}

static void job_free(struct job *j)
{
    free(j->kind);
    free(j->object);
    free(j);
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    job_watchers_free(jobs->umld);
    while (jobs->active) {
        struct job *j = jobs->active;

        jobs->active = j->next;
        job_free(j);
    }
    free(jobs);
}

static struct job *find(const struct jobs *jobs, int64_t id)
{
    for (struct job *j = jobs->active; j; j = j->next)
        if (j->id == id)
            return j;
    return NULL;
}

const char *jobs_id_text(int64_t id, char *buf, size_t size)
{
    snprintf(buf, size, "%" PRId64, id);
    return buf;
}

/* NULL: no memory. */
static struct job *job_new(const char *kind, const char *object)
{
    struct job *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    j->kind = strdup(kind);
    j->object = strdup(object);
    if (j->kind && j->object)
        return j;
    job_free(j);
    return NULL;
}

static void activate(struct jobs *jobs, struct job *j)
{
    j->next = jobs->active;
    jobs->active = j;
}

int64_t jobs_begin(struct umld *umld, const char *kind, const char *object, uid_t uid,
                   job_cancel_fn cancel, void *arg)
{
    struct job *j = job_new(kind, object);
    char id[24], by[24];

    if (!j)
        return 0;
    if (!db_run(umld->db, DBQ_JOB_INSERT, kind, object, (int64_t)uid, um_clock_wall_ns())) {
        job_free(j);
        return 0;
    }
    j->id = db_last_id(umld->db);
    j->cancel = cancel;
    j->arg = arg;
    activate(umld->jobs, j);
    db_run(umld->db, DBQ_JOB_PRUNE, (int64_t)JOBS_KEEP);
    snprintf(by, sizeof(by), "%u", (unsigned)uid);
    events_emit(umld, "job.started", object, "job", jobs_id_text(j->id, id, sizeof(id)), "kind",
                kind, "by", by, NULL);
    return j->id;
}

void jobs_set_goal(struct umld *umld, int64_t id, const char *goal, int64_t limit_ns)
{
    db_run(umld->db, DBQ_JOB_GOAL, goal, limit_ns, id);
}

static void store(struct umld *umld, const struct job *j)
{
    db_run(umld->db, DBQ_JOB_UPDATE, "running", j->phase, j->done, j->total, (int64_t)0, "", "",
           j->id);
    job_watchers_tell(umld, j->id, false);
}

void jobs_phase(struct umld *umld, int64_t id, const char *phase, int64_t done, int64_t total)
{
    struct job *j = find(umld->jobs, id);
    char text[24];
    bool fresh;

    if (!j)
        return;
    fresh = strcmp(j->phase, phase) != 0;
    snprintf(j->phase, sizeof(j->phase), "%s", phase);
    j->done = done;
    j->total = total;
    store(umld, j);
    if (fresh)
        events_emit(umld, "job.progress", j->object, "job", jobs_id_text(id, text, sizeof(text)),
                    "kind", j->kind, "phase", j->phase, NULL);
}

void jobs_step(struct umld *umld, int64_t id, const char *step)
{
    struct job *j = find(umld->jobs, id);
    const struct job_kind *kind;
    int64_t at = -1, total = 0;

    if (!j || strcmp(j->phase, step) == 0)
        return;
    kind = job_kind(j->kind);
    for (; total < JOB_STEPS_MAX && kind->steps[total]; total++)
        if (strcmp(kind->steps[total], step) == 0)
            at = total;
    if (at < 0) /* on its way round: releasing, adopting */
        at = j->done;
    snprintf(j->phase, sizeof(j->phase), "%s", step);
    j->done = at;
    j->total = total;
    store(umld, j);
}

void jobs_end(struct umld *umld, int64_t id, const struct um_error *err)
{
    const char *state = !err ? "done" : err->code == UM_E_CANCELLED ? "cancelled" : "failed";
    struct job **link = &umld->jobs->active, *j;
    char text[1024] = "", id_text[24];

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    j = *link;
    if (!j)
        return;
    *link = j->next;
    if (err)
        um_error_text(err, text, sizeof(text));
    db_run(umld->db, DBQ_JOB_UPDATE, state, j->phase, err ? j->done : j->total, j->total,
           um_clock_wall_ns(), text, err ? um_code_info(err->code)->wire : "", id);
    events_emit(umld, "job.ended", j->object, "job", jobs_id_text(id, id_text, sizeof(id_text)),
                "kind", j->kind, "state", state, "error", text, NULL);
    job_watchers_tell(umld, id, true);
    job_free(j);
}

bool jobs_active(const struct umld *umld, int64_t id, const char **ret_kind,
                 job_cancel_fn *ret_cancel, void **ret_arg)
{
    const struct job *j = find(umld->jobs, id);

    if (!j)
        return false;
    *ret_kind = j->kind;
    *ret_cancel = j->cancel;
    *ret_arg = j->arg;
    return true;
}

/* ---- after a restart ---- */

struct unfinished {
    int64_t ids[256], limits[256];
    char *kinds[256], *objects[256], *goals[256];
    int count;
};

static bool take_unfinished(const struct db_row *row, void *arg)
{
    struct unfinished *u = arg;
    int i = u->count++;

    u->ids[i] = db_row_int(row, 0);
    u->kinds[i] = strdup(db_row_text(row, 1));
    u->objects[i] = strdup(db_row_text(row, 2));
    u->goals[i] = strdup(db_row_text(row, 3));
    u->limits[i] = db_row_int(row, 4);
    return u->count < (int)UM_ARRAY_LEN(u->ids);
}

static void recover_one(struct umld *umld, const struct unfinished *u, int i)
{
    const struct job_kind *kind = job_kind(u->kinds[i]);
    struct job *j = job_new(u->kinds[i], u->objects[i]);
    struct um_error err;

    if (!j)
        return; /* the next daemon tries again */
    j->id = u->ids[i];
    j->cancel = kind->cancel;
    snprintf(j->phase, sizeof(j->phase), "recovered");
    activate(umld->jobs, j);
    um_log(UM_LOG_NOTICE, "job %" PRId64 ": %s %s was under way: %s", j->id, j->kind, j->object,
           kind->rule == JOB_RESUMED ? "goes on" : kind->text);
    if (kind->rule == JOB_RESUMED &&
        kind->resume(umld, j->id, u->objects[i], u->goals[i], u->limits[i], &j->arg))
        return;
    um_fail(&err, UM_E_INTERNAL, NULL, NULL, "%s", kind->text);
    jobs_end(umld, u->ids[i], &err);
}

void jobs_recover(struct umld *umld)
{
    struct unfinished u;
    int64_t last = 0;

    do {
        u.count = 0;
        db_each(umld->db, DBQ_JOB_UNFINISHED, take_unfinished, &u, last);
        for (int i = 0; i < u.count; i++) {
            last = u.ids[i];
            if (u.kinds[i] && u.objects[i] && u.goals[i])
                recover_one(umld, &u, i);
            free(u.kinds[i]);
            free(u.objects[i]);
            free(u.goals[i]);
        }
    } while (u.count == (int)UM_ARRAY_LEN(u.ids));
}
