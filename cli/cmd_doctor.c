#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

enum { DOCTOR_MS = 120000 };

static const char *color_of(const char *result)
{
    if (strcmp(result, "ok") == 0)
        return "\033[32m";
    if (strcmp(result, "problem") == 0)
        return "\033[31m";
    return strcmp(result, "warning") == 0 ? "\033[33m" : "";
}

static void print_check(const struct cli *cli, const json_t *check)
{
    const char *result = text_get(check, "result", "?"), *hint = text_get(check, "hint", "");
    const char *color = cli->out_tty && !cli->no_color ? color_of(result) : "";
    char line[1024], clean[1024];

    snprintf(line, sizeof(line), "%s: %s", text_get(check, "name", "?"),
             text_get(check, "text", ""));
    printf("%s%-8s%s %s\n", color, result, color[0] ? "\033[0m" : "",
           um_str_clean(line, clean, sizeof(clean)));
    if (hint[0])
        printf("         -> %s\n", um_str_clean(hint, clean, sizeof(clean)));
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text, problem = false;
    const json_t *check;
    size_t i;
    int status;

    cli_progress(cli, "examining this host ...");
    status = cli_ask(cli, API_SERVER_DOCTOR, NULL, DOCTOR_MS, &reply, &text);
    cli_progress_clear(cli);
    json_array_foreach(json_object_get(status ? NULL : reply.params, "checks"), i, check)
    {
        problem |= strcmp(text_get(check, "result", ""), "problem") == 0;
        if (text)
            print_check(cli, check);
    }
    client_reply_done(&reply);
    return problem ? um_code_info(UM_E_MISSING_SOFTWARE)->exit_status : status;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "Examine the host for what would make guests fail",
    .details = "The exit status is 5 when there is a problem; warnings alone give 0.",
    .group = GROUP_HOST,
    .run = run,
};
