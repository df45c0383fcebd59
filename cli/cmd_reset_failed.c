#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_RESET_FAILED,
        .doing = "resetting",
        .would = "reset",
        .default_ms = CLI_SHORT_MS,
        .tell = targets_tell_state,
    };

    return targets_run(cli, args, &verb);
}

static const struct option_row options[] = {
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_reset_failed = {
    .name = "reset-failed",
    .usage = "GUEST ...",
    .summary = "Make failed guests stopped again; forget the cause",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .run = run,
};
