#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>

enum { BUDGET_MS = 60000 };

static void tell_progress(struct cli *cli, const json_t *reply)
{
    cli_progress(cli, "%s: %lld of %lld guests are down ...", text_get(reply, "phase", ""),
                 (long long)text_int(reply, "done", 0), (long long)text_int(reply, "total", 0));
}

static void tell_end(struct cli *cli, const json_t *reply)
{
    const json_t *name;
    size_t i;

    printf("umld ends; %lld guests stopped, the next umld starts them again\n",
           (long long)text_int(reply, "total", 0));
    fflush(stdout);
    json_array_foreach(json_object_get(reply, "killed"), i, name)
    {
        cli_note(cli, "guest \"%s\" had to be killed", json_string_value(name));
    }
}

/* It hangs up when it serves nobody any more: the next umlctl finds it gone, not going. */
static int until_gone(struct cli *cli, int status, struct client_reply *reply)
{
    if (status == 0 && !cli->dry_run &&
        client_receive(cli->client, cli_deadline(cli, CLI_SHORT_MS), reply) == UM_E_TIMEOUT)
        status = cli_reply_error(cli, reply);
    return status;
}

static int stop_guests(struct cli *cli, int64_t budget_ms)
{
    int64_t deadline = cli_deadline(cli, budget_ms);
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool more = cli->progress_tty && !cli->json;
    int status = 0;

    if (cli_connect(cli, &reply.error) == UM_OK &&
        cli_send(cli, cli->client, API_SERVER_SHUTDOWN,
                 json_pack("{s:s,s:I}", "guests", "stop", "budgetMs", (json_int_t)budget_ms),
                 more ? CLIENT_MORE : 0, deadline, &reply.error) == UM_OK)
        while (client_receive(cli->client, deadline, &reply) == UM_OK && reply.continues)
            tell_progress(cli, reply.params);
    cli_progress_clear(cli);
    if (reply.error.code)
        status = cli_reply_error(cli, &reply);
    else if (cli->json)
        cli_print_json(reply.params);
    else if (!cli_told_dry(cli, reply.params, "stop all guests and end umld"))
        tell_end(cli, reply.params);
    status = until_gone(cli, status, &reply);
    client_reply_done(&reply);
    return status;
}

static int end_daemon(struct cli *cli)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status = until_gone(
        cli, cli_ask(cli, API_SERVER_SHUTDOWN, NULL, CLI_SHORT_MS, &reply, &text), &reply);

    if (status == 0 && text && !cli_told_dry(cli, reply.params, "end umld; guests go on"))
        puts("umld has ended; guests go on");
    client_reply_done(&reply);
    return status;
}

static int run(struct cli *cli, const struct args *args)
{
    const char *budget = args_value(args, "budget");
    struct um_error err = UM_ERROR_INIT;
    int64_t ms = BUDGET_MS;

    if (budget && (!args_flag(args, "guests") || !args_duration(budget, &ms)))
        return cli_usage(cli, args, "--budget is a time like 90 or 2m, and goes with --guests");
    cli->no_start = true;
    if (!cli->socket && cli_connect(cli, &err) == UM_E_UNREACHABLE) {
        /* The goal is reached already. With --socket it may be a mistake: that is told. */
        cli_note(cli, "no daemon is running");
        return 0;
    }
    return args_flag(args, "guests") ? stop_guests(cli, ms) : end_daemon(cli);
}

static const struct option_row options[] = {
    {"guests", 'g', NULL, NULL, "stop all guests first; the next umld starts them again"},
    {"budget", 'b', "TIME", NULL, "time until all of them are down (default 60)"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_shutdown = {
    .name = "shutdown",
    .usage = "[--guests [--budget TIME]]",
    .summary = "End the daemon; guests go on, or are stopped first",
    .details = "With --guests, guests are asked to shut down, dependents before what they\n"
               "depend on. When the time is nearly used up the rest is synced and halted, then\n"
               "killed, so that nothing is left when it is over. This is for the end of the\n"
               "host; to have a guest stay down, stop it.",
    .group = GROUP_HOST,
    .changes = CHANGES_SOMETHING,
    .options = options,
    .run = run,
};
