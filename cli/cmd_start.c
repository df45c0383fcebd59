#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <string.h>

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    const char *wait = args_value(args, "wait");

    /* With --console the boot is to be watched, not waited for. */
    if (!wait && args_flag(args, "console"))
        wait = "none";
    text_set(params, "wait", wait);
    if (!wait || strcmp(wait, "none") != 0)
        json_object_set_new(params, "timeoutMs", json_integer(cli_timeout_ms(cli, CLI_START_MS)));
}

static void tell(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    const char *state = text_get(reply, "state", "started");
    bool changed = text_bool(reply, "changed", true);

    /* With `none` the answer comes before the first step, and has the state before it. */
    if (changed && (strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0))
        state = "starting";
    printf("%s: %s%s%s\n", name, changed ? "" : "already ", state,
           text_bool(reply, "ready", false) ? ", ready" : "");
}

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_START,
        .doing = "starting",
        .would = "start",
        .progress = true,
        .default_ms = CLI_START_MS,
        .fill = fill,
        .tell = tell,
    };
    struct attach attach = {.back = -1};
    int status;

    if (args_flag(args, "console") && (!select_is_plain(args, args->count) || cli->dry_run))
        return cli_usage(cli, args, "--console works with one guest at a time");
    status = targets_run(cli, args, &verb);
    if (status || !args_flag(args, "console"))
        return status;
    attach.guest = args->word[0];
    return attach_when_booting(cli, &attach);
}

static const struct option_row options[] = {
    {"wait", 'w', "STATE", "kernel|ready|none", "what to wait for (default ready)"},
    {"console", 'c', NULL, NULL, "attach to the console and watch it boot"},
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_start = {
    .name = "start",
    .usage = "GUEST ... [--wait kernel|ready|none] [--console]",
    .summary = "Start guests and wait until they are ready",
    .details = "A guest that runs already counts as started. Without --timeout the wait ends\n"
               "after 120 seconds; the guest goes on booting then.",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .changes = CHANGES_GUEST,
    .options = options,
    .max_words = -1,
    .run = run,
};
