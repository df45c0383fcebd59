#include "cli/commands.h"
#include "cli/select.h"
#include "cli/show.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    json_t *others = json_array();

    text_set(params, "condition", args->count > 1 ? args->word[1] : "exit");
    for (size_t i = 2; i < args->count; i++)
        json_array_append_new(others, json_string(args->word[i]));
    if (json_array_size(others) > 0)
        json_object_set(params, "others", others);
    json_decref(others);
    json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, CLI_WAIT_MS)));
}

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *runtime = json_object_get(json_object_get(reply, "guest"), "runtime");
    const char *text = text_get(reply, "text", "");
    char state[512], line[2048], clean[2048];

    if (text_has(reply, "seq"))
        snprintf(line, sizeof(line), "%s: event %lld: %s", name,
                 (long long)text_int(reply, "seq", 0), text);
    else
        snprintf(line, sizeof(line), "%s: %s", name,
                 text[0] ? text : show_state(runtime, state, sizeof(state)));
    puts(um_str_clean(line, clean, sizeof(clean)));
}

static const struct targets_verb verb = {
    .method = API_GUEST_WAIT,
    .doing = "waiting",
    .one_word = true,
    .default_ms = CLI_WAIT_MS,
    .fill = fill,
    .tell = tell,
};

const struct command command_wait = {
    .name = "wait",
    .usage = "GUEST [CONDITION ...]",
    .summary = "Wait until a guest is ready, has ended, or says something",
    .details = "Until one of the conditions holds; without any: exit.\n"
               "GUEST may be several: names and patterns joined by commas. Each is waited for.\n"
               "\n"
               "  ready             it is ready; not given up while it waits for its next start\n"
               "  kernel            its kernel is up\n"
               "  exit              it has ended\n"
               "  STATE             it is stopped, running, paused, failed, ...; or state=STATE\n"
               "  health=ok         it says so of itself; or health=failing\n"
               "  status=/REGEX/    its STATUS= is like that\n"
               "  event>=SEQ        an event about it with this number or a later one\n"
               "  event=TYPE        an event of this type from now on; guest.* fits many\n"
               "  console=/REGEX/   a line on con0, since this boot began or later\n"
               "  console>/REGEX/   a line on con0 from now on\n"
               "\n"
               "REGEX is an extended regular expression without back-references.\n"
               "Exit status: 10 the time given with --timeout (default 24 hours) is up, 12 it\n"
               "crashed, 13 it was stopped, 7 there is no such guest, or it does not run and\n"
               "nothing is about to start it.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUEST,
    .options = select_one_options,
    .min_words = 1,
    .max_words = 9,
    .verb = &verb,
};
