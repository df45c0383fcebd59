/*
 * io.umld.Server: the daemon about itself.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/events.h"
#include "umld/guest.h"
#include "umld/host_shutdown.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <string.h>
#include <unistd.h>

/* Named extensions; append only. */
static const char *const features[] = {
    "guests",  "consoles",     "console-upgrade", "mconsole",     "events-replay", "jobs",
    "kernels", "images",       "line-mode",       "request-id",   "signals",       "hang-policy",
    "metrics", "dependencies", "protection",      "host-shutdown"};

void api_server_ping(um_unused struct umld *umld, struct api_call *call,
                     um_unused const json_t *params)
{
    api_reply(call, json_pack("{s:s}", "version", UMLD_VERSION));
}

static void count_running(struct guest *g, void *arg)
{
    int *running = arg;

    *running += guest_state_info(g->state)->has_process;
}

void api_server_status(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    char started[UM_CLOCK_TEXT_SIZE];
    int running = 0;

    guest_each(umld, count_running, &running);
    api_reply(call,
              json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:I}", "version", UMLD_VERSION, "pid",
                        (int)getpid(), "mode", umld->system ? "system" : "user", "runDir",
                        umld->paths.run_dir, "stateDir", umld->paths.state_dir, "startedAt",
                        um_clock_rfc3339(umld->started_ns, started), "guests", guest_count(umld),
                        "running", running, "logLevel", um_log_level_name(um_log_get_level()),
                        "lastEvent", (json_int_t)events_last(umld->events)));
}

void api_server_features(um_unused struct umld *umld, struct api_call *call,
                         um_unused const json_t *params)
{
    json_t *list = json_array();

    for (size_t i = 0; i < UM_ARRAY_LEN(features); i++)
        json_array_append_new(list, json_string(features[i]));
    api_reply(call, json_pack("{s:o}", "features", list));
}

void api_server_shutdown(struct umld *umld, struct api_call *call, const json_t *params)
{
    if (api_call_dry(call)) {
        api_reply(call, NULL);
        return;
    }
    if (strcmp(params_text(params, "guests", "keep"), "stop") == 0) {
        host_shutdown_begin(umld, call, params_int(params, "budgetMs", HOST_SHUTDOWN_BUDGET_MS));
        return;
    }
    um_log(UM_LOG_NOTICE, "ending on request; guests go on");
    api_reply(call, NULL);
    umld_quit(umld);
}
