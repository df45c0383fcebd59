#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/show.h"
#include "cli/text.h"
#include "cli/words.h"
#include "schemas/api_names.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 }; /* the daemon's longest request */

/* A definition as it is, or inside what `umlctl --json show` prints. */
static json_t *unwrap(json_t *value)
{
    static const char *const layers[] = {"guest", "definition"};

    for (size_t i = 0; i < UM_ARRAY_LEN(layers); i++) {
        json_t *inner = json_object_get(value, layers[i]);

        if (json_is_object(inner)) {
            json_incref(inner);
            json_decref(value);
            value = inner;
        }
    }
    return value;
}

static enum um_code load(const char *path, json_t **ret, struct um_error *err)
{
    json_error_t where;
    enum um_code code;
    char *text = NULL;
    json_t *value;

    if (strcmp(path, "-") == 0)
        code = um_fd_read_all(STDIN_FILENO, "standard input", FILE_MAX, &text, NULL, err);
    else
        code = um_file_read(path, FILE_MAX, &text, NULL, err);
    if (code)
        return code;
    value = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (!json_is_object(value)) {
        json_decref(value);
        return um_fail(err, UM_E_INVALID, path, NULL, "not a JSON object: line %d: %s", where.line,
                       value ? "another kind of value" : where.text);
    }
    *ret = unwrap(value);
    return UM_OK;
}

static enum um_code build(const struct args *args, json_t **ret, struct um_error *err)
{
    const char *file = args_value(args, "file");
    char **words = args->word;
    size_t count = args->count;
    enum um_code code = UM_OK;

    if (file)
        code = load(file, ret, err);
    else
        *ret = json_object();
    if (code)
        return code;
    if (count > 0 && !strchr(words[0], '=')) {
        json_object_set_new(*ret, "name", json_string(words[0]));
        words++;
        count--;
    }
    if (!text_has(*ret, "name"))
        return um_fail(err, UM_E_USAGE, NULL, "name", "the guest's name must come first");
    code = words_apply(*ret, words, count, err);
    words_cmdline(*ret, args->tail, args->tail_count);
    return code;
}

static void tell(const struct cli *cli, const json_t *reply)
{
    const json_t *guest = json_object_get(reply, "guest");
    const json_t *definition = json_object_get(guest, "definition");
    const char *name = text_get(definition, "name", "?");

    if (cli->dry_run) {
        printf("guest %s would be created:\n", name);
        show_definition(definition);
    } else {
        printf("%s: %s\n", name,
               text_bool(reply, "changed", true) ? "created" : "exists already, as asked for");
    }
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err = UM_ERROR_INIT;
    json_t *definition = NULL, *params;
    bool text;
    int status;

    if (build(args, &definition, &err)) {
        json_decref(definition);
        if (!err.hint[0] && err.code == UM_E_USAGE)
            um_hint(&err, "see umlctl help create");
        return cli_error(cli, &err);
    }
    params = json_pack("{s:o}", "definition", definition);
    text_set_cwd(params);
    status = cli_ask(cli, API_GUEST_CREATE, params, CLI_SHORT_MS, &reply, &text);
    if (text) {
        tell(cli, reply.params);
        show_warnings(cli, reply.params);
    }
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    {"file", 'f', "FILE", NULL, "read the definition from a JSON file (-: stdin)"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_create = {
    .name = "create",
    .usage = "NAME [WORD ...] [-- CMDLINE ...]",
    .summary = "Define a guest",
    .details = "Words are plain keys or device strings:\n"
               "  kernel=PATH|NAME   restart=never|onFailure|always   autostart=yes|no\n"
               "  owner=USER   trusted=yes|no   sandbox=on|off   pinned=on|off\n"
               "  ready=notify|kernel|console:REGEX   hang=none|event|restart|kill\n"
               "  label:KEY=VALUE\n"
               "  depends=GUEST,...   protect:stop=REASON   protect:remove=REASON\n"
               "  limit:memory=SIZE   limit:pids=N   limit:cpu=PERCENT%   limit:io=SIZE\n"
               "Every other word is a device string: mem=128M, ubd0=cow,base, con1=pts,\n"
               "share0=DIR. Words after -- go to the kernel's command line as they are.\n"
               "With --file, words add to what the file says.\n"
               "\n"
               "Example:\n"
               "  umlctl create web mem=128M ubd0=web.cow,base.img restart=onFailure",
    .group = GROUP_GUESTS,
    .changes = CHANGES_SOMETHING,
    .options = options,
    .max_words = -1,
    .tail = true,
    .run = run,
};
