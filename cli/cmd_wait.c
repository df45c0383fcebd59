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
    json_object_set_new(params, "condition", json_string(args->count > 1 ? args->word[1] : "exit"));
    json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, CLI_WAIT_MS)));
}

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *runtime = json_object_get(json_object_get(reply, "guest"), "runtime");
    char state[512], clean[512];

    printf("%s: %s\n", name,
           um_str_clean(show_state(runtime, state, sizeof(state)), clean, sizeof(clean)));
}

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_WAIT,
        .doing = "waiting",
        .one_word = true,
        .default_ms = CLI_WAIT_MS,
        .fill = fill,
        .tell = tell,
    };

    return targets_run(cli, args, &verb);
}

static const struct option_row options[] = {
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_wait = {
    .name = "wait",
    .usage = "GUEST [STATE|ready|exit]",
    .summary = "Wait until a guest is ready, has ended or is in some state",
    .details = "GUEST may be several: names and patterns joined by commas. Each is waited for.\n"
               "Without a condition: exit. Without --timeout the wait ends after 24 hours.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
