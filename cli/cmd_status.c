#include "cli/commands.h"
#include "cli/select.h"
#include "cli/show.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <stdio.h>

static void tell(um_unused struct cli *cli, um_unused const char *name, const json_t *reply)
{
    const json_t *guest = json_object_get(reply, "guest");
    const json_t *runtime = json_object_get(guest, "runtime");
    int64_t uptime = show_uptime(runtime);
    const char *says = text_get(runtime, "status", "");
    char state[700], up[32], line[1200], clean[1200];

    snprintf(line, sizeof(line), "%s: %s%s%s%s%s",
             text_get(json_object_get(guest, "definition"), "name", "?"),
             show_state(runtime, state, sizeof(state)), uptime >= 0 ? ", up " : "",
             uptime >= 0 ? text_duration(uptime, up, sizeof(up)) : "", says[0] ? "; " : "", says);
    puts(um_str_clean(line, clean, sizeof(clean)));
}

static void print_daemon(const json_t *s)
{
    char when[64];

    printf("umld %s, %s mode, pid %lld, since %s\n", text_get(s, "version", "?"),
           text_get(s, "mode", "?"), (long long)text_int(s, "pid", 0),
           text_when(text_get(s, "startedAt", NULL), when, sizeof(when)));
    printf("  guests       %lld, %lld running\n", (long long)text_int(s, "guests", 0),
           (long long)text_int(s, "running", 0));
    printf("  run dir      %s\n", text_get(s, "runDir", "?"));
    printf("  state dir    %s\n", text_get(s, "stateDir", "?"));
    printf("  log level    %s\n", text_get(s, "logLevel", "?"));
    printf("  last event   %lld\n", (long long)text_int(s, "lastEvent", 0));
}

static int run(struct cli *cli, const struct args *args)
{
    static const struct targets_verb verb = {
        .method = API_GUEST_GET,
        .doing = "asking",
        .default_ms = CLI_SHORT_MS,
        .tell = tell,
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    bool text;
    int status;

    if (select_given(args))
        return targets_run(cli, args, &verb);
    status = cli_ask(cli, API_SERVER_STATUS, NULL, CLI_SHORT_MS, &reply, &text);
    if (text)
        print_daemon(reply.params);
    client_reply_done(&reply);
    return status;
}

const struct command command_status = {
    .name = "status",
    .usage = "[GUEST ...]",
    .summary = "Show in one line how guests are, or how the daemon is",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .options = select_options,
    .max_words = -1,
    .run = run,
};
