/*
 * A throw-away guest for one command. The command travels on the kernel's command line, its output
 * comes back over ssl0, its input goes by ssl0 from a terminal and by ssl1 from anything else, its
 * exit status is that of the guest.
 */
#include "cli/args.h"
#include "cli/attach.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/words.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    COMMAND_MAX = 2800,  /* of a kernel command line of 4096, encoded */
    READY_STEP_MS = 300, /* how long Ctrl-C may wait */
    END_MS = 60000,      /* from the end of the output to the end of the guest */
};

struct run {
    struct cli *cli;
    char name[16];
    char object[32];
    bool started;
    bool pieces; /* standard input is no terminal: it goes by ssl1, in pieces, and may end */
};

/* Each argument in single quotes, so that the guest's shell sees what we were given. */
static void quote(struct um_buf *out, const char *word)
{
    um_buf_puts(out, "'");
    for (; *word; word++)
        if (*word == '\'')
            um_buf_puts(out, "'\\''");
        else
            um_buf_append(out, word, 1);
    um_buf_puts(out, "'");
}

static enum um_code encode_command(const struct args *args, struct um_buf *ret,
                                   struct um_error *err)
{
    struct um_buf script = UM_BUF_INIT;

    for (size_t i = 0; i < args->tail_count; i++) {
        if (i > 0)
            um_buf_puts(&script, " ");
        quote(&script, args->tail[i]);
    }
    if (script.failed)
        abort();
    um_buf_puts(ret, "umld.run=");
    base64_append(ret, script.data, script.len);
    um_buf_done(&script);
    if (ret->failed)
        abort();
    if (ret->len - strlen("umld.run=") <= COMMAND_MAX)
        return UM_OK;
    um_fail(err, UM_E_INVALID, "command", NULL,
            "it takes %zu bytes on the kernel's command line, at most %d fit",
            ret->len - strlen("umld.run="), COMMAND_MAX);
    return um_hint(err, "put it in a file on a share and run that: share0=DIR");
}

/* Path of the image with that name; the caller frees it. */
static enum um_code find_image(struct cli *cli, const char *name, char **ret,
                               struct client_reply *reply)
{
    const json_t *image;
    char object[96];
    size_t i;

    if (cli_call(cli, API_IMAGE_LIST, NULL, CLI_SHORT_MS, reply))
        return reply->error.code;
    json_array_foreach(json_object_get(reply->params, "images"), i, image)
    {
        if (strcmp(text_get(image, "name", ""), name) == 0 && text_has(image, "path")) {
            *ret = strdup(text_get(image, "path", ""));
            return UM_OK;
        }
    }
    snprintf(object, sizeof(object), "image \"%s\"", name);
    um_fail(&reply->error, UM_E_NOT_FOUND, object, NULL, "there is no such image");
    return um_hint(&reply->error, "umlctl image build busybox%s%s",
                   strcmp(name, "busybox") == 0 ? "" : " --name ",
                   strcmp(name, "busybox") == 0 ? "" : name);
}

static enum um_code make_definition(const struct args *args, struct run *r, const char *root,
                                    const char *command, json_t **ret, struct um_error *err)
{
    json_t *d = json_pack("{s:s,s:s,s:s,s:{s:s}}", "name", r->name, "restart", "never", "ready",
                          "notify", "labels", "run", "yes");
    struct um_buf device = UM_BUF_INIT;

    *ret = d;
    um_buf_printf(&device, "ubd0r=%s", root);
    words_append(d, "devices", device.data);
    um_buf_done(&device);
    words_append(d, "devices", "ssl0=managed");
    if (r->pieces)
        words_append(d, "devices", "ssl1=managed");
    words_append(d, "cmdline", "quiet");
    if (r->pieces)
        words_append(d, "cmdline", "umld.input=ssl1");
    words_append(d, "cmdline", command);
    return words_apply(d, args->word, args->count, err);
}

static void choose_name(struct run *r)
{
    uint32_t bits = 0;

    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        bits = (uint32_t)um_clock_wall_ns();
    snprintf(r->name, sizeof(r->name), "run-%06x", bits & 0xffffff);
    snprintf(r->object, sizeof(r->object), "guest \"%s\"", r->name);
}

