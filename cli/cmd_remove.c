#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
}

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    printf("%s: %s\n", name, text_bool(reply, "changed", true) ? "removed" : "was not there");
}

static const struct targets_verb verb = {
    .method = API_GUEST_REMOVE,
    .doing = "removing",
    .would = "remove",
    .default_ms = CLI_STOP_MS,
    .fill = fill,
    .tell = tell,
};

static const struct option_row options[] = {
    {"force", 'f', NULL, NULL, "kill it first if it runs"},
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_remove = {
    .name = "remove",
    .alias = "rm",
    .usage = "GUEST ... [--force]",
    .summary = "Remove guests: definition and logs, not their disks",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .verb = &verb,
};
