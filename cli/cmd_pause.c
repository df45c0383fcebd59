#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "schemas/api_names.h"

static const struct targets_verb verb = {
    .method = API_GUEST_PAUSE,
    .doing = "pausing",
    .would = "pause",
    .default_ms = CLI_SHORT_MS,
    .tell = targets_tell_state,
};

const struct command command_pause = {
    .name = "pause",
    .usage = "GUEST ...",
    .summary = "Hold guests still",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