static enum um_code create(const struct args *args, struct run *r, struct client_reply *reply)
{
    const char *image = args_value(args, "image");
    struct um_buf command = UM_BUF_INIT;
    json_t *definition = NULL, *params;
    um_autostr root = NULL;
    enum um_code code;

    code = encode_command(args, &command, &reply->error);
    if (!code)
        code = find_image(r->cli, image ? image : "busybox", &root, reply);
    if (!code)
        code = make_definition(args, r, root, command.data, &definition, &reply->error);
    um_buf_done(&command);
    if (code) {
        json_decref(definition);
        return code;
    }
    params = json_pack("{s:o}", "definition", definition);
    text_set_cwd(params);
    return cli_call(r->cli, API_GUEST_CREATE, params, CLI_SHORT_MS, reply);
}

/* It ended before anybody could attach: what it wrote is still in the log. */
static void print_kept_output(struct run *r)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *params = json_pack("{s:s,s:s,s:i,s:i}", "name", r->name, "device", "ssl0", "offset", 0,
                               "maxBytes", 262144);

    if (cli_call(r->cli, API_CONSOLE_READ, params, CLI_SHORT_MS, &reply) == UM_OK)
        fputs(text_get(reply.params, "data", ""), stdout);
    cli_flush(r->cli);
    client_reply_done(&reply);
}

/*
 * Input that comes before the command's terminal is raw would be edited on its way. A guest that
 * ends meanwhile is the session's affair.
 */
static enum um_code await_ready(struct run *r, int64_t deadline_ns, struct client_reply *reply)
{
    enum um_code code;

    do {
        json_t *params = json_pack("{s:s,s:s,s:i}", "name", r->name, "condition", "ready",
                                   "timeoutMs", READY_STEP_MS);

        code = cli_call(r->cli, API_GUEST_WAIT, params, CLI_SHORT_MS, reply);
        if (attach_interrupted())
            return um_fail(&reply->error, UM_E_CANCELLED, r->object, NULL, "interrupted");
    } while (code == UM_E_TIMEOUT && um_clock_mono_ns() < deadline_ns);
    return UM_OK;
}

/* It may have ended in the meantime: then there is nobody to send anything to. */
static enum um_code open_input(struct run *r, struct client_reply *reply, int *ret_fd)
{
    struct attach a = {.guest = r->name, .device = "ssl1"};
    struct um_buf rest = UM_BUF_INIT;
    enum um_code code = attach_open(r->cli, &a, reply, ret_fd, &rest);

    um_buf_done(&rest);
    return code == UM_E_NOT_RUNNING ? UM_OK : code;
}

static enum um_code copy_output(struct run *r, struct client_reply *reply)
{
    struct attach a = {.guest = r->name, .device = "ssl0", .back = -1};
    struct session session = {.forward_input = true, .deadline_ns = CLIENT_FOREVER};
    struct um_buf rest = UM_BUF_INIT;
    um_autofd fd = -1, input = -1;
    enum um_code code;

    if (r->cli->timeout_ms)
        session.deadline_ns = um_clock_mono_ns() + r->cli->timeout_ms * UM_MS_NS;
    code = attach_open_booting(r->cli, &a, reply, &fd, &rest);
    if (code == UM_E_CRASHED) {
        print_kept_output(r);
        return UM_OK; /* how it ended is judged the same way in both cases */
    }
    if (!code && r->pieces)
        code = open_input(r, reply, &input);
    if (!code)
        code = await_ready(r, session.deadline_ns, reply);
    if (code) {
        um_buf_done(&rest);
        return code;
    }
    session.remote = fd;
    session.pieces = input;
    switch (session_run(&session, &rest)) {
    case SESSION_CLOSED:
    case SESSION_DETACHED:
        break;
    case SESSION_INTERRUPTED:
    case SESSION_OUTPUT_GONE:
        code = um_fail(&reply->error, UM_E_CANCELLED, r->object, NULL, "interrupted");
        break;
    case SESSION_TIMEOUT:
        code = um_fail(&reply->error, UM_E_TIMEOUT, r->object, NULL,
                       "the command took longer than --timeout allows");
        break;
    case SESSION_FAILED:
        code = um_fail_errno(&reply->error, errno, r->object, "cannot copy its output");
        break;
    }
    um_buf_done(&rest);
    return code;
}

