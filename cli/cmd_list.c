#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/select.h"
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

/* Leaves those of the guests that are selected. The name of one that is not there is an error. */
static enum um_code keep_selected(const struct selection *s, json_t *guests, struct um_error *err)
{
    const char *missing = NULL;
    json_t *found = json_object();

    for (size_t i = 0; i < json_array_size(guests);) {
        const char *name =
            text_get(json_object_get(json_array_get(guests, i), "definition"), "name", "");

        if (select_has(s, name)) {
            json_object_set_new(found, name, json_true());
            i++;
        } else {
            json_array_remove(guests, i);
        }
    }
    for (size_t i = 0; i < s->count && !missing; i++)
        if (!json_object_get(found, s->names[i]))
            missing = s->names[i];
    json_decref(found);
    if (!missing)
        return UM_OK;
    um_fail(err, UM_E_NOT_FOUND, missing, NULL, "there is no guest \"%s\"", missing);
    return um_hint(err, "see: umlctl list");
}

static void print_guests(struct cli *cli, const json_t *guests)
{
    const json_t *guest;
    struct table t;
    size_t i;

    table_init(&t, columns, UM_ARRAY_LEN(columns));
    json_array_foreach(guests, i, guest)
    {
        add_guest(&t, guest);
    }
    table_print(&t, cli);
    table_done(&t);
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct selection chosen = {.names = NULL};
    enum um_code code = UM_OK;
    int status = 0;

    if (select_given(args))
        code = select_guests(cli, args, args->count, &chosen, &reply);
    if (!code)
        code = cli_call(cli, API_GUEST_LIST, NULL, CLI_SHORT_MS, &reply);
    if (!code && select_given(args))
        code = keep_selected(&chosen, json_object_get(reply.params, "guests"), &reply.error);
    if (code)
        status = cli_reply_error(cli, &reply);
    else if (cli->json)
        cli_print_json(reply.params);
    else
        print_guests(cli, json_object_get(reply.params, "guests"));
    select_done(&chosen);
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    SELECT_LABEL_OPTION,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_list = {
    .name = "list",
    .alias = "ls",
    .usage = "[GUEST ...]",
    .summary = "List the guests, or some of them",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .options = options,
    .max_words = -1,
    .run = run,
};
