#include "umld/jobs.h"

#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/db.h"
#include "umld/events.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

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
    while (jobs->active) {
        struct job *j = jobs->active;

        jobs->active = j->next;
        job_free(j);
    }
    free(jobs);
}

static struct job *find(struct jobs *jobs, int64_t id)
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

int64_t jobs_begin(struct umld *umld, const char *kind, const char *object, uid_t uid,
                   job_cancel_fn cancel, void *arg)
{
    struct job *j = calloc(1, sizeof(*j));

    if (!j || !db_run(umld->db, DBQ_JOB_INSERT, kind, object, (int64_t)uid, um_clock_wall_ns())) {
        free(j);
        return 0;
    }
    j->id = db_last_id(umld->db);
    j->kind = strdup(kind);
    j->object = strdup(object);
    j->cancel = cancel;
    j->arg = arg;
    j->next = umld->jobs->active;
    umld->jobs->active = j;
    db_run(umld->db, DBQ_JOB_PRUNE, (int64_t)JOBS_KEEP);
    return j->id;
}

void jobs_phase(struct umld *umld, int64_t id, const char *phase, int64_t done, int64_t total)
{
    struct job *j = find(umld->jobs, id);

    if (!j)
        return;
    snprintf(j->phase, sizeof(j->phase), "%s", phase);
    j->done = done;
    j->total = total;
    db_run(umld->db, DBQ_JOB_UPDATE, "running", j->phase, done, total, (int64_t)0, "", id);
}

void jobs_end(struct umld *umld, int64_t id, const struct um_error *err)
{
    const char *state = !err ? "done" : err->code == UM_E_CANCELLED ? "cancelled" : "failed";
    struct job **link = &umld->jobs->active, *j;
    char text[1024] = "";

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    j = *link;
    if (!j)
        return;
    *link = j->next;
    if (err)
        um_error_text(err, text, sizeof(text));
    db_run(umld->db, DBQ_JOB_UPDATE, state, j->phase, j->done, j->total, um_clock_wall_ns(), text,
           id);
    events_emit(umld, "job.ended", j->object, "job", jobs_id_text(id, (char[24]){0}, 24), "kind",
                j->kind, "state", state, "error", text, NULL);
    job_free(j);
}

struct unfinished {
    struct umld *umld;
    int64_t ids[256];
    char *kinds[256], *objects[256];
    int count;
};

static bool take_unfinished(const struct db_row *row, void *arg)
{
    struct unfinished *u = arg;

    u->ids[u->count] = db_row_int(row, 0);
    u->kinds[u->count] = strdup(db_row_text(row, 1));
    u->objects[u->count++] = strdup(db_row_text(row, 2));
    return u->count < (int)UM_ARRAY_LEN(u->ids);
}

void jobs_recover(struct umld *umld)
{
    struct unfinished u = {.umld = umld};

    do {
        u.count = 0;
        db_each(umld->db, DBQ_JOB_UNFINISHED, take_unfinished, &u);
        for (int i = 0; i < u.count; i++) {
            bool goes_on = u.kinds[i] && um_str_starts(u.kinds[i], "guest.");

            db_run(umld->db, DBQ_JOB_UPDATE, goes_on ? "done" : "failed", "recovered", (int64_t)0,
                   (int64_t)0, um_clock_wall_ns(),
                   goes_on ? "" : "the daemon was restarted while it ran; start it again",
                   u.ids[i]);
            events_emit(umld, "job.ended", u.objects[i] ? u.objects[i] : "", "job",
                        jobs_id_text(u.ids[i], (char[24]){0}, 24), "kind",
                        u.kinds[i] ? u.kinds[i] : "", "state", goes_on ? "done" : "failed", NULL);
            free(u.objects[i]);
            free(u.kinds[i]);
        }
    } while (u.count == (int)UM_ARRAY_LEN(u.ids));
}

static json_t *job_json(const struct db_row *row)
{
    char start[UM_CLOCK_TEXT_SIZE], end[UM_CLOCK_TEXT_SIZE], id[24];
    json_t *j = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:s}", "id", jobs_id_text(db_row_int(row, 0), id, sizeof(id)),
        "kind", db_row_text(row, 1), "object", db_row_text(row, 2), "state", db_row_text(row, 3),
        "phase", db_row_text(row, 4), "done", (json_int_t)db_row_int(row, 5), "total",
        (json_int_t)db_row_int(row, 6), "startedAt", um_clock_rfc3339(db_row_int(row, 7), start));

    if (db_row_int(row, 8))
        json_object_set_new(j, "endedAt", json_string(um_clock_rfc3339(db_row_int(row, 8), end)));
    if (db_row_text(row, 9)[0])
        json_object_set_new(j, "error", json_string(db_row_text(row, 9)));
    return j;
}

static bool append_job(const struct db_row *row, void *arg)
{
    json_array_append_new(arg, job_json(row));
    return true;
}

void api_job_list(struct umld *umld, struct api_call *call, const json_t *params)
{
    json_t *list = json_array();

    db_each(umld->db, DBQ_JOB_LIST, append_job, list,
            (int64_t)json_is_true(json_object_get(params, "active")),
            params_int(params, "limit", 100));
    api_reply(call, json_pack("{s:o}", "jobs", list));
}

/* The job named by the call's `id`, or NULL after an error reply. */
static json_t *job_of_call(struct umld *umld, struct api_call *call, const json_t *params,
                           int64_t *ret_id)
{
    const char *text = json_string_value(json_object_get(params, "id"));
    json_t *list = json_array(), *job = NULL;
    struct um_error err;
    char object[64];

    if (um_parse_int(text, 1, INT64_MAX, ret_id))
        db_each(umld->db, DBQ_JOB_GET, append_job, list, *ret_id);
    if (json_array_size(list))
        job = json_incref(json_array_get(list, 0));
    json_decref(list);
    if (!job) {
        snprintf(object, sizeof(object), "job %.32s", text);
        um_fail(&err, UM_E_NOT_FOUND, object, "id", "there is no such job");
        api_reply_error(call, &err);
    }
    return job;
}

void api_job_get(struct umld *umld, struct api_call *call, const json_t *params)
{
    int64_t id;
    json_t *job = job_of_call(umld, call, params, &id);

    if (job)
        api_reply(call, json_pack("{s:o}", "job", job));
}

void api_job_cancel(struct umld *umld, struct api_call *call, const json_t *params)
{
    int64_t id;
    json_t *row = job_of_call(umld, call, params, &id);
    struct job *j = row ? find(umld->jobs, id) : NULL;
    struct um_error err;

    if (!row)
        return;
    json_decref(row);
    if (j && !j->cancel) {
        um_fail(&err, UM_E_UNSUPPORTED, j->object, "id", "a %s job cannot be cancelled", j->kind);
        api_reply_error(call, &err);
        return;
    }
    if (j && !api_call_dry(call))
        j->cancel(umld, id, j->arg);
    api_reply(call, json_pack("{s:b}", "changed", j != NULL));
}
