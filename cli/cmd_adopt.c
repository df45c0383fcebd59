#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "mconsole/find.h"
#include "schemas/api_names.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The daemon has another directory and another home than we. */
static enum um_code make_absolute(char path[PATH_MAX], struct um_error *err)
{
    char cwd[PATH_MAX], whole[2 * PATH_MAX];

    if (path[0] == '/')
        return UM_OK;
    if (!getcwd(cwd, sizeof(cwd)))
        return um_fail(err, UM_E_INVALID, path, NULL, "the current directory is not known");
    if (snprintf(whole, sizeof(whole), "%s/%s", cwd, path) >= PATH_MAX)
        return um_fail(err, UM_E_INVALID, path, NULL, "the path is too long");
    memcpy(path, whole, strlen(whole) + 1);
    return UM_OK;
}

static enum um_code find(const char *word, struct mconsole_target *ret, struct um_error *err)
{
    enum um_code code = mconsole_find(word, ret, err);

    if (code)
        return code;
    if (!ret->dir[0])
        return make_absolute(ret->socket, err);
    um_fail(err, UM_E_CONFLICT, ret->name, NULL, "is a guest of umld already");
    return um_hint(err, "see: umlctl list");
}

static void tell(const struct cli *cli, const char *name, const json_t *reply)
{
    const json_t *runtime = json_object_get(json_object_get(reply, "guest"), "runtime"),
                 *adopted = json_object_get(runtime, "adopted");
    bool changed = text_bool(reply, "changed", true);

    if (cli_told_dry(cli, reply, "adopt %s as %s", text_get(adopted, "socket", "?"), name))
        return;
    printf("%s: %s, process %lld, %s\n", name, changed ? "adopted" : "was adopted already",
           (long long)text_int(runtime, "pid", 0), text_get(adopted, "version", "?"));
    if (changed && text_has(adopted, "whyNot"))
        printf("%s: when it has ended umld cannot start it again: %s\n", name,
               text_get(adopted, "whyNot", ""));
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_error err = UM_ERROR_INIT;
    struct mconsole_target target;
    const char *name = args_value(args, "name");
    bool text;
    int status;

    if (find(args->word[0], &target, &err))
        return cli_error(cli, &err);
    if (!name)
        name = target.name;
    if (!um_name_valid(name)) {
        um_fail(&err, UM_E_INVALID, name, "name", "is no name for a guest");
        um_hint(&err, "give it one: umlctl adopt %s --name NAME", args->word[0]);
        return cli_error(cli, &err);
    }
    status =
        cli_ask(cli, API_GUEST_ADOPT, json_pack("{s:s,s:s}", "name", name, "socket", target.socket),
                CLI_SHORT_MS, &reply, &text);
    if (text)
        tell(cli, name, reply.params);
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    {"name", 'n', "NAME", NULL, "what to call it (default: its umid)"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_adopt = {
    .name = "adopt",
    .usage = "UMID|SOCKET [--name NAME]",
    .summary = "Take a UML that was started by hand under management",
    .details = "It runs on as it is. A umid is looked for in ~/.uml and /tmp/uml. Afterwards it\n"
               "is a guest, but for what only its parent can: its exit status, its panics and\n"
               "its consoles. `umlctl remove` lets it go, and it runs on; `remove --force`\n"
               "kills it.\n"
               "\n"
               "Example:\n"
               "  umlctl adopt /home/me/.uml/debian/mconsole --name web",
    .group = GROUP_GUESTS,
    .words = WORDS_FILE,
    .changes = CHANGES_SOMETHING,
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
