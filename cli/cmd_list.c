#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct table_column columns[] = {
    {"NAME", 0},
    {"STATE", 0},
    {"READY", 0},
    {"PID", TABLE_RIGHT},
    {"BOOT", TABLE_RIGHT},
    {"MEM", TABLE_RIGHT},
    {"KERNEL", TABLE_SHRINK},
    {"UPTIME", TABLE_RIGHT},
};

static const char *kernel_of(const json_t *definition, const json_t *runtime)
{
    const char *kernel = text_get(runtime, "kernel", text_get(definition, "kernel", NULL));
    const char *slash = kernel ? strrchr(kernel, '/') : NULL;

    return slash ? slash + 1 : kernel;
}

static const char *ready_or_worse(const json_t *runtime)
{
    if (strcmp(text_get(runtime, "watch", ""), "hung") == 0)
        return "hung";
    if (strcmp(text_get(runtime, "health", ""), "failing") == 0)
        return "failing";
    return text_bool(runtime, "ready", false) ? "yes" : "no";
}

static void add_guest(struct table *t, const json_t *guest)
{
    const json_t *d = json_object_get(guest, "definition"), *r = json_object_get(guest, "runtime");
    const char *state = text_get(r, "state", "?");
    int64_t uptime = show_uptime(r);
    char text[32];

    table_add(t, text_get(d, "name", "?"));
    snprintf(text, sizeof(text), "%s%s", state,
             text_has(r, "adopted") && text_has(r, "pid") ? ", adopted" : "");
    table_add(t, text);
    table_color(t, table_state_color(state));
    table_add(t, ready_or_worse(r));
    snprintf(text, sizeof(text), "%lld", (long long)text_int(r, "pid", 0));
    table_add(t, text_has(r, "pid") ? text : NULL);
    snprintf(text, sizeof(text), "%lld", (long long)text_int(r, "bootNumber", 0));
    table_add(t, text);
    table_add(t, um_format_size((uint64_t)text_int(r, "memory", 0), text, sizeof(text)));
    table_add(t, kernel_of(d, r));
    table_add(t, uptime >= 0 ? text_duration(uptime, text, sizeof(text)) : NULL);
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *guest;
    struct table t;
    bool text;
    size_t i;
    int status = cli_ask(cli, API_GUEST_LIST, NULL, CLI_SHORT_MS, &reply, &text);

    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "guests"), i, guest)
        {
            add_guest(&t, guest);
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_list = {
    .name = "list",
    .alias = "ls",
    .usage = "",
    .summary = "List the guests",
    .group = GROUP_GUESTS,
    .run = run,
};
