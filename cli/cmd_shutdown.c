#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "schemas/api_names.h"

#include <stdio.h>

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    cli->no_start = true;
    if (!cli->socket && cli_connect(cli, &reply.error) == UM_E_UNREACHABLE) {
        /* The goal is reached already. With --socket it may be a mistake: that is told. */
        cli_note(cli, "no daemon is running");
        return 0;
    }
    status = cli_ask(cli, API_SERVER_SHUTDOWN, NULL, CLI_SHORT_MS, &reply, &text);
    /* It hangs up when it serves nobody any more: the next umlctl finds it gone, not going. */
    if (status == 0 && !cli->dry_run &&
        client_receive(cli->client, cli_deadline(cli, CLI_SHORT_MS), &reply) == UM_E_TIMEOUT)
        status = cli_reply_error(cli, &reply);
    if (status == 0 && text && !cli_told_dry(cli, reply.params, "end umld; guests go on"))
        puts("umld has ended; guests go on");
    client_reply_done(&reply);
    return status;
}

const struct command command_shutdown = {
    .name = "shutdown",
    .usage = "",
    .summary = "End the daemon; guests go on",
    .group = GROUP_HOST,
    .changes = CHANGES_SOMETHING,
    .run = run,
};
