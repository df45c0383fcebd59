#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_KILL,
        .doing = "killing",
        .would = "kill",
        .default_ms = CLI_SHORT_MS,
        .tell = targets_tell_state,
    };

    return targets_run(cli, args, &verb);
}

static const struct option_row options[] = {
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_kill = {
    .name = "kill",
    .usage = "GUEST ...",
    .summary = "Kill guests at once, like pulling the plug",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .run = run,
};
