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

static void print_job(const json_t *job)
{
    char buf[64];

    printf("job %s\n", text_get(job, "id", "?"));
    printf("  kind         %s\n", text_get(job, "kind", "?"));
    printf("  object       %s\n", text_get(job, "object", ""));
    printf("  asked by     uid %lld\n", (long long)text_int(job, "uid", -1));
    printf("  state        %s\n", text_get(job, "state", "?"));
    printf("  phase        %s\n", text_get(job, "phase", ""));
    printf("  done         %s\n", progress_of(job, buf, sizeof(buf)));
    printf("  started      %s\n", text_when(text_get(job, "startedAt", NULL), buf, sizeof(buf)));
    if (text_has(job, "endedAt"))
        printf("  ended        %s\n", text_when(text_get(job, "endedAt", NULL), buf, sizeof(buf)));
    if (text_has(job, "error"))
        printf("  error        %s\n", text_get(job, "error", ""));
}

/* Each change while a job runs; not for its end. */
typedef void (*job_change_fn)(struct cli *cli, const json_t *job);

/* Until the job has ended: its last row is in *reply. */
static int await_job(struct cli *cli, const char *id, job_change_fn on_change,
                     struct client_reply *reply)
{
    int64_t deadline = cli_deadline(cli, CLI_WAIT_MS);
    json_t *params =
        json_pack("{s:s,s:I}", "id", id, "timeoutMs", (json_int_t)cli_timeout_ms(cli, CLI_WAIT_MS));
    enum um_code code = cli_connect(cli, &reply->error);

    if (code)
        json_decref(params);
    else
        code = client_send(cli->client, API_JOB_WAIT, params, CLIENT_MORE, deadline, &reply->error);
    while (!code) {
        code = client_receive(cli->client, deadline, reply);
        if (!code && !reply->continues)
            break;
        if (!code)
            on_change(cli, json_object_get(reply->params, "job"));
    }
    cli_progress_clear(cli);
    return code ? cli_reply_error(cli, reply) : 0;
}

static void print_change(struct cli *cli, const json_t *job)
{
    char buf[64];

    if (cli->json)
        cli_print_json(job);
    else
        printf("%s: %s %s\n", text_get(job, "id", "?"), text_get(job, "phase", ""),
               progress_of(job, buf, sizeof(buf)));
    cli_flush(cli);
}

static int run_show(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text = !cli->json;
    int status;

    if (args_flag(args, "follow")) {
        status = await_job(cli, args->word[0], print_change, &reply);
        if (!status && cli->json)
            cli_print_json(reply.params);
        text = text && !status;
    } else {
        status = cli_ask(cli, API_JOB_GET, json_pack("{s:s}", "id", args->word[0]), CLI_SHORT_MS,
                         &reply, &text);
    }
    if (text)
        print_job(json_object_get(reply.params, "job"));
    client_reply_done(&reply);
    return status;
}

static const struct option_row show_options[] = {
    {"follow", 'f', NULL, NULL, "a line for each change until it has ended"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_job_show = {
    .name = "job show",
    .usage = "ID [--follow]",
    .summary = "Show one job",
    .group = GROUP_HOST,
    .options = show_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

static void show_progress(struct cli *cli, const json_t *job)
{
    char buf[64];

    cli_progress(cli, "job %s: %s %s: %s %s ...", text_get(job, "id", "?"),
                 text_get(job, "kind", ""), text_get(job, "object", ""), text_get(job, "phase", ""),
                 progress_of(job, buf, sizeof(buf)));
}

/* A job that failed is told as the call that began it would have been. */
static int outcome_status(struct cli *cli, const json_t *job)
{
    struct um_error err = UM_ERROR_INIT;
    const char *state = text_get(job, "state", "?");

    if (strcmp(state, "done") == 0)
        return 0;
    um_fail(&err, um_code_from_wire(text_get(job, "errorName", "Internal")), NULL, NULL,
            "job %s: %s: %s", text_get(job, "id", "?"), state, text_get(job, "error", "no reason"));
    return cli_error(cli, &err);
}

static int run_wait(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *job;
    int status = await_job(cli, args->word[0], show_progress, &reply);

    if (!status) {
        job = json_object_get(reply.params, "job");
        if (cli->json)
            cli_print_json(reply.params);
        else if (strcmp(text_get(job, "state", ""), "done") == 0)
            printf("%s: done\n", args->word[0]);
        status = outcome_status(cli, job);
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_job_wait = {
    .name = "job wait",
    .usage = "ID",
    .summary = "Wait until a job has ended",
    .details = "The exit status is that of its outcome: 0 when it is done, 13 when it was\n"
               "cancelled, and otherwise as if the command that began it had failed. Without\n"
               "--timeout the wait ends after 24 hours.",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .run = run_wait,
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
               text_bool(reply.params, "changed", true) ? "is being cancelled"
                                                        : "has ended already");
    client_reply_done(&reply);
    return status;
}

const struct command command_job_cancel = {
    .name = "job cancel",
    .usage = "ID",
    .summary = "Cancel a job",
    .details = "Cancelling the start of a guest stops it. What cannot be cancelled says so.",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_cancel,
};
