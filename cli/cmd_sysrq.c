#include "cli/commands.h"
#include "cli/mconsole_verb.h"
#include "cli/select.h"
#include "schemas/api_names.h"

#include <stdio.h>

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    char command[64];

    snprintf(command, sizeof(command), "sysrq %.40s", args->word[1]);
    mconsole_verb_fill(cli, command, params);
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
}

static const struct targets_verb verb = {
    .method = API_GUEST_MCONSOLE,
    .doing = "asking",
    .would = "be sent that key",
    .one_word = true,
    .default_ms = CLI_SHORT_MS,
    .fill = fill,
    .refused = mconsole_verb_refused,
    .tell = mconsole_verb_tell,
};

static const struct option_row options[] = {
    {"force", 'f', NULL, NULL, "keys known to kill or hang guests, too"},
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_sysrq = {
    .name = "sysrq",
    .usage = "GUEST KEY [--force]",
    .summary = "Press a SysRq key: s sync, u read-only, m memory, b reboot",
    .details = "The kernel's answer goes to the guest's log and, in part, comes back.\n"
               "GUEST may be several: names and patterns joined by commas.",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .changes = CHANGES_GUEST,
    .options = options,
    .min_words = 2,
    .max_words = 2,
    .verb = &verb,
};
