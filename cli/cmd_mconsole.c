#include "cli/commands.h"
#include "cli/mconsole_verb.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/words.h"
#include "mconsole/shell.h"
#include "schemas/api_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shell's way to the guest: every command is a call. */
struct front {
    struct cli *cli;
    bool force;
    char *guest;
    struct client_reply reply; /* of the command that is shown next */
};

/* Typed text and files need not be UTF-8, as JSON is. */
static json_t *command_json(const char *line)
{
    json_t *json = json_string(line);
    char *copy = json ? NULL : strdup(line);

    if (json)
        return json;
    if (!copy)
        abort();
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    json = json_string(copy);
    free(copy);
    return json;
}

static void ask(void *arg, const char *line, struct mconsole_answer *ret)
{
    struct front *f = arg;
    json_t *params = text_named(f->guest);
    const json_t *text;

    json_object_set_new(params, "command", command_json(line));
    if (f->force)
        json_object_set_new(params, "force", json_true());
    if (f->cli->timeout_ms)
        json_object_set_new(params, "timeoutMs", json_integer(f->cli->timeout_ms));
    ret->code = cli_call(f->cli, API_GUEST_MCONSOLE, params, CLI_SHORT_MS, &f->reply);
    ret->error = f->reply.error;
    if (ret->code)
        return;
    text = json_object_get(f->reply.params, "text"); /* NULs and all */
    if (json_is_string(text))
        um_buf_append(&ret->text, json_string_value(text), json_string_length(text));
    ret->status = (int32_t)text_int(f->reply.params, "status", 0);
    if (ret->status)
        ret->code = UM_E_GUEST_ERROR;
}

static void print_text(FILE *out, const char *prefix, const struct mconsole_answer *a)
{
    um_autostr clean = mconsole_answer_clean(a);
    size_t len = strlen(clean);

    fprintf(out, "%s%s%s", prefix, clean, len > 0 && clean[len - 1] == '\n' ? "" : "\n");
}

static int show_answer(struct front *f, const struct mconsole_answer *a)
{
    if (f->cli->json)
        cli_print_json(f->reply.params);
    else if (a->code == UM_OK && a->text.len > 0)
        print_text(stdout, "", a);
    cli_flush(f->cli);
    if (a->code == UM_OK)
        return 0;
    if (!f->cli->json)
        print_text(stderr, "umlctl: the guest's kernel: ", a);
    if (a->advice)
        cli_note(f->cli, "%s", a->advice);
    return um_code_info(a->code)->exit_status;
}

static int show(void *arg, const struct mconsole_answer *a)
{
    struct front *f = arg;
    bool answered = f->reply.params && f->reply.error.code == UM_OK;
    int status;

    if (answered && (a->code == UM_OK || a->code == UM_E_GUEST_ERROR))
        status = show_answer(f, a);
    else if (f->reply.error.code)
        status = cli_reply_error(f->cli, &f->reply);
    else
        status = cli_error(f->cli, &a->error); /* the shell's own: nothing was asked */
    client_reply_done(&f->reply);
    f->reply = CLIENT_REPLY_INIT;
    return status;
}

static void say(void *arg, const char *text)
{
    const struct front *f = arg;

    if (!f->cli->json) /* standard output is the replies' alone */
        fputs(text, stdout);
}

static enum um_code call_named(struct front *f, const char *method, const char *guest,
                               struct um_error *err)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum um_code code = cli_call(f->cli, method, text_named(guest), CLI_SHORT_MS, &reply);

    *err = reply.error;
    client_reply_done(&reply);
    return code;
}

static enum um_code switch_to(void *arg, const char *guest, struct um_error *err)
{
    struct front *f = arg;
    enum um_code code = call_named(f, API_GUEST_GET, guest, err);
    char *copy = code ? NULL : strdup(guest);

    if (code)
        return code;
    if (!copy)
        abort();
    free(f->guest);
    f->guest = copy;
    return UM_OK;
}

static const char *name(void *arg)
{
    const struct front *f = arg;

    return f->guest;
}

static enum um_code interrupt(void *arg, struct um_error *err)
{
    struct front *f = arg;

