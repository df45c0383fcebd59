#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    char when[64], line[2048], clean[2048];
    const json_t *cause;
    size_t i;

    snprintf(line, sizeof(line), "%s: %s", name, text_get(reply, "text", "?"));
    puts(um_str_clean(line, clean, sizeof(clean)));
    json_array_foreach(json_object_get(reply, "causes"), i, cause)
    {
        text_when(text_get(cause, "time", NULL), when, sizeof(when));
        snprintf(line, sizeof(line), "  %s  %s", when, text_get(cause, "text", ""));
        puts(um_str_clean(line, clean, sizeof(clean)));
    }
    json_array_foreach(json_object_get(reply, "advice"), i, cause)
    {
        snprintf(line, sizeof(line), "  try: %s", json_string_value(cause));
        puts(um_str_clean(line, clean, sizeof(clean)));
    }
}

static const struct targets_verb verb = {
    .method = API_GUEST_EXPLAIN,
    .doing = "asking",
    .default_ms = CLI_SHORT_MS,
    .tell = tell,
};

const struct command command_explain = {
    .name = "explain",
    .usage = "GUEST ...",
    .summary = "Say why a guest is in the state it is in",
    .details = "What led to it, from events, policies and what is known of the guest: who asked,\n"
               "what failed how often, what is being waited for; and what to do about it.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
