#include "mconsole/shell_commands.h"

#include "mconsole/verbs.h"
#include "mconsole/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

static int show_done(struct mconsole_shell *s, struct mconsole_answer *a)
{
    int status = s->ops->show(s->front, a);

    mconsole_answer_done(a);
    return status;
}

/* Nothing to say about success. */
static int show_failure(struct mconsole_shell *s, const struct um_error *err)
{
    struct mconsole_answer a = {.code = err->code, .error = *err};

    return err->code == UM_OK ? 0 : s->ops->show(s->front, &a);
}

static int run_quit(struct mconsole_shell *s, um_unused const char *line, um_unused const char *arg)
{
    s->leave = true;
    return 0;
}

static int run_help(struct mconsole_shell *s, um_unused const char *line, um_unused const char *arg)
{
    struct mconsole_answer a = MCONSOLE_ANSWER_INIT;
    struct um_buf text = UM_BUF_INIT;
    const struct shell_command *c;
    int status;

    s->ops->ask(s->front, "help", &a);
    status = show_done(s, &a);
    um_buf_puts(&text, "Additional local mconsole commands:\n");
    for (size_t i = 0; (c = shell_command(s, i)); i++)
        um_buf_printf(&text, "    %s%s%s%s%s - %s\n", c->name, c->option ? " " : "",
                      c->option ? c->option : "", c->argument ? " " : "",
                      c->argument ? c->argument : "", c->help);
    if (!text.failed)
        s->ops->say(s->front, text.data);
    um_buf_done(&text);
    return status;
}

static int run_switch(struct mconsole_shell *s, um_unused const char *line, const char *arg)
{
    struct um_error err = UM_ERROR_INIT;
    char text[320];

    if (!arg[0])
        um_fail(&err, UM_E_INVALID, NULL, "command", "\"switch\" needs a guest's name");
    else if (s->ops->switch_to(s->front, arg, &err) == UM_OK) {
        snprintf(text, sizeof(text), "Switched to '%s'\n", s->ops->name(s->front));
        s->ops->say(s->front, text);
    }
    return show_failure(s, &err);
}

static int run_log_file(struct mconsole_shell *s, um_unused const char *line, const char *arg)
{
    struct um_error err = UM_ERROR_INIT;

    if (arg[0])
        return shell_log_file(s, arg);
    um_fail(&err, UM_E_INVALID, NULL, "command", "\"log -f\" needs the name of a file");
    return show_failure(s, &err);
}

static int run_interrupt(struct mconsole_shell *s, um_unused const char *line,
                         um_unused const char *arg)
{
    struct um_error err = UM_ERROR_INIT;

    (void)!s->ops->interrupt(s->front, &err);
    return show_failure(s, &err);
}

static int run_version(struct mconsole_shell *s, um_unused const char *line,
                       um_unused const char *arg)
{
    char text[64];

    snprintf(text, sizeof(text), "uml_mconsole client version %u\n", MCONSOLE_VERSION);
    s->ops->say(s->front, text);
    return 0;
}

static int run_umlfs(struct mconsole_shell *s, const char *line, const char *arg)
{
    struct mconsole_answer a = MCONSOLE_ANSWER_INIT;
    struct um_error err = UM_ERROR_INIT;
    int64_t fd;

    if (!um_parse_int(arg, 0, INT32_MAX, &fd) || fcntl((int)fd, F_GETFD) < 0) {
        um_fail(&err, UM_E_INVALID, NULL, "command", "\"umlfs\" needs an open descriptor's number");
        return show_failure(s, &err);
    }
    s->ops->ask_with_fd(s->front, line, (int)fd, &a);
    return show_done(s, &a);
}

static const struct shell_command commands[] = {
    {.name = "quit", .help = "leave", .run = run_quit},
    {.name = "help", .help = "the kernel's commands, and these", .run = run_help},
    {.name = "switch",
     .argument = "GUEST",
     .help = "talk to another guest",
     .words = SHELL_WORDS_GUESTS,
     .run = run_switch},
    {.name = "log",
     .option = "-f",
     .argument = "FILE",
     .help = "write a file's lines to the kernel's log",
     .run = run_log_file},
    {.name = "int",
     .help = "SIGINT to the kernel's process: it ends, or stops in its debugger",
     .run = run_interrupt},
    {.name = "mconsole-version",
     .help = "version of the protocol",
     .compatible_only = true,
     .run = run_version},
    {.name = "umlfs",
     .argument = "FD",
     .help = "pass a descriptor to a patched kernel",
     .compatible_only = true,
     .run = run_umlfs},
};

const struct shell_command *shell_command(const struct mconsole_shell *s, size_t i)
{
    for (size_t k = 0; k < UM_ARRAY_LEN(commands); k++)
        if ((s->compatible || !commands[k].compatible_only) && i-- == 0)
            return &commands[k];
    return NULL;
}

/* Length of the command's own words at the beginning of line, or 0. */
static size_t own_words(const struct mconsole_shell *s, const struct shell_command *c,
                        const char *line)
{
    size_t word = strcspn(line, BLANKS), option;

    if (!um_str_starts(line, c->name) || (!s->compatible && word != strlen(c->name)))
        return 0;
    if (!c->option)
        return word;
    option = word + strspn(line + word, BLANKS);
    if (!um_str_starts(line + option, c->option))
        return 0;
    option += strlen(c->option);
    return line[option] == '\0' || strchr(BLANKS, line[option]) ? option : 0;
}

const struct shell_command *shell_command_of(const struct mconsole_shell *s, const char *line,
                                             const char **ret_arg)
{
    const struct shell_command *c;

    for (size_t i = 0; (c = shell_command(s, i)); i++) {
        size_t len = own_words(s, c, line);

        if (len == 0)
            continue;
        *ret_arg = line + len + strspn(line + len, BLANKS);
        return c;
    }
    return NULL;
}
