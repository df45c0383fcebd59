/*
 * The contract: one `OK text` or `ERR text` line on standard output for each request; the exit
 * status is the low byte of the kernel's error. What is about neither the kernel nor the command
 * (no socket, no answer) has umlctl's statuses, which no error of a kernel has: 7 and 10.
 */
#include "mconsole/compat.h"

#include "mconsole/direct.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MAX_S = 3600 };

struct options {
    bool force;
    int timeout_ms;
};

static const struct row {
    struct option option;
    const char *value, *help;
} rows[] = {
    {{"force", no_argument, NULL, 'f'},
     NULL,
     "send commands that are known to kill or hang guests"},
    {{"timeout", required_argument, NULL, 't'},
     "SECONDS",
     "longest wait for an answer (default 5 to 30, by command)"},
    {{"help", no_argument, NULL, 'h'}, NULL, "show this"},
    {{"version", no_argument, NULL, 'V'}, NULL, "show the version"},
};

static void print_usage(FILE *out)
{
    fputs("usage: uml_mconsole [OPTION ...] NAME|SOCKET [COMMAND ...]\n"
          "Send a command to the management console of a UML kernel, or, without one, commands\n"
          "from the terminal or standard input.\n\n",
          out);
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        char name[40];

        snprintf(name, sizeof(name), "--%s%s%s", rows[i].option.name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        fprintf(out, "  -%c, %-20s %s\n", rows[i].option.val, name, rows[i].help);
    }
}

static bool take_timeout(const char *text, struct options *ret)
{
    int64_t seconds;

    if (!um_parse_int(text, 1, TIMEOUT_MAX_S, &seconds)) {
        fprintf(stderr, "uml_mconsole: --timeout takes 1 to %d seconds, not \"%s\"\n",
                TIMEOUT_MAX_S, text);
        return false;
    }
    ret->timeout_ms = (int)seconds * 1000;
    return true;
}

/* Index of the first word; -1: that is all, *ret_status says how it went. */
static int take_options(int argc, char **argv, struct options *ret, int *ret_status)
{
    struct option options[UM_ARRAY_LEN(rows) + 1] = {{NULL, 0, NULL, 0}};
    int letter;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        options[i] = rows[i].option;
    *ret_status = 1;
    while ((letter = getopt_long(argc, argv, "+ft:hV", options, NULL)) != -1) {
        switch (letter) {
        case 'f':
            ret->force = true;
            break;
        case 't':
            if (!take_timeout(optarg, ret))
                return -1;
            break;
        case 'h':
        case 'V':
            if (letter == 'h')
                print_usage(stdout);
            else
                printf("uml_mconsole %s\n", UMLD_VERSION);
            *ret_status = 0;
            return -1;
        default:
            print_usage(stderr);
            return -1;
        }
    }
    if (optind < argc)
        return optind;
    print_usage(stderr);
    return -1;
}

/* ---- the front ---- */

/* A kernel's text may hold anything; a terminal must not obey it. */
static void print_answer(const char *prefix, const struct mconsole_answer *a)
{
    um_autostr clean = isatty(STDOUT_FILENO) ? mconsole_answer_clean(a) : NULL;

    printf("%s ", prefix);
    if (clean)
        fputs(clean, stdout);
    else
        fwrite(a->text.data ? a->text.data : "", 1, a->text.len, stdout);
    putchar('\n');
}

static int status_of(const struct mconsole_answer *a)
{
    if (a->code == UM_E_GUEST_ERROR)
        return (a->status & 0xff) ? a->status & 0xff : 1;
    return a->code == UM_E_INVALID ? 1 : um_code_info(a->code)->exit_status;
}

static int show(um_unused void *front, const struct mconsole_answer *a)
{
    bool of_kernel = a->code == UM_OK || (a->code == UM_E_GUEST_ERROR && a->status != 0);
    const char *advice = a->advice ? a->advice : a->error.hint;

    if (of_kernel)
        print_answer(a->code ? "ERR" : "OK", a);
    else
        printf("ERR %s\n", a->error.message);
    fflush(stdout);
    if (a->code && advice[0])
        fprintf(stderr, "uml_mconsole: %s\n", advice);
    return status_of(a);
}

static void say(um_unused void *front, const char *text)
{
    fputs(text, stdout);
}

static void ask(void *front, const char *line, struct mconsole_answer *ret)
{
    mconsole_direct_ask(front, line, ret);
}

static enum um_code switch_to(void *front, const char *guest, struct um_error *err)
{
    return mconsole_direct_switch(front, guest, err);
}

static const char *name(void *front)
{
    return mconsole_direct_name(front);
}

static enum um_code interrupt(void *front, struct um_error *err)
{
    return mconsole_direct_interrupt(front, err);
}

static void ask_with_fd(void *front, const char *line, int fd, struct mconsole_answer *ret)
{
    mconsole_direct_ask_with_fd(front, line, fd, ret);
}

static void devices(void *front, struct um_strv *ret)
{
    mconsole_direct_devices(front, ret);
}

static void guests(um_unused void *front, struct um_strv *ret)
{
    mconsole_find_all(ret);
}

static const struct mconsole_front front_ops = {
    .ask = ask,
    .show = show,
    .say = say,
    .switch_to = switch_to,
    .name = name,
    .interrupt = interrupt,
    .ask_with_fd = ask_with_fd,
    .devices = devices,
    .guests = guests,
};

static int run_words(struct mconsole_shell *s, char **words)
{
    struct um_buf line = UM_BUF_INIT;
    int status;

    for (char **w = words; *w; w++)
        um_buf_printf(&line, "%s%s", w > words ? " " : "", *w);
    if (line.failed)
        abort();
    status = mconsole_shell_line(s, line.data ? line.data : "");
    um_buf_done(&line);
    return status;
}

static int run(struct mconsole_direct *d, char **words)
{
    struct mconsole_shell shell = {
        .ops = &front_ops,
        .front = d,
        .program = "uml_mconsole",
        .prompt_before = "(",
        .prompt_after = ") ",
        .compatible = true,
    };
    struct um_error err;
    char text[1200];

    if (mconsole_direct_switch(d, words[0], &err)) {
        fprintf(stderr, "uml_mconsole: %s\n", um_error_text(&err, text, sizeof(text)));
        return um_code_info(err.code)->exit_status;
    }
    if (words[1])
        return run_words(&shell, words + 1);
    (void)mconsole_shell_run(&shell);
    return 0; /* as ever, whatever the commands came to */
}

int uml_mconsole_main(int argc, char **argv)
{
    struct options options = {.force = false};
    struct mconsole_direct *d;
    int status, first = take_options(argc, argv, &options, &status);

    if (first < 0)
        return status;
    d = mconsole_direct_new(options.force, options.timeout_ms);
    if (!d)
        abort();
    status = run(d, argv + first);
    mconsole_direct_free(d);
    return status;
}
