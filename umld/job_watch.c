/*
 * Calls that wait for a job's end (io.umld.Job.Wait), told of its progress if they want to be.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/jobs.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_TIMEOUT_MS = 3600000 };

struct job_watcher {
    struct umld *umld;
    uint64_t call_id;
    int64_t job, timeout_ms;
    struct um_timer *timer;
    struct job_watcher *next;
};

static void watcher_free(struct job_watcher *w)
{
    struct job_watcher **link = &w->umld->job_watchers;

    while (*link && *link != w)
        link = &(*link)->next;
    if (*link)
        *link = w->next;
    um_timer_free(w->timer);
    free(w);
}

void job_watchers_free(struct umld *umld)
{
    while (umld->job_watchers)
        watcher_free(umld->job_watchers);
}

void job_watchers_tell(struct umld *umld, int64_t id, bool ended)
{
    struct job_watcher *next;

    for (struct job_watcher *w = umld->job_watchers; w; w = next) {
        struct api_call *call;

        next = w->next;
        if (w->job != id)
            continue;
        call = api_call_find(umld->server, w->call_id);
        if (call && ended)
            api_reply(call, json_pack("{s:o}", "job", job_json(umld, id)));
        else if (call && api_call_more(call) &&
                 !api_reply_continue(call, json_pack("{s:o}", "job", job_json(umld, id))))
            continue; /* a client that does not read loses progress only */
        if (ended)
            watcher_free(w);
    }
}

static void timed_out(void *arg)
{
    struct job_watcher *w = arg;
    struct api_call *call = api_call_find(w->umld->server, w->call_id);
    char object[40];
    struct um_error err;

    snprintf(object, sizeof(object), "job %" PRId64, w->job);
    um_fail(&err, UM_E_TIMEOUT, object, NULL, "has not ended after %" PRId64 ".%" PRId64 " s",
            w->timeout_ms / 1000, w->timeout_ms % 1000 / 100);
    um_hint(&err, "it goes on; see: umlctl job show %" PRId64, w->job);
    if (call)
        api_reply_error(call, &err);
    watcher_free(w);
}

static void client_gone(um_unused uint64_t call_id, void *arg)
{
    watcher_free(arg);
}

void api_job_wait(struct umld *umld, struct api_call *call, const json_t *params)
{
    int64_t timeout_ms = params_int(params, "timeoutMs", WAIT_TIMEOUT_MS), id;
    struct job_watcher *w;
    job_cancel_fn cancel;
    struct um_error err;
    const char *kind;
    json_t *job;
    void *arg;

    if (!job_of_call(umld, call, params, &id, &job))
        return;
    if (!jobs_active(umld, id, &kind, &cancel, &arg)) {
        api_reply(call, json_pack("{s:o}", "job", job));
        return;
    }
    json_decref(job);
    w = calloc(1, sizeof(*w));
    if (w)
        w->timer = um_timer_new(umld->loop, timed_out, w);
    if (!w || !w->timer) {
        free(w);
        um_fail(&err, UM_E_NO_RESOURCES, "job", NULL, "out of memory");
        api_reply_error(call, &err);
        return;
    }
    w->umld = umld;
    w->call_id = api_call_id(call);
    w->job = id;
    w->timeout_ms = timeout_ms;
    w->next = umld->job_watchers;
    umld->job_watchers = w;
    api_call_on_gone(call, client_gone, w);
    um_timer_arm(w->timer, timeout_ms * UM_MS_NS);
}
