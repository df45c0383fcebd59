#include "cli/commands.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_KILL,
        .doing = "killing",
        .default_ms = CLI_SHORT_MS,
        .tell = targets_tell_state,
    };

    return targets_run(cli, args, &verb);
}

const struct command command_kill = {
    .name = "kill",
    .usage = "GUEST ...",
    .summary = "Kill guests at once, like pulling the plug",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .min_words = 1,
    .max_words = -1,
    .run = run,
};
