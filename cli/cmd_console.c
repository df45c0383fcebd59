#include "cli/args.h"
#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/commands.h"

enum { SCREENFUL = 4096 };

static int run(struct cli *cli, const struct args *args)
{
    struct attach attach = {
        .guest = args->word[0],
        .device = args->count > 1 ? args->word[1] : NULL,
        .read_only = args_flag(args, "read-only"),
        .steal = args_flag(args, "steal"),
        .back = SCREENFUL,
    };

    return attach_interactive(cli, &attach);
}

static const struct option_row options[] = {
    {"read-only", 'r', NULL, NULL, "watch without typing"},
    {"steal", 's', NULL, NULL, "take the right to type from whoever has it"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_console = {
    .name = "console",
    .usage = "GUEST [DEVICE] [--read-only] [--steal]",
    .summary = "Use a guest's console from this terminal",
    .details = "The last screenful of output is shown first. To detach type Enter ~ . (at the\n"
               "start of a line); ~~ there sends one ~. The guest does not notice.\n"
               "When standard input is no terminal it is sent as it is; output goes on after\n"
               "its end until the console closes.",
    .group = GROUP_CONSOLES,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
