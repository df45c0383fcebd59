#include "cli/applied.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>

static void fill(um_unused const struct cli *cli, const struct args *args, json_t *params)
{
    json_t *others = json_array();

    json_object_set_new(params, "device", json_string(args->word[1]));
    for (size_t i = 2; i < args->count; i++)
        json_array_append_new(others, json_string(args->word[i]));
    json_object_set_new(params, "others", others);
}

static void tell(struct cli *cli, const char *name, const json_t *reply)
{
    printf("%s: detached\n", name);
    applied_print(cli, name, reply);
}

static const struct targets_verb verb = {
    .method = API_GUEST_DETACH,
    .doing = "changing",
    .would = "have that detached",
    .one_word = true,
    .default_ms = CLI_LIVE_MS,
    .fill = fill,
    .tell = tell,
};

const struct command command_detach = {
    .name = "detach",
    .usage = "GUEST DEVICE ...",
    .summary = "Take devices out of a guest, a running one too",
    .details = "The same as umlctl config GUEST --unset DEVICE. A disk has to be unmounted\n"
               "in the guest first.\n"
               "GUEST may be several: names and patterns joined by commas.",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .changes = CHANGES_GUEST,
    .options = select_one_options,
    .min_words = 2,
    .max_words = -1,
    .verb = &verb,
};
