#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, CLI_START_MS)));
}

static const struct targets_verb verb = {
    .method = API_GUEST_REBOOT,
    .doing = "rebooting",
    .would = "reboot",
    .default_ms = CLI_START_MS,
    .fill = fill,
    .tell = targets_tell_state,
};

const struct command command_reboot = {
    .name = "reboot",
    .usage = "GUEST ...",
    .summary = "Reboot guests in place and wait for their kernels",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
