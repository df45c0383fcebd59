#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const char *server = NULL;

    /* Asking for versions is no reason to start a daemon, nor is its absence a failure. */
    cli->no_start = true;
    if (cli_call(cli, API_SERVER_PING, NULL, CLI_SHORT_MS, &reply) == UM_OK)
        server = text_get(reply.params, "version", NULL);
    if (cli->json) {
        json_t *v = json_pack("{s:s,s:s*}", "umlctl", UMLD_VERSION, "umld", server);

        cli_print_json(v);
        json_decref(v);
    } else {
        printf("umlctl %s\numld %s\n", UMLD_VERSION, server ? server : "(not running)");
    }
    client_reply_done(&reply);
    return 0;
}

const struct command command_version = {
    .name = "version",
    .usage = "",
    .summary = "Show the versions of this program and of the daemon",
    .group = GROUP_API,
    .run = run,
};
