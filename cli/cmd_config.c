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

static void tell_query(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(reply, "values"), i, v)
    {
        /* As it could be given back; `live` is what the running kernel alone has. */
        printf("%s%s%s%s\n", cli->several ? name : "", cli->several ? ": " : "",
               text_get(v, "value", ""),
               strcmp(text_get(v, "where", ""), "live") == 0 ? "  (live only)" : "");
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
    json_object_set_new(params, "set", set);
    json_object_set_new(params, "unset", unset);
    text_set_cwd(params);
}

static void tell_change(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *runtime = json_object_get(json_object_get(reply, "guest"), "runtime");

    printf("%s: %s\n", name, text_bool(reply, "changed", true) ? "changed" : "already so");
    if (text_bool(reply, "changed", true) && text_has(runtime, "pid")) {
        fflush(stdout);
        cli_note(cli, "guest \"%s\": it runs; the change takes effect at its next start", name);
    }
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
        .default_ms = CLI_SHORT_MS,
        .fill = fill_change,
        .tell = tell_change,
    };
    size_t assignments = 0;

    for (size_t i = 1; i < args->count; i++)
        assignments += strchr(args->word[i], '=') != NULL;
    if (assignments == 0 && !args_flag(args, "unset")) {
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
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_config = {
    .name = "config",
    .usage = "GUEST [WORD | WORD=VALUE ...] [--unset WORD]",
    .summary = "Show or change a guest's devices and keys",
    .details = "Words are those of create. A key without a value (kernel=), or taken back with\n"
               "--unset, has its default again. A running guest takes a change at its next\n"
               "start. GUEST may be several: names and patterns joined by commas.\n"
               "Example:\n"
               "  umlctl config web mem=256M con1=pts --unset ubd1\n"
               "  umlctl config web limit:cpu=50% --unset limit:io",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .changes = CHANGES_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .run = run,
};
