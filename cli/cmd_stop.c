#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <string.h>

static int64_t grace_ms(const struct args *args)
{
    const char *value = args_value(args, "grace");
    int64_t ms = 0;

    return value && !args_duration(value, &ms) ? -1 : ms;
}

/* Until the daemon must have an answer: the other rungs come on top. */
static int64_t stop_ms(const struct args *args)
{
    return CLI_STOP_MS + (grace_ms(args) > 0 ? grace_ms(args) : 0);
}

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
    if (grace_ms(args) > 0)
        json_object_set_new(params, "graceMs", json_integer(grace_ms(args)));
    json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, stop_ms(args))));
}

/* The end of a guest that did not shut down by itself is worth a word. */
static const char *how_text(const char *how)
{
    static const char *const texts[][2] = {
        {"rebooted", " (it rebooted instead of powering off, and was halted as it came up)"},
        {"halted", " (it did not shut down; synced and halted)"},
        {"killed", " (killed)"},
        {"crashed", " (it crashed on the way)"},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(texts); i++)
        if (strcmp(texts[i][0], how) == 0)
            return texts[i][1];
    return "";
}

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    printf("%s: %s%s%s\n", name, text_bool(reply, "changed", true) ? "" : "already ",
           text_get(reply, "state", "done"), how_text(text_get(reply, "how", "")));
}

static int run(struct cli *cli, const struct args *args)
{
    const struct targets_verb verb = {
        .method = API_GUEST_STOP,
        .doing = "stopping",
        .would = "stop",
        .progress = true,
        .default_ms = stop_ms(args),
        .fill = fill,
        .tell = tell,
    };

    if (grace_ms(args) < 0)
        return cli_usage(cli, args, "--grace must be like 30, 500ms or 2m");

    return targets_run(cli, args, &verb);
}

static const struct option_row options[] = {
    {"force", 'f', NULL, NULL, "kill at once instead of asking the guest to shut down"},
    {"grace", 'g', "TIME", NULL, "time to shut down (default: settings stop-seconds)"},
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_stop = {
    .name = "stop",
    .usage = "GUEST ... [--force | --grace TIME]",
    .summary = "Shut guests down",
    .details = "The guest is asked first (Ctrl-Alt-Del), then synced, halted and killed; each\n"
               "step has its own time limit. A guest that is down already counts as stopped.\n"
               "If it did not shut down by itself, that is said.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .run = run,
};
