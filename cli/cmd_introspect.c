#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <stdio.h>
#include <string.h>

static void print_info(const json_t *info)
{
    const json_t *v;
    size_t i;

    printf("%s %s (%s)\n", text_get(info, "product", "?"), text_get(info, "version", "?"),
           text_get(info, "vendor", "?"));
    json_array_foreach(json_object_get(info, "interfaces"), i, v)
    {
        puts(json_string_value(v) ? json_string_value(v) : "?");
    }
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const char *description;
    json_t *params = NULL;
    bool text;
    int status;

    if (args->count > 0)
        params = json_pack("{s:s}", "interface", args->word[0]);
    status = cli_ask(
        cli, params ? "org.varlink.service.GetInterfaceDescription" : "org.varlink.service.GetInfo",
        params, CLI_SHORT_MS, &reply, &text);
    description = text_get(reply.params, "description", "");
    if (text && args->count == 0)
        print_info(reply.params);
    else if (text)
        printf("%s%s", description, strchr(description, '\n') ? "" : "\n");
    client_reply_done(&reply);
    return status;
}

const struct command command_introspect = {
    .name = "introspect",
    .usage = "[INTERFACE]",
    .summary = "Show the daemon's interfaces, or one in full",
    .group = GROUP_API,
    .max_words = 1,
    .run = run,
};
