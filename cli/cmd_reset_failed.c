#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static const struct targets_verb verb = {
    .method = API_GUEST_RESET_FAILED,
    .doing = "resetting",
    .would = "reset",
    .default_ms = CLI_SHORT_MS,
    .tell = targets_tell_state,
};

const struct command command_reset_failed = {
    .name = "reset-failed",
    .usage = "GUEST ...",
    .summary = "Make failed guests stopped again; forget the cause",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
