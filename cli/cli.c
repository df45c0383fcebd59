#include "cli/cli.h"

#include "cli/args.h"
#include "cli/daemon.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { GRACE_MS = 5000, COLUMNS = 80, COLUMNS_MIN = 40 };

void cli_init(struct cli *cli)
{
    const char *term = getenv("TERM"), *socket = getenv("UMLD_SOCKET");
    const char *no_color = getenv("NO_COLOR");

    *cli = (struct cli){
        .socket = socket && socket[0] ? socket : NULL,
        .no_color = no_color && no_color[0],
        .out_tty = isatty(STDOUT_FILENO),
        .progress_tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
    };
}

void cli_done(struct cli *cli)
{
    cli_progress_clear(cli);
    client_free(cli->client);
    cli->client = NULL;
}

static enum um_code set_revision(struct cli *cli, const char *value, struct um_error *err)
{
    cli->has_revision = um_parse_int(value, 1, INT64_MAX, &cli->if_revision);
    if (cli->has_revision)
        return UM_OK;
    return um_fail(err, UM_E_USAGE, NULL, "if-revision",
                   "--if-revision must be a number from show, not \"%s\"", value);
}

enum um_code cli_set_global(struct cli *cli, const char *name, const char *value,
                            struct um_error *err)
{
    if (strcmp(name, "socket") == 0)
        cli->socket = value;
    else if (strcmp(name, "json") == 0)
        cli->json = true;
    else if (strcmp(name, "no-color") == 0)
        cli->no_color = true;
    else if (strcmp(name, "no-start") == 0)
        cli->no_start = true;
    else if (strcmp(name, "help") == 0)
        cli->help = true;
    else if (strcmp(name, "version") == 0)
        cli->version = true;
    else if (strcmp(name, "dry-run") == 0)
        cli->dry_run = true;
    else if (strcmp(name, "request-id") == 0)
        cli->request_id = value;
    else if (strcmp(name, "if-revision") == 0)
        return set_revision(cli, value, err);
    else if (!args_duration(value, &cli->timeout_ms)) /* timeout */
        return um_fail(err, UM_E_USAGE, NULL, name,
                       "--timeout must be like 30, 500ms, 2m or 1h, not \"%s\"", value);
    return UM_OK;
}

int64_t cli_timeout_ms(const struct cli *cli, int64_t default_ms)
{
    return cli->timeout_ms ? cli->timeout_ms : default_ms;
}

int64_t cli_deadline(const struct cli *cli, int64_t default_ms)
{
    return um_clock_mono_ns() + (cli_timeout_ms(cli, default_ms) + GRACE_MS) * UM_MS_NS;
}

enum um_code cli_connect_another(struct cli *cli, struct client **ret, struct um_error *err)
{
    if (cli->socket)
        return client_connect(cli->socket, ret, err);
    return daemon_connect(!cli->no_start, ret, err);
}

enum um_code cli_connect(struct cli *cli, struct um_error *err)
{
    return cli->client ? UM_OK : cli_connect_another(cli, &cli->client, err);
}

static const struct {
    const char *method;
    bool revision;
} changing[] = {
#define X(name, takes_revision) {name, takes_revision},
    API_CHANGING(X)
#undef X
};

enum um_code cli_send(struct cli *cli, struct client *client, const char *method, json_t *params,
                      unsigned flags, int64_t deadline_ns, struct um_error *err)
{
    params = params ? params : json_object();
    for (size_t i = 0; i < UM_ARRAY_LEN(changing); i++) {
        if (strcmp(changing[i].method, method) != 0)
            continue;
        if (cli->request_id && !text_has(params, "requestId"))
            json_object_set_new(params, "requestId", json_string(cli->request_id));
        if (cli->has_revision && changing[i].revision)
            json_object_set_new(params, "ifRevision", json_integer(cli->if_revision));
        if (cli->dry_run)
            json_object_set_new(params, "dryRun", json_true());
    }
    return client_send(client, method, params, flags, deadline_ns, err);
}

enum um_code cli_reconnect(struct cli *cli, struct um_error *err)
{
    client_free(cli->client);
    cli->client = NULL;
    return cli->socket ? client_connect(cli->socket, &cli->client, err)
                       : daemon_connect(false, &cli->client, err);
}

enum um_code cli_call(struct cli *cli, const char *method, json_t *params, int64_t default_ms,
                      struct client_reply *ret)
{
    int64_t deadline;
    enum um_code code;

    client_reply_done(ret);
    code = cli_connect(cli, &ret->error);
    if (code) {
        json_decref(params);
        return code;
    }
    deadline = cli_deadline(cli, default_ms);
    code = cli_send(cli, cli->client, method, params, 0, deadline, &ret->error);
    return code ? code : client_receive(cli->client, deadline, ret);
}

int cli_ask(struct cli *cli, const char *method, json_t *params, int64_t default_ms,
            struct client_reply *ret, bool *ret_text)
{
    *ret_text = false;
    if (cli_call(cli, method, params, default_ms, ret))
        return cli_reply_error(cli, ret);
    if (cli->json)
        cli_print_json(ret->params);
    *ret_text = !cli->json;
    return 0;
}

bool cli_told_dry(const struct cli *cli, const json_t *reply, const char *fmt, ...)
{
    va_list ap;

    if (!cli->dry_run)
        return false;
    printf("would %s", text_bool(reply, "changed", true) ? "" : "not have to ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    return true;
}

static void print_message(struct cli *cli, const char *text)
{
    char clean[2048];

    cli_progress_clear(cli);
    fflush(stdout);
    fprintf(stderr, "umlctl: %s\n", um_str_clean(text, clean, sizeof(clean)));
}

int cli_error(struct cli *cli, const struct um_error *err)
{
    char text[1200];

    print_message(cli, um_error_text(err, text, sizeof(text)));
    return um_code_info(err->code)->exit_status;
}

int cli_reply_error(struct cli *cli, const struct client_reply *r)
{
    int status = cli_error(cli, &r->error);
    json_t *line;
    size_t i;

    json_array_foreach(json_object_get(r->params, "more"), i, line)
    {
        if (json_is_string(line))
            print_message(cli, json_string_value(line));
    }
    return status;
}

int cli_usage(struct cli *cli, const struct args *args, const char *fmt, ...)
{
    struct um_error err = UM_ERROR_INIT;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    um_fail(&err, UM_E_USAGE, args ? args->command->name : NULL, NULL, "%s", text);
    um_hint(&err, "see umlctl help%s%s", args ? " " : "", args ? args->command->name : "");
    return cli_error(cli, &err);
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    print_message(cli, text);
}

size_t cli_columns(const struct cli *cli)
{
    struct winsize ws;

    if (cli->out_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= COLUMNS_MIN)
        return ws.ws_col;
    return COLUMNS;
}

void cli_print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
}

void cli_flush(struct cli *cli)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    /* SIGPIPE is ignored so that the terminal gets restored; this is its exit status in a shell. */
    if (errno == EPIPE)
        _exit(128 + 13);
    fprintf(stderr, "umlctl: cannot write the output: %s\n", strerror(errno));
    _exit(1);
}

void cli_progress(struct cli *cli, const char *fmt, ...)
{
    char text[512], clean[512];
    va_list ap;

    if (!cli->progress_tty || cli->json)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r%.79s\033[K", um_str_clean(text, clean, sizeof(clean)));
    cli->progress_shown = true;
}

void cli_progress_clear(struct cli *cli)
{
    if (cli->progress_shown)
        fputs("\r\033[K", stderr);
    cli->progress_shown = false;
}
