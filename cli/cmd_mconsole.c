#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_answer(FILE *out, const char *prefix, const char *answer)
{
    size_t size = strlen(answer) + 1;
    char *clean = malloc(size);

    if (!clean)
        abort();
    um_str_clean(answer, clean, size);
    fprintf(out, "%s%s%s", prefix, clean, size > 1 && clean[size - 2] == '\n' ? "" : "\n");
    free(clean);
}

static int send_command(struct cli *cli, const struct args *args, const char *command)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *params = text_named(args->word[0]);
    const char *answer;
    bool text;
    int status;

    json_object_set_new(params, "command", json_string(command));
    if (args_flag(args, "force"))
        json_object_set_new(params, "force", json_true());
    if (cli->timeout_ms)
        json_object_set_new(params, "timeoutMs", json_integer(cli->timeout_ms));
    status = cli_ask(cli, API_GUEST_MCONSOLE, params, CLI_SHORT_MS, &reply, &text);
    answer = text_get(reply.params, "text", "");
    if (status == 0 && text_int(reply.params, "status", 0) != 0) {
        status = um_code_info(UM_E_GUEST_ERROR)->exit_status;
        fflush(stdout);
        if (text)
            print_answer(stderr, "umlctl: the guest's kernel: ", answer);
    } else if (text && answer[0]) {
        print_answer(stdout, "", answer);
    }
    cli_flush(cli);
    client_reply_done(&reply);
    return status;
}

static int interactive(struct cli *cli, const struct args *args)
{
    bool prompt = isatty(STDIN_FILENO) && cli->out_tty;
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    for (;;) {
        ssize_t n;

        if (prompt)
            printf("%s> ", args->word[0]);
        cli_flush(cli);
        n = getline(&line, &size, stdin);
        if (n < 0)
            break;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' '))
            line[--n] = '\0';
        if (n == 0)
            continue;
        if (strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0)
            break;
        status = send_command(cli, args, line);
    }
    if (prompt)
        putchar('\n');
    free(line);
    return status;
}

static int run(struct cli *cli, const struct args *args)
{
    struct um_buf command = UM_BUF_INIT;
    int status;

    if (args->count == 1)
        return interactive(cli, args);
    for (size_t i = 1; i < args->count; i++)
        um_buf_printf(&command, "%s%s", i > 1 ? " " : "", args->word[i]);
    if (command.failed)
        abort();
    status = send_command(cli, args, command.data);
    um_buf_done(&command);
    return status;
}

static const struct option_row options[] = {
    {"force", 'f', NULL, NULL, "allow commands known to kill guests"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_mconsole = {
    .name = "mconsole",
    .usage = "GUEST [COMMAND ...] [--force]",
    .summary = "Send a command to a guest's kernel",
    .details = "Without a command, lines are read from standard input until its end or quit;\n"
               "the exit status is that of the last one.",
    .group = GROUP_DEVICES,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = -1,
    .run = run,
};
