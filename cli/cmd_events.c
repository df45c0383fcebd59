#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

static void print_event(const json_t *event)
{
    char when[64], clean[2048];
    struct um_buf line = UM_BUF_INIT;
    const json_t *value;
    const char *key;

    um_buf_printf(&line, "%6lld  %s  %-16s %s", (long long)text_int(event, "seq", 0),
                  text_when(text_get(event, "time", NULL), when, sizeof(when)),
                  text_get(event, "type", "?"), text_get(event, "object", ""));
    json_object_foreach(json_object_get(event, "data"), key, value)
    {
        um_buf_printf(&line, " %s=%s", key, json_string_value(value));
    }
    puts(line.data ? um_str_clean(line.data, clean, sizeof(clean)) : "");
    um_buf_done(&line);
}

static void print_reply(struct cli *cli, const json_t *params)
{
    const json_t *event = json_object_get(params, "event"), *lost = json_object_get(params, "lost");

    if (cli->json) {
        if (json_object_size(params) > 0)
            cli_print_json(params);
    } else {
        if (json_is_object(lost))
            cli_note(cli, "events %lld to %lld are no longer kept",
                     (long long)text_int(lost, "from", 0), (long long)text_int(lost, "to", 0));
        if (json_is_object(event))
            print_event(event);
    }
    cli_flush(cli);
}

/* `--type a,b --type c` */
static void add_types(const struct args *args, json_t *params)
{
    json_t *types = json_array();
    const char *value;
    size_t pos = 0;

    while ((value = args_next(args, "type", &pos)))
        while (*value) {
            size_t len = strcspn(value, ",");

            if (len > 0)
                json_array_append_new(types, json_stringn(value, len));
            value += len + (value[len] == ',');
        }
    if (json_array_size(types) > 0)
        json_object_set(params, "types", types);
    json_decref(types);
}

static int subscribe(struct cli *cli, json_t *params, bool follow)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    int64_t deadline;
    int status = 0;

    if (cli_connect(cli, &reply.error)) {
        json_decref(params);
        return cli_reply_error(cli, &reply);
    }
    deadline = follow && !cli->timeout_ms ? CLIENT_FOREVER : cli_deadline(cli, CLI_SHORT_MS);
    if (client_send(cli->client, API_SERVER_SUBSCRIBE, params, CLIENT_MORE, deadline, &reply.error))
        return cli_reply_error(cli, &reply);
    do {
        if (client_receive(cli->client, deadline, &reply))
            status = cli_reply_error(cli, &reply);
        else
            print_reply(cli, reply.params);
    } while (status == 0 && reply.continues);
    client_reply_done(&reply);
    return status;
}

static int run(struct cli *cli, const struct args *args)
{
    bool follow = args_flag(args, "follow");
    struct um_error err = UM_ERROR_INIT;
    /* Without --follow only the past is of interest: all that is kept. */
    int64_t since = follow ? -1 : 0;
    json_t *params;

    if (args_int(args, "since", 0, INT64_C(9007199254740991), &since, &err))
        return cli_error(cli, &err);
    params = json_object();
    if (since >= 0)
        json_object_set_new(params, "since", json_integer(since));
    text_set(params, "guest", args_value(args, "guest"));
    add_types(args, params);
    if (follow)
        json_object_set_new(params, "follow", json_true());
    return subscribe(cli, params, follow);
}

static const struct option_row options[] = {
    {"follow", 'f', NULL, NULL, "go on with new ones as they happen; Ctrl-C ends it"},
    {"since", 's', "SEQ", NULL, "those after this sequence number"},
    {"guest", 'g', "GUEST", NULL, "of this guest"},
    {"type", 't', "TYPE", NULL, "of this type; may be repeated, or a,b"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_events = {
    .name = "events",
    .usage = "[--follow] [--since SEQ] [--guest GUEST] [--type TYPE]",
    .summary = "Show what has happened",
    .details = "All events that are kept, or with --follow alone only new ones. Sequence numbers\n"
               "are never reused: a program that remembers the last one misses nothing.",
    .group = GROUP_HOST,
    .options = options,
    .run = run,
};
