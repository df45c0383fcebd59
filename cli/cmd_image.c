#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>

enum { BUILD_MS = 600000 };

static int run_list(struct cli *cli, const struct args *args)
{
    static const struct table_column columns[] = {
        {"NAME", 0}, {"KIND", 0}, {"SIZE", TABLE_RIGHT}, {"CREATED", 0}, {"PATH", 0},
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *image;
    struct table t;
    char buf[64];
    bool text;
    size_t i;
    int status = cli_ask(cli, API_IMAGE_LIST, NULL, CLI_SHORT_MS, &reply, &text);

    if (text) {
        table_init(&t, columns, UM_ARRAY_LEN(columns));
        json_array_foreach(json_object_get(reply.params, "images"), i, image)
        {
            table_add(&t, text_get(image, "name", "?"));
            table_add(&t, text_get(image, "kind", "?"));
            table_add(&t, um_format_size((uint64_t)text_int(image, "bytes", 0), buf, sizeof(buf)));
            table_addf(&t, "%.10s", text_get(image, "createdAt", "-"));
            table_add(&t, text_get(image, "path", "?"));
        }
        table_print(&t, cli);
        table_done(&t);
    }
    client_reply_done(&reply);
    return status;
}

const struct command command_image_list = {
    .name = "image list",
    .alias = "image ls",
    .usage = "",
    .summary = "List root file system images",
    .group = GROUP_HOST,
    .run = run_list,
};

static void tell_build(const struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *image = json_object_get(reply, "image");

    if (cli->json)
        cli_print_json(reply);
    else if (!cli_told_dry(cli, reply, "build image %s", name))
        printf("%s: %s%s%s\n", text_get(image, "name", "image"),
               text_bool(reply, "changed", true) ? "built" : "exists already",
               text_has(image, "path") ? ", " : "", text_get(image, "path", ""));
}

static int build(struct cli *cli, const char *name, json_t *params)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool more = cli->progress_tty && !cli->json;
    int64_t deadline;
    enum um_code code;
    int status = 0;

    code = cli_connect(cli, &reply.error);
    if (code) {
        json_decref(params);
        return cli_reply_error(cli, &reply);
    }
    cli_progress(cli, "building ...");
    deadline = cli_deadline(cli, BUILD_MS);
    code = cli_send(cli, cli->client, API_IMAGE_BUILD, params, more ? CLIENT_MORE : 0, deadline,
                    &reply.error);
    while (!code) {
        code = client_receive(cli->client, deadline, &reply);
        if (code || !reply.continues)
            break;
        cli_progress(cli, "building: %s ...", text_get(reply.params, "phase", ""));
    }
    cli_progress_clear(cli);
    if (code)
        status = cli_reply_error(cli, &reply);
    else
        tell_build(cli, name, reply.params);
    client_reply_done(&reply);
    return status;
}

static int run_build(struct cli *cli, const struct args *args)
{
    const char *size = args_value(args, "size"), *name = args_value(args, "name");
    json_t *params;
    uint64_t bytes;

    if (size && (!um_parse_size(size, &bytes) || bytes > INT64_MAX))
        return cli_usage(cli, args, "--size must be like 64M, not \"%s\"", size);
    params = json_pack("{s:s}", "kind", args->word[0]);
    text_set(params, "name", name);
    if (size)
        json_object_set_new(params, "bytes", json_integer((json_int_t)bytes));
    if (args_flag(args, "replace"))
        json_object_set_new(params, "replace", json_true());
    return build(cli, name ? name : args->word[0], params);
}

static const struct option_row build_options[] = {
    {"name", 'n', "NAME", NULL, "what to call it (default its kind)"},
    {"size", 's', "SIZE", NULL, "size of the file system, like 64M"},
    {"replace", 'r', NULL, NULL, "build again over one that exists"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_image_build = {
    .name = "image build",
    .usage = "busybox [--name NAME] [--size SIZE] [--replace]",
    .summary = "Build a root file system image",
    .group = GROUP_HOST,
    .options = build_options,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_build,
};

static int run_rm(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    status = cli_ask(cli, API_IMAGE_REMOVE, text_named(args->word[0]), CLI_SHORT_MS, &reply, &text);
    if (text && !cli_told_dry(cli, reply.params, "remove image %s", args->word[0]))
        printf("%s: %s\n", args->word[0],
               text_bool(reply.params, "changed", true) ? "removed" : "was not there");
    client_reply_done(&reply);
    return status;
}

const struct command command_image_rm = {
    .name = "image rm",
    .alias = "image remove",
    .usage = "NAME",
    .summary = "Remove an image",
    .group = GROUP_HOST,
    .min_words = 1,
    .max_words = 1,
    .changes = CHANGES_SOMETHING,
    .run = run_rm,
};
