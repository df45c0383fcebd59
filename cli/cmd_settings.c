#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <string.h>

static int show(struct cli *cli, const char *name)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err = UM_ERROR_INIT;
    const json_t *settings, *value;
    const char *key;
    bool text, found = false;
    int status = cli_ask(cli, API_SERVER_SETTINGS, NULL, CLI_SHORT_MS, &reply, &text);

    settings = json_object_get(reply.params, "settings");
    json_object_foreach((json_t *)(text ? settings : NULL), key, value)
    {
        if (name && strcmp(key, name) != 0)
            continue;
        found = true;
        printf("%s=%s\n", key, json_string_value(value));
    }
    if (text && name && !found) {
        um_fail(&err, UM_E_NOT_FOUND, "settings", name, "there is no setting \"%s\"", name);
        um_hint(&err, "umlctl settings lists them");
        status = cli_error(cli, &err);
    }
    client_reply_done(&reply);
    return status;
}

static int set(struct cli *cli, const char *word, const char *equals)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    status =
        cli_ask(cli, API_SERVER_SET,
                json_pack("{s:s%,s:s}", "name", word, (size_t)(equals - word), "value", equals + 1),
                CLI_SHORT_MS, &reply, &text);
    if (text && !cli_told_dry(cli, reply.params, "set %s", word))
        printf("%s%s\n", word, text_bool(reply.params, "changed", true) ? "" : " already");
    client_reply_done(&reply);
    return status;
}

static int run(struct cli *cli, const struct args *args)
{
    const char *word = args->count > 0 ? args->word[0] : NULL;
    const char *equals = word ? strchr(word, '=') : NULL;

    return equals ? set(cli, word, equals) : show(cli, word);
}

const struct command command_settings = {
    .name = "settings",
    .usage = "[NAME | NAME=VALUE]",
    .summary = "Show or change the daemon's settings",
    .group = GROUP_HOST,
    .changes = CHANGES_SOMETHING,
    .max_words = 1,
    .run = run,
};
