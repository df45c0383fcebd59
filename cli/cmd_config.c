#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *params = text_named(args->word[0]);
    const json_t *v;
    bool text;
    size_t i;
    int status;

    text_set(params, "device", args->count > 1 ? args->word[1] : NULL);
    status = cli_ask(cli, API_GUEST_CONFIG, params, CLI_SHORT_MS, &reply, &text);
    json_array_foreach(json_object_get(text ? reply.params : NULL, "values"), i, v)
    {
        /* As it could be given back; `live` is what the running kernel alone has. */
        printf("%s%s\n", text_get(v, "value", ""),
               strcmp(text_get(v, "where", ""), "live") == 0 ? "  (live only)" : "");
    }
    client_reply_done(&reply);
    return status;
}

static void tell(struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *runtime = json_object_get(json_object_get(reply, "guest"), "runtime");

    printf("%s: %s\n", name, text_bool(reply, "changed", true) ? "changed" : "already so");
    if (text_bool(reply, "changed", true) && text_has(runtime, "pid")) {
        fflush(stdout);
        cli_note(cli, "guest \"%s\": it runs; the change takes effect at its next start", name);
    }
}

static int change(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *set = json_array(), *unset = json_array(), *params;
    const char *name = args->word[0], *device;
    size_t pos = 0;
    bool text;
    int status;

    for (size_t i = 1; i < args->count; i++)
        json_array_append_new(set, json_string(args->word[i]));
    while ((device = args_next(args, "unset", &pos)))
        json_array_append_new(unset, json_string(device));
    params = json_pack("{s:s,s:o,s:o}", "name", name, "set", set, "unset", unset);
    text_set_cwd(params);
    if (args_flag(args, "dry-run"))
        json_object_set_new(params, "dryRun", json_true());
    status = cli_ask(cli, API_GUEST_UPDATE, params, CLI_SHORT_MS, &reply, &text);
    if (text && args_flag(args, "dry-run"))
        printf("%s: could be changed so\n", name);
    else if (text)
        tell(cli, name, reply.params);
    client_reply_done(&reply);
    return status;
}

static int run(struct cli *cli, const struct args *args)
{
    size_t assignments = 0;

    for (size_t i = 1; i < args->count; i++)
        assignments += strchr(args->word[i], '=') != NULL;
    if (assignments == 0 && !args_flag(args, "unset")) {
        if (args->count > 2)
            return cli_usage(cli, args, "one device at a time can be shown");
        return show(cli, args);
    }
    if (assignments + 1 != args->count)
        return cli_usage(cli, args, "DEVICE and DEVICE=SPEC cannot be mixed");
    return change(cli, args);
}

static const struct option_row options[] = {
    {"unset", 'u', "WORD", NULL, "take a device or a limit away; may be repeated"},
    {"dry-run", 'n', NULL, NULL, "check everything, change nothing"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_config = {
    .name = "config",
    .usage = "GUEST [DEVICE | DEVICE=SPEC ...] [--unset WORD]",
    .summary = "Show or change a guest's devices and keys",
    .details = "Words are those of create. A running guest takes a change at its next start.\n"
               "Example:\n"
               "  umlctl config web mem=256M con1=pts --unset ubd1\n"
               "  umlctl config web limit:cpu=50% --unset limit:io",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .run = run,
};
