/*
 * io.umld.Job: rows as they are stored, and cancelling. Wait is in job_watch.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/db.h"
#include "umld/events.h"
#include "umld/jobs.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <stdio.h>

enum { JOB_ROWS = 100 };

static json_t *row_json(const struct db_row *row)
{
    char start[UM_CLOCK_TEXT_SIZE], end[UM_CLOCK_TEXT_SIZE], id[24];
    json_t *j = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:s,s:I}", "id",
        jobs_id_text(db_row_int(row, 0), id, sizeof(id)), "kind", db_row_text(row, 1), "object",
        db_row_text(row, 2), "state", db_row_text(row, 3), "phase", db_row_text(row, 4), "done",
        (json_int_t)db_row_int(row, 5), "total", (json_int_t)db_row_int(row, 6), "startedAt",
        um_clock_rfc3339(db_row_int(row, 7), start), "uid", (json_int_t)db_row_int(row, 11));

    if (db_row_int(row, 8))
        json_object_set_new(j, "endedAt", json_string(um_clock_rfc3339(db_row_int(row, 8), end)));
    if (db_row_text(row, 9)[0])
        json_object_set_new(j, "error", json_string(db_row_text(row, 9)));
    if (db_row_text(row, 10)[0])
        json_object_set_new(j, "errorName", json_string(db_row_text(row, 10)));
    return j;
}

static bool append_job(const struct db_row *row, void *arg)
{
    json_array_append_new(arg, row_json(row));
    return true;
}

static bool take_job(const struct db_row *row, void *arg)
{
    *(json_t **)arg = row_json(row);
    return false;
}

json_t *job_json(struct umld *umld, int64_t id)
{
    json_t *job = NULL;

    db_each(umld->db, DBQ_JOB_GET, take_job, &job, id);
    return job;
}

void api_job_list(struct umld *umld, struct api_call *call, const json_t *params)
{
    json_t *list = json_array();

    db_each(umld->db, DBQ_JOB_LIST, append_job, list, (int64_t)params_flag(params, "active"),
            params_int(params, "limit", JOB_ROWS));
    api_reply(call, json_pack("{s:o}", "jobs", list));
}

bool job_of_call(struct umld *umld, struct api_call *call, const json_t *params, int64_t *ret_id,
                 json_t **ret_job)
{
    const char *text = params_text(params, "id", "");
    struct um_error err;
    char object[64];

    *ret_job = um_parse_int(text, 1, INT64_MAX, ret_id) ? job_json(umld, *ret_id) : NULL;
    if (*ret_job)
        return true;
    snprintf(object, sizeof(object), "job %.32s", text);
    um_fail(&err, UM_E_NOT_FOUND, object, "id", "there is no such job");
    um_hint(&err, "see: umlctl job list");
    api_reply_error(call, &err);
    return false;
}

void api_job_get(struct umld *umld, struct api_call *call, const json_t *params)
{
    int64_t id;
    json_t *job;

    if (job_of_call(umld, call, params, &id, &job))
        api_reply(call, json_pack("{s:o}", "job", job));
}

static void refuse_cancel(struct api_call *call, int64_t id, const char *kind)
{
    struct um_error err;
    char object[40], text[24];

    snprintf(object, sizeof(object), "job %s", jobs_id_text(id, text, sizeof(text)));
    um_fail(&err, UM_E_UNSUPPORTED, object, "id", "a %s job cannot be cancelled", kind);
    um_hint(&err, "%s", job_kind(kind)->no_cancel);
    api_reply_error(call, &err);
}

void api_job_cancel(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *kind = "";
    job_cancel_fn cancel = NULL;
    void *arg = NULL;
    char by[24], text[24];
    struct um_error err;
    json_t *job;
    int64_t id;
    bool active;

    if (!job_of_call(umld, call, params, &id, &job))
        return;
    active = jobs_active(umld, id, &kind, &cancel, &arg);
    if (active && !cancel) {
        refuse_cancel(call, id, kind);
    } else if (active && !api_call_dry(call) && cancel(umld, id, arg, &err)) {
        api_reply_error(call, &err);
    } else {
        if (active && !api_call_dry(call)) {
            snprintf(by, sizeof(by), "%u", (unsigned)api_call_uid(call));
            events_emit(umld, "job.cancelling", json_string_value(json_object_get(job, "object")),
                        "job", jobs_id_text(id, text, sizeof(text)), "kind",
                        json_string_value(json_object_get(job, "kind")), "by", by, NULL);
        }
        api_reply(call, json_pack("{s:b}", "changed", active));
    }
    json_decref(job);
}
