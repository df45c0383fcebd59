/* Networks as such; what goes on in one is in cmd_net_look.c. */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/net_words.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <string.h>

static enum table_color state_color(const char *state)
{
    return strcmp(state, "running") == 0  ? TABLE_GREEN
           : strcmp(state, "failed") == 0 ? TABLE_RED
                                          : TABLE_YELLOW;
}

static int run_list(struct cli *cli, const struct args *args)
{
    static const struct table_column columns[] = {
        {"NAME", 0}, {"STATE", 0}, {"MODE", 0}, {"PORTS", TABLE_RIGHT}, {"GUESTS", TABLE_SHRINK},
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *n, *guest;
    struct table t;
    bool text;
    size_t i, k;
    int status = cli_ask(cli, API_NETWORK_LIST, NULL, CLI_SHORT_MS, &reply, &text);

    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "networks"), i, n)
        {
            const json_t *definition = json_object_get(n, "definition");
            const json_t *runtime = json_object_get(n, "runtime");
            struct um_buf guests = UM_BUF_INIT;

            json_array_foreach(json_object_get(runtime, "guests"), k, guest)
            {
                um_buf_printf(&guests, "%s%s", k ? "," : "", json_string_value(guest));
            }
            table_add(&t, text_get(definition, "name", "?"));
            table_add(&t, text_get(runtime, "state", "?"));
            table_color(&t, state_color(text_get(runtime, "state", "?")));
            table_add(&t, text_get(definition, "mode", "?"));
            table_addf(&t, "%lld", (long long)text_int(runtime, "ports", 0));
            table_add(&t, guests.data);
            um_buf_done(&guests);
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_net_list = {
    .name = "net list",
    .alias = "net ls",
    .usage = "",
    .summary = "List the networks",
    .group = GROUP_NETWORKS,
    .run = run_list,
};

static void print_network(const json_t *n)
{
    const json_t *definition = json_object_get(n, "definition");
    const json_t *runtime = json_object_get(n, "runtime"), *guest;
    struct um_buf b = UM_BUF_INIT;
    char when[40];
    size_t i;

    um_buf_printf(&b, "network %s\n  %-12s %s", text_get(definition, "name", "?"), "state",
                  text_get(runtime, "state", "?"));
    if (text_has(runtime, "cause"))
        um_buf_printf(&b, ": %s", text_get(runtime, "cause", ""));
    um_buf_puts(&b, "\n");
    if (text_has(runtime, "pid"))
        um_buf_printf(&b, "  %-12s pid %lld since %s\n", "umlnetd",
                      (long long)text_int(runtime, "pid", 0),
                      text_when(text_get(runtime, "startedAt", ""), when, sizeof(when)));
    um_buf_printf(&b, "  %-12s %lld\n", "restarts", (long long)text_int(runtime, "restarts", 0));
    um_buf_printf(&b, "  %-12s", "guests");
    json_array_foreach(json_object_get(runtime, "guests"), i, guest)
    {
        um_buf_printf(&b, " %s", json_string_value(guest));
    }
    um_buf_puts(&b, i ? "\n" : " -\n");
    net_words_print(definition, &b);
    um_buf_printf(&b, "  %-12s %lld\n", "revision", (long long)text_int(n, "revision", 0));
    fputs(b.data ? b.data : "", stdout);
    um_buf_done(&b);
}

static int run_show(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status =
        cli_ask(cli, API_NETWORK_GET, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);

    if (text)
        print_network(json_object_get(reply.params, "network"));
    client_reply_done(&reply);
    return status;
}

const struct command command_net_show = {
    .name = "net show",
    .usage = "NAME",
    .summary = "Show a network: its properties, its umlnetd, its guests",
    .group = GROUP_NETWORKS,
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

/* The properties after the name. */
static enum um_code take_words(const struct args *args, json_t *o, struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 1; !code && i < args->count; i++)
        code = net_words_add(o, args->word[i], err);
    return code;
}

/* A call whose answer is one line; params is stolen. */
static int act(struct cli *cli, const struct args *args, const char *method, json_t *params,
               const char *verb, const char *done, const char *same)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status = cli_ask(cli, method, params, CLI_LIVE_MS, &reply, &text);

    if (text && !cli_told_dry(cli, reply.params, "%s network %s", verb, args->word[0]))
        printf("%s: %s\n", args->word[0], text_bool(reply.params, "changed", true) ? done : same);
    client_reply_done(&reply);
    return status;
}

static int run_create(struct cli *cli, const struct args *args)
{
    json_t *definition = text_named(args->word[0]);
    struct um_error err;

    if (take_words(args, definition, &err)) {
        json_decref(definition);
        return cli_error(cli, &err);
    }
    return act(cli, args, API_NETWORK_CREATE, json_pack("{s:o}", "definition", definition),
               "create", "created", "exists already");
}

#define PROPERTIES                                                                                 \
    "Properties:\n\n"                                                                              \
    "  mode=switch|hub    a hub sends every frame to all ports (switch)\n"                         \
    "  mtu=N              largest packet that is passed on (65534)\n"                              \
    "  mac-age=SECONDS    how long an unseen address is remembered (100)\n"                        \
    "  mac-guard=SECONDS  so long a seen address is believed at one port only (0)\n"               \
    "  ports=N            ports that guests may have (1024)\n"                                     \
    "  storm=N            broadcasts a second that a port may send (0: any)\n"                     \
    "  loop-guard=on|off  shut a port that is sent its own frames back (off)"

const struct command command_net_create = {
    .name = "net create",
    .usage = "NAME [KEY=VALUE...]",
    .summary = "Create a network that guests can be given with netN=NAME",
    .details = "Its switch, a program umlnetd, runs as long as the network exists.\n\n" PROPERTIES,
    .group = GROUP_NETWORKS,
    .min_words = 1,
    .max_words = -1,
    .changes = CHANGES_SOMETHING,
    .run = run_create,
};

static int run_edit(struct cli *cli, const struct args *args)
{
    json_t *change = json_object();
    struct um_error err;

    if (take_words(args, change, &err)) {
        json_decref(change);
        return cli_error(cli, &err);
    }
    return act(cli, args, API_NETWORK_UPDATE,
               json_pack("{s:s,s:o}", "name", args->word[0], "change", change), "change", "changed",
               "is so already");
}

const struct command command_net_edit = {
    .name = "net edit",
    .usage = "NAME KEY=VALUE...",
    .summary = "Change a network while it runs; links stay",
    .details = PROPERTIES,
    .group = GROUP_NETWORKS,
    .min_words = 2,
    .max_words = -1,
    .changes = CHANGES_GUEST,
    .run = run_edit,
};

static int run_rm(struct cli *cli, const struct args *args)
{
    return act(cli, args, API_NETWORK_REMOVE, text_named(args->word[0]), "remove", "removed",
               "was not there");
}

const struct command command_net_rm = {
    .name = "net rm",
    .alias = "net remove",
    .usage = "NAME",
    .summary = "Remove a network that no guest's definition names",
    .group = GROUP_NETWORKS,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_GUEST,
    .run = run_rm,
};

static int run_restart(struct cli *cli, const struct args *args)
{
    return act(cli, args, API_NETWORK_RESTART, text_named(args->word[0]), "restart", "restarted",
               "runs");
}

const struct command command_net_restart = {
    .name = "net restart",
    .usage = "NAME",
    .summary = "Let another umlnetd take a network over",
    .details = "After an upgrade, or when the network has failed. Links stay, and addresses and\n"
               "counters; frames wait meanwhile.",
    .group = GROUP_NETWORKS,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_GUEST,
    .run = run_restart,
};
