#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_MS = 120000, INDENT = 14 /* what stands before a value */ };

static int run_list(struct cli *cli, const struct args *args)
{
    static const struct table_column columns[] = {
        {"NAME", 0},   {"VERSION", TABLE_SHRINK}, {"USABLE", 0},
        {"XSTATE", 0}, {"LPJ", TABLE_RIGHT},      {"PATH", 0},
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *k;
    struct table t;
    bool text;
    size_t i;
    int status = cli_ask(cli, API_KERNEL_LIST, NULL, CLI_SHORT_MS, &reply, &text);

    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "kernels"), i, k)
        {
            bool usable = text_bool(k, "usable", false);

            table_add(&t, text_get(k, "name", "?"));
            table_add(&t, text_get(k, "version", "?"));
            table_add(&t, usable ? "yes" : "no");
            table_color(&t, usable ? TABLE_GREEN : TABLE_RED);
            table_add(&t, text_get(k, "xstate", "?"));
            table_addf(&t, "%lld", (long long)text_int(k, "lpj", 0));
            table_add(&t, text_get(k, "path", "?"));
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_kernel_list = {
    .name = "kernel list",
    .alias = "kernel ls",
    .usage = "",
    .summary = "List the registered kernels",
    .group = GROUP_HOST,
    .run = run_list,
};

/* Options of its configuration: what is `y` by name, else with the value. */
static void print_config(const struct cli *cli, json_t *config)
{
    struct um_buf line = UM_BUF_INIT;
    size_t column = INDENT;
    const char *key;
    json_t *v;

    json_object_foreach(config, key, v)
    {
        const char *value = json_string_value(v);
        bool yes = value && strcmp(value, "y") == 0;
        char word[96];

        snprintf(word, sizeof(word), "%s%s%s", key, yes ? "" : "=", yes || !value ? "" : value);
        text_wrap(&line, &column, cli_columns(cli), INDENT, word);
    }
    printf("  %-*s%s\n", INDENT - 2, "config", line.data ? line.data : "");
    um_buf_done(&line);
}

static void print_kernel(const struct cli *cli, const json_t *k)
{
    const json_t *transports = json_object_get(k, "transports"), *v;
    size_t i;

    printf("kernel %s\n", text_get(k, "name", "?"));
    printf("  path         %s\n", text_get(k, "path", "?"));
    printf("  version      %s\n", text_get(k, "version", "?"));
    printf("  usable       %s%s%s\n", text_bool(k, "usable", false) ? "yes" : "no",
           text_has(k, "problem") ? ": " : "", text_get(k, "problem", ""));
    printf("  linked       %s\n", text_bool(k, "dynamic", false) ? "dynamically" : "statically");
    printf("  guard        %s\n", text_bool(k, "guard", false) ? "needed" : "not needed");
    printf("  xstate       %s\n", text_get(k, "xstate", "unknown"));
    printf("  kill safe    %s\n", text_bool(k, "killSafe", false) ? "yes" : "no");
    printf("  lpj          %lld\n", (long long)text_int(k, "lpj", 0));
    printf("  transports  ");
    json_array_foreach(transports, i, v)
    {
        printf(" %s", json_string_value(v));
    }
    putchar('\n');
    print_config(cli, json_object_get(k, "config"));
}

/* A path is meant for this directory; the daemon lives in another. A plain name stays one. */
static char *kernel_path(const char *word)
{
    json_t *here = json_object();
    char *path;

    text_set_cwd(here);
    path = um_path_absolute(text_get(here, "cwd", "/"), word);
    json_decref(here);
    return path;
}

static int run_probe(struct cli *cli, const struct args *args)
{
    bool is_path = strchr(args->word[0], '/') != NULL, text;
    um_autostr path = is_path ? kernel_path(args->word[0]) : NULL;
    struct client_reply reply = CLIENT_REPLY_INIT;
    int status;

    cli_progress(cli, "probing %s ...", args->word[0]);
    status =
        cli_ask(cli, API_KERNEL_PROBE, json_pack("{s:s}", "kernel", path ? path : args->word[0]),
                PROBE_MS, &reply, &text);
    cli_progress_clear(cli);
    if (text && !cli_told_dry(cli, reply.params, "probe kernel %s", args->word[0]))
        print_kernel(cli, json_object_get(reply.params, "kernel"));
    client_reply_done(&reply);
    return status;
}

const struct command command_kernel_probe = {
    .name = "kernel probe",
    .usage = "PATH|NAME",
    .summary = "Find out by experiment what a kernel can do here",
    .group = GROUP_HOST,
    .words = WORDS_FILE,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_probe,
};

static int run_add(struct cli *cli, const struct args *args)
{
    um_autostr path = kernel_path(args->word[0]);
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *params = json_pack("{s:s}", "path", path ? path : args->word[0]);
    bool text;
    int status;

    text_set(params, "name", args->count > 1 ? args->word[1] : args_value(args, "name"));
    cli_progress(cli, "probing %s ...", args->word[0]);
    status = cli_ask(cli, API_KERNEL_ADD, params, PROBE_MS, &reply, &text);
    cli_progress_clear(cli);
    if (text && !cli_told_dry(cli, reply.params, "register kernel %s", args->word[0]))
        print_kernel(cli, json_object_get(reply.params, "kernel"));
    client_reply_done(&reply);
    return status;
}

static const struct option_row add_options[] = {
    {"name", 'n', "NAME", NULL, "what to call it (default its version)"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_kernel_add = {
    .name = "kernel add",
    .usage = "PATH [NAME]",
    .summary = "Register a kernel and probe it",
    .group = GROUP_HOST,
    .words = WORDS_FILE,
    .options = add_options,
    .min_words = 1,
    .max_words = 2,
    .changes = CHANGES_SOMETHING,
    .run = run_add,
};

static int run_rm(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    status =
        cli_ask(cli, API_KERNEL_REMOVE, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);
    if (text && !cli_told_dry(cli, reply.params, "forget kernel %s", args->word[0]))
        printf("%s: %s\n", args->word[0],
               text_bool(reply.params, "changed", true) ? "removed" : "was not there");
    client_reply_done(&reply);
    return status;
}

const struct command command_kernel_rm = {
    .name = "kernel rm",
    .alias = "kernel remove",
    .usage = "NAME",
    .summary = "Forget a kernel; its file stays",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_rm,
};
