#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>

static int run(struct cli *cli, const struct args *args)
{
    const char *condition = args->count > 1 ? args->word[1] : "exit";
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *runtime;
    char state[512];
    bool text;
    int status;

    status = cli_ask(cli, API_GUEST_WAIT,
                     json_pack("{s:s,s:s,s:I}", "name", args->word[0], "condition", condition,
                               "timeoutMs", (json_int_t)cli_timeout_ms(cli, CLI_WAIT_MS)),
                     CLI_WAIT_MS, &reply, &text);
    runtime = json_object_get(json_object_get(reply.params, "guest"), "runtime");
    if (text)
        printf("%s: %s\n", args->word[0], show_state(runtime, state, sizeof(state)));
    client_reply_done(&reply);
    return status;
}

const struct command command_wait = {
    .name = "wait",
    .usage = "GUEST [STATE|ready|exit]",
    .summary = "Wait until a guest is ready, has ended or is in some state",
    .details = "Without a condition: exit. Without --timeout the wait ends after 24 hours.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUEST,
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
