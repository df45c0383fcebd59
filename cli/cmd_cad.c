#include "cli/commands.h"
#include "cli/mconsole_verb.h"
#include "cli/select.h"
#include "schemas/api_names.h"

static void fill(const struct cli *cli, um_unused const struct args *args, json_t *params)
{
    mconsole_verb_fill(cli, "cad", params);
}

static const struct targets_verb verb = {
    .method = API_GUEST_MCONSOLE,
    .doing = "asking",
    .would = "be sent Ctrl-Alt-Del",
    .default_ms = CLI_SHORT_MS,
    .fill = fill,
    .refused = mconsole_verb_refused,
    .tell = mconsole_verb_tell,
};

const struct command command_cad = {
    .name = "cad",
    .usage = "GUEST ...",
    .summary = "Send Ctrl-Alt-Del; what it does is up to the guest",
    .details = "To have guests down, whatever they make of it: umlctl stop.",
    .group = GROUP_DEVICES,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