/* Exit status of the command, or an error when the guest itself came to grief. */
static enum um_code await_end(struct run *r, int *ret_status, struct client_reply *reply)
{
    json_t *params =
        json_pack("{s:s,s:s,s:i}", "name", r->name, "condition", "exit", "timeoutMs", END_MS);
    const char *cause;
    const json_t *runtime;

    if (cli_call(r->cli, API_GUEST_WAIT, params, END_MS, reply))
        return reply->error.code;
    runtime = json_object_get(json_object_get(reply->params, "guest"), "runtime");
    cause = text_get(runtime, "cause", "");
    if (strstr(cause, "panic") || text_has(runtime, "exitSignal") ||
        !text_has(runtime, "exitStatus"))
        return um_fail(&reply->error, UM_E_CRASHED, r->object, NULL,
                       "it ended before the command did: %s", cause[0] ? cause : "cause unknown");
    *ret_status = (int)text_int(runtime, "exitStatus", 1) & 0xff;
    return UM_OK;
}

static enum um_code start_and_copy(struct run *r, int *ret_status, struct client_reply *reply)
{
    json_t *params = json_pack("{s:s,s:s}", "name", r->name, "wait", "none");
    enum um_code code = cli_call(r->cli, API_GUEST_START, params, CLI_START_MS, reply);

    r->started = code == UM_OK;
    if (!code)
        code = copy_output(r, reply);
    return code ? code : await_end(r, ret_status, reply);
}

/* Failures are told but do not change the command's exit status. */
static void clean_up(struct run *r, bool kill_first, bool keep)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    json_t *params;

    if (kill_first && cli_call(r->cli, API_GUEST_KILL, text_named(r->name), CLI_SHORT_MS, &reply))
        cli_reply_error(r->cli, &reply);
    if (!keep) {
        params = json_pack("{s:s,s:b}", "name", r->name, "force", 1);
        if (cli_call(r->cli, API_GUEST_REMOVE, params, CLI_STOP_MS, &reply))
            cli_reply_error(r->cli, &reply);
    }
    client_reply_done(&reply);
}

/* From creation to removal Ctrl-C must not leave a guest behind: session_run() reads it. */
static void hold_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run(struct cli *cli, const struct args *args)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct run r = {.cli = cli};
    enum um_code code;
    int status = 0;

    if (args->tail_count == 0)
        return cli_usage(cli, args, "the command is missing: it comes after --");
    choose_name(&r);
    r.pieces = !isatty(STDIN_FILENO);
    hold_signals();
    code = create(args, &r, &reply);
    if (code) {
        status = cli_reply_error(cli, &reply);
        client_reply_done(&reply);
        return status;
    }
    code = start_and_copy(&r, &status, &reply);
    if (code)
        status = cli_reply_error(cli, &reply);
    client_reply_done(&reply);
    clean_up(&r, code && r.started && code != UM_E_CRASHED, args_flag(args, "keep"));
    return status;
}

static const struct option_row options[] = {
    {"image", 'i', "NAME", NULL, "root file system, see image list (default busybox)"},
    {"rm", 0, NULL, NULL, "remove the guest afterwards (this is the default)"},
    {"keep", 'k', NULL, NULL, "keep the guest and its logs"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_run = {
    .name = "run",
    .usage = "[--image NAME] [--keep] [WORD ...] -- COMMAND ...",
    .summary = "Run a command in a throw-away guest, return its exit status",
    .details = "WORD as for create: mem=128M, share0=DIR. Standard input goes to the command.\n"
               "Exit status 12 means that the guest crashed. Example:\n"
               "  umlctl run mem=96M -- uname -a",
    .group = GROUP_GUESTS,
    .options = options,
    .max_words = -1,
    .tail = true,
    .run = run,
};