    return call_named(f, API_GUEST_INTERRUPT, f->guest, err);
}

static void devices(void *arg, struct um_strv *ret)
{
    struct front *f = arg;
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *v;
    size_t i;

    if (cli_call(f->cli, API_GUEST_CONFIG, text_named(f->guest), CLI_SHORT_MS, &reply) == UM_OK)
        json_array_foreach(json_object_get(reply.params, "values"), i, v)
        {
            const char *name = text_get(v, "device", "");

            if (words_is_device(name) && !um_strv_add(ret, name))
                break;
        }
    client_reply_done(&reply);
}

static void guests(void *arg, struct um_strv *ret)
{
    struct front *f = arg;
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *v;
    size_t i;

    if (cli_call(f->cli, API_GUEST_LIST, NULL, CLI_SHORT_MS, &reply) == UM_OK)
        json_array_foreach(json_object_get(reply.params, "guests"), i, v)
        {
            if (!um_strv_add(ret, text_get(json_object_get(v, "definition"), "name", "")))
                break;
        }
    client_reply_done(&reply);
}

static const struct mconsole_front front_ops = {
    .ask = ask,
    .show = show,
    .say = say,
    .switch_to = switch_to,
    .name = name,
    .interrupt = interrupt,
    .devices = devices,
    .guests = guests,
};

static char *joined(const struct args *args)
{
    struct um_buf line = UM_BUF_INIT;

    for (size_t i = 1; i < args->count; i++)
        um_buf_printf(&line, "%s%s", line.len ? " " : "", args->word[i]);
    for (size_t i = 0; i < args->tail_count; i++)
        um_buf_printf(&line, "%s%s", line.len ? " " : "", args->tail[i]);
    if (line.failed)
        abort();
    return um_buf_take(&line);
}

static void fill(const struct cli *cli, const struct args *args, json_t *params)
{
    um_autostr line = joined(args);

    mconsole_verb_fill(cli, line ? line : "", params);
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
}

/* One command as it is: what is the shell's own has no meaning here. */
static int tell_several(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_MCONSOLE,
        .doing = "asking",
        .one_word = true,
        .default_ms = CLI_SHORT_MS,
        .fill = fill,
        .refused = mconsole_verb_refused,
        .tell = mconsole_verb_tell,
    };

    if (args->count == 1 && args->tail_count == 0)
        return cli_usage(cli, args, "the shell speaks to one guest: name one, or give a command");
    return targets_run(cli, args, &verb);
}

static int run(struct cli *cli, const struct args *args)
{
    struct front front = {
        .cli = cli,
        .force = args_flag(args, "force"),
        .guest = strdup(args->word[0]),
        .reply = CLIENT_REPLY_INIT,
    };
    struct mconsole_shell shell = {
        .ops = &front_ops,
        .front = &front,
        .program = "umlctl",
        .prompt_before = "",
        .prompt_after = "> ",
    };
    int status;

    if (!select_is_plain(args, 1)) {
        free(front.guest);
        return tell_several(cli, args);
    }
    if (!front.guest)
        abort();
    if (args->count == 1 && args->tail_count == 0) {
        status = mconsole_shell_run(&shell);
    } else {
        um_autostr line = joined(args);

        status = mconsole_shell_line(&shell, line ? line : "");
    }
    cli_flush(cli);
    free(front.guest);
    return status;
}

static const struct option_row options[] = {
    {"force", 0, NULL, NULL, "allow commands known to kill or hang guests"},
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_mconsole = {
    .name = "mconsole",
    .usage = "GUEST [COMMAND ...] [--force]",
    .summary = "Send commands to a guest's kernel",
    .details = "Without a command this is a shell: line editing, history, completion with Tab;\n"
               "help lists the kernel's commands and those of the shell: switch GUEST, int,\n"
               "log -f FILE, quit. ^C gives up the line, ^D leaves. When standard input is no\n"
               "terminal, lines are read from it until its end or quit; the exit status is that\n"
               "of the last one.\n"
               "One command may go to several guests: names and patterns joined by commas.\n"
               "A command with options goes behind --: umlctl mconsole web -- log -f FILE",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .tail = true,
    .run = run,
};
