#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <string.h>

static const char *progress_of(const json_t *job, char *buf, size_t size)
{
    int64_t done = text_int(job, "done", 0), total = text_int(job, "total", 0);

    if (total > 0)
        snprintf(buf, size, "%lld%%", (long long)(done * 100 / total));
    else
        snprintf(buf, size, "-");
    return buf;
}

static int run_list(struct cli *cli, const struct args *args)
{
    static const struct table_column columns[] = {
        {"ID", 0},
        {"KIND", 0},
        {"OBJECT", TABLE_SHRINK},
        {"STATE", 0},
        {"PHASE", TABLE_SHRINK},
        {"DONE", TABLE_RIGHT},
        {"STARTED", 0},
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err = UM_ERROR_INIT;
    json_t *params = json_object();
    const json_t *job;
    struct table t;
    int64_t limit = 0;
    char buf[64];
    bool text;
    size_t i;
    int status;

    if (args_int(args, "limit", 1, 1000, &limit, &err)) {
        json_decref(params);
        return cli_error(cli, &err);
    }
    if (limit > 0)
        json_object_set_new(params, "limit", json_integer(limit));
    if (args_flag(args, "active"))
        json_object_set_new(params, "active", json_true());
    status = cli_ask(cli, API_JOB_LIST, params, CLI_SHORT_MS, &reply, &text);
    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "jobs"), i, job)
        {
            table_add(&t, text_get(job, "id", "?"));
            table_add(&t, text_get(job, "kind", "?"));
            table_add(&t, text_get(job, "object", ""));
            table_add(&t, text_get(job, "state", "?"));
            table_add(&t, text_get(job, "phase", ""));
            table_add(&t, progress_of(job, buf, sizeof(buf)));
            table_add(&t, text_when(text_get(job, "startedAt", NULL), buf, sizeof(buf)));
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

static const struct option_row list_options[] = {
    {"active", 'a', NULL, NULL, "only those that have not ended"},
    {"limit", 'n', "N", NULL, "at most so many, newest first"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_job_list = {
    .name = "job list",
    .alias = "job ls",
    .usage = "[--active] [--limit N]",
    .summary = "List long work, newest first",
    .group = GROUP_HOST,
    .options = list_options,
    .run = run_list,
};

static int run_show(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *job;
    char buf[64];
    bool text;
    int status;

    status = cli_ask(cli, API_JOB_GET, json_pack("{s:s}", "id", args->word[0]), CLI_SHORT_MS,
                     &reply, &text);
    job = json_object_get(reply.params, "job");
    if (text) {
        printf("job %s\n", text_get(job, "id", "?"));
        printf("  kind         %s\n", text_get(job, "kind", "?"));
        printf("  object       %s\n", text_get(job, "object", ""));
        printf("  state        %s\n", text_get(job, "state", "?"));
        printf("  phase        %s\n", text_get(job, "phase", ""));
        printf("  done         %s\n", progress_of(job, buf, sizeof(buf)));
        printf("  started      %s\n",
               text_when(text_get(job, "startedAt", NULL), buf, sizeof(buf)));
        if (text_has(job, "endedAt"))
            printf("  ended        %s\n",
                   text_when(text_get(job, "endedAt", NULL), buf, sizeof(buf)));
        if (text_has(job, "error"))
            printf("  error        %s\n", text_get(job, "error", ""));
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_job_show = {
    .name = "job show",
    .usage = "ID",
    .summary = "Show one job",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

static int run_cancel(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    status = cli_ask(cli, API_JOB_CANCEL, json_pack("{s:s}", "id", args->word[0]), CLI_SHORT_MS,
                     &reply, &text);
    if (text && !cli_told_dry(cli, reply.params, "cancel job %s", args->word[0]))
        printf("%s: %s\n", args->word[0],
               text_bool(reply.params, "changed", true) ? "cancelled" : "has ended already");
    client_reply_done(&reply);
    return status;
}

const struct command command_job_cancel = {
    .name = "job cancel",
    .usage = "ID",
    .summary = "Cancel a job",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_cancel,
};
