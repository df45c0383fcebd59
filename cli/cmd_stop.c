#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
    json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, CLI_STOP_MS)));
}

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_STOP,
        .doing = "stopping",
        .would = "stop",
        .default_ms = CLI_STOP_MS,
        .fill = fill,
        .tell = targets_tell_state,
    };

    return targets_run(cli, args, &verb);
}

static const struct option_row options[] = {
    {"force", 'f', NULL, NULL, "kill at once instead of asking the guest to shut down"},
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_stop = {
    .name = "stop",
    .usage = "GUEST ... [--force]",
    .summary = "Shut guests down",
    .details = "The guest is asked first (Ctrl-Alt-Del), then synced, halted and killed; each\n"
               "step has its own time limit. A guest that is down already counts as stopped.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .run = run,
};
