#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "vmcore/base/fd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARAMETERS_MAX = 1 << 20, CALL_MS = 120000 };

static enum um_code parse(const char *text, json_t **ret, struct um_error *err)
{
    enum um_code code;
    json_error_t where;
    char *read = NULL;

    if (strcmp(text, "-") == 0) {
        code = um_fd_read_all(STDIN_FILENO, "standard input", PARAMETERS_MAX, &read, NULL, err);
        if (code)
            return code;
        text = read;
    }
    *ret = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    free(read);
    if (json_is_object(*ret))
        return UM_OK;
    return um_fail(err, UM_E_USAGE, "parameters", NULL, "not a JSON object: %s",
                   *ret ? "another kind of value" : where.text);
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err = UM_ERROR_INIT;
    bool more = args_flag(args, "more");
    int64_t deadline;
    json_t *params = NULL;
    int status = 0;

    if (args->count > 1 && parse(args->word[1], &params, &err)) {
        json_decref(params);
        return cli_error(cli, &err);
    }
    if (cli_connect(cli, &err)) {
        json_decref(params);
        return cli_error(cli, &err);
    }
    deadline = more && !cli->timeout_ms ? CLIENT_FOREVER : cli_deadline(cli, CALL_MS);
    if (client_send(cli->client, args->word[0], params, more ? CLIENT_MORE : 0, deadline, &err))
        return cli_error(cli, &err);
    do {
        if (client_receive(cli->client, deadline, &reply))
            status = cli_reply_error(cli, &reply);
        else
            cli_print_json(reply.params);
        cli_flush(cli);
    } while (status == 0 && reply.continues);
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    {"more", 'm', NULL, NULL, "ask for several replies, one line for each"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_call = {
    .name = "call",
    .usage = "METHOD [JSON] [--more]",
    .summary = "Call a method of the API and print the reply",
    .details = "JSON holds the parameters, - reads them from standard input. Example:\n"
               "  umlctl call io.umld.Guest.Get '{\"name\": \"web\"}'",
    .group = GROUP_API,
    .options = options,
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
