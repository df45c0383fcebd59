#include "cli/applied.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/show.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "cli/words.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill_query(um_unused const struct cli *cli, const struct args *args, json_t *params)
{
    text_set(params, "device", args->count > 1 ? args->word[1] : NULL);
}

/* Of a guest that does not run all is stored, and nothing else. */
static bool any_live(const json_t *values)
{
    const json_t *v;
    size_t i;

    json_array_foreach(values, i,
                       v) if (strcmp(text_get(v, "where", ""), "stored") != 0) return true;
    return false;
}

static void tell_query(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *values = json_object_get(reply, "values"), *v;
    bool runs = any_live(values);
    size_t i;

    json_array_foreach(values, i, v)
    {
        const char *where = text_get(v, "where", "");

        /* As it could be given back, and how the running kernel differs. */
        printf("%s%s%s", cli->several ? name : "", cli->several ? ": " : "",
               text_get(v, "value", ""));
        if (strcmp(where, "differs") == 0)
            printf("  (live: %s)", text_get(v, "live", "not there"));
        else if (strcmp(where, "live") == 0)
            fputs("  (live only)", stdout);
        else if (runs && strcmp(where, "stored") == 0)
            fputs("  (stored only)", stdout);
        puts("");
    }
}

/* The daemon takes words as create does, but users by number only. */
static json_t *change_word(const char *word)
{
    int64_t uid;

    if (um_str_starts(word, "owner=") && words_uid(word + strlen("owner="), &uid))
        return json_sprintf("owner=%lld", (long long)uid);
    return json_string(word);
}

static void fill_change(um_unused const struct cli *cli, const struct args *args, json_t *params)
{
    json_t *set = json_array(), *unset = json_array();
    const char *device;
    size_t pos = 0;

    for (size_t i = 1; i < args->count; i++)
        json_array_append_new(set, change_word(args->word[i]));
    while ((device = args_next(args, "unset", &pos)))
        json_array_append_new(unset, json_string(device));
    words_cmdline(params, args->tail, args->tail_count);
    json_object_set_new(params, "set", set);
    json_object_set_new(params, "unset", unset);
    if (args_flag(args, "stored"))
        json_object_set_new(params, "apply", json_string("stored"));
    text_set_cwd(params);
}

static void tell_change(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *guest = json_object_get(reply, "guest");

    printf("%s: %s\n", name, text_bool(reply, "changed", true) ? "changed" : "already so");
    if (text_has(json_object_get(guest, "runtime"), "pid"))
        applied_print(cli, name, reply);
    show_warnings(cli, reply);
}

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb query = {
        .method = API_GUEST_CONFIG,
        .doing = "asking",
        .one_word = true,
        .default_ms = CLI_SHORT_MS,
        .fill = fill_query,
        .tell = tell_query,
    };
    static const struct targets_verb change = {
        .method = API_GUEST_UPDATE,
        .doing = "changing",
        .would = "be changed",
        .one_word = true,
        .default_ms = CLI_LIVE_MS,
        .fill = fill_change,
        .tell = tell_change,
    };
    size_t assignments = 0;

    for (size_t i = 1; i < args->count; i++)
        assignments += strchr(args->word[i], '=') != NULL;
    if (assignments == 0 && !args_flag(args, "unset") && !args->tail_count) {
        if (args->count > 2)
            return cli_usage(cli, args, "one device or key at a time can be shown");
        return targets_run(cli, args, &query);
    }
    if (assignments + 1 != args->count)
        return cli_usage(cli, args,
                         "what is asked (WORD) and what is changed (WORD=VALUE) cannot be mixed");
    return targets_run(cli, args, &change);
}

static const struct option_row options[] = {
    {"unset", 'u', "WORD", NULL, "take a device, key, label: or limit: back; repeatable"},
    {"stored", 's', NULL, NULL, "leave a running guest as it is: at its next start"},
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_config = {
    .name = "config",
    .usage = "GUEST [WORD | WORD=VALUE ...] [--unset WORD] [-- WORD ...]",
    .summary = "Show or change a guest's devices and keys",
    .details = "Words are those of create. A key without a value (kernel=), or taken back with\n"
               "--unset, has its default again. A running guest takes what its kernel can take\n"
               "at once (docs/guests.md), the rest at its next start; it is said which.\n"
               "Words after -- go to the kernel's command line instead of those it has;\n"
               "--unset cmdline takes all of them back.\n"
               "GUEST may be several: names and patterns joined by commas.\n"
               "Example:\n"
               "  umlctl config web mem=256M con1=pts --unset ubd1\n"
               "  umlctl config web limit:cpu=50% --unset limit:io\n"
               "  umlctl config web -- quiet root=/dev/ubdb",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .changes = CHANGES_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .tail = true,
    .run = run,
};
