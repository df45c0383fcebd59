#include "cli/attach.h"

#include "cli/session.h"
#include "cli/text.h"
#include "cli/tty.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Until a guest that was told to start has a console; starts may queue behind others. */
enum { BOOTING_MS = 60000 };

enum um_code attach_open(struct cli *cli, const struct attach *a, struct client_reply *reply,
                         int *ret_fd, struct um_buf *ret_rest)
{
    struct client *client = NULL;
    int64_t deadline = cli_deadline(cli, CLI_SHORT_MS);
    enum um_code code;
    json_t *params;

    client_reply_done(reply);
    code = cli_connect_another(cli, &client, &reply->error);
    if (code)
        return code;
    params = text_named(a->guest);
    text_set(params, "device", a->device);
    json_object_set_new(params, "back", json_integer(a->back));
    if (a->read_only)
        json_object_set_new(params, "readOnly", json_true());
    if (a->steal)
        json_object_set_new(params, "steal", json_true());
    code = client_send(client, API_CONSOLE_ATTACH, params, CLIENT_UPGRADE, deadline, &reply->error);
    if (!code)
        code = client_receive(client, deadline, reply);
    if (code) {
        client_free(client);
        return code;
    }
    *ret_fd = client_take(client, ret_rest);
    return UM_OK;
}

/*
 * Is it still on its way up? A guest that failed or ended again will never have a console to attach
 * to; waiting for it would hide why.
 */
static enum um_code check_coming(struct cli *cli, const struct attach *a,
                                 struct client_reply *reply)
{
    static const char *const down[] = {"stopped", "failed", "backoff", "releasing"};
    struct client_reply get = CLIENT_REPLY_INIT;
    enum um_code code = UM_OK;
    const json_t *runtime;
    const char *state;
    char object[96];

    snprintf(object, sizeof(object), "guest \"%s\"", a->guest);
    if (cli_call(cli, API_GUEST_GET, text_named(a->guest), CLI_SHORT_MS, &get) == UM_OK) {
        runtime = json_object_get(json_object_get(get.params, "guest"), "runtime");
        state = text_get(runtime, "state", "");
        for (size_t i = 0; i < UM_ARRAY_LEN(down); i++)
            if (strcmp(state, down[i]) == 0) {
                code = um_fail(&reply->error, UM_E_CRASHED, object, NULL, "it is %s again: %s",
                               state, text_get(runtime, "cause", "no cause is known"));
                um_hint(&reply->error, "umlctl logs %s shows what it said", a->guest);
            }
    } else {
        code = get.error.code;
        reply->error = get.error;
    }
    client_reply_done(&get);
    return code;
}

/* `run` holds these signals back so that it can clean up; here they are only looked at. */
bool attach_interrupted(void)
{
    sigset_t set;

    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1 ||
            sigismember(&set, SIGHUP) == 1);
}

enum um_code attach_open_booting(struct cli *cli, const struct attach *a,
                                 struct client_reply *reply, int *ret_fd, struct um_buf *ret_rest)
{
    int64_t deadline = um_clock_mono_ns() + BOOTING_MS * UM_MS_NS;
    enum um_code code, coming;
    int pause_ms = 10;

    for (;;) {
        code = attach_open(cli, a, reply, ret_fd, ret_rest);
        if (code != UM_E_NOT_RUNNING || um_clock_mono_ns() > deadline)
            return code;
        coming = check_coming(cli, a, reply);
        if (coming)
            return coming;
        if (attach_interrupted())
            return um_fail(&reply->error, UM_E_CANCELLED, NULL, NULL, "interrupted");
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms < 200 ? pause_ms * 2 : pause_ms;
    }
}

/* Keeps the guest's idea of the terminal's size, over a second connection. */
struct resizer {
    struct cli *cli;
    const char *guest;
    const char *device;
};

static void resize(void *arg)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct resizer *r = arg;
    int rows, columns;
    json_t *params;

    if (!tty_size(STDIN_FILENO, &rows, &columns))
        return;
    params = json_pack("{s:s,s:s,s:i,s:i}", "name", r->guest, "device", r->device, "rows", rows,
                       "columns", columns);
    /* A console of the wrong size is no reason to end the session: failures are ignored. */
    if (cli_call(r->cli, API_CONSOLE_RESIZE, params, 2000, &reply) == UM_E_UNREACHABLE) {
        client_free(r->cli->client);
        r->cli->client = NULL;
    }
    client_reply_done(&reply);
}

static int tell_end(struct cli *cli, const struct attach *a, enum session_end end)
{
    struct um_error err = UM_ERROR_INIT;
    char object[96];

    snprintf(object, sizeof(object), "guest \"%s\"", a->guest);
    switch (end) {
    case SESSION_DETACHED:
        cli_note(cli, "%s: detached, the guest goes on", object);
        return 0;
    case SESSION_CLOSED:
        cli_note(cli, "%s: the console was closed", object);
        return 0;
    case SESSION_OUTPUT_GONE:
        return 128 + 13;
    case SESSION_INTERRUPTED:
        return um_code_info(UM_E_CANCELLED)->exit_status;
    case SESSION_TIMEOUT:
        um_fail(&err, UM_E_TIMEOUT, object, NULL, "the time given with --timeout has passed");
        return cli_error(cli, &err);
    case SESSION_FAILED:
        um_fail_errno(&err, errno, object, "cannot copy the console");
        return cli_error(cli, &err);
    }
    return 1;
}

typedef enum um_code (*open_fn)(struct cli *cli, const struct attach *a, struct client_reply *reply,
                                int *ret_fd, struct um_buf *ret_rest);

static int interact(struct cli *cli, const struct attach *a, open_fn open_stream)
{
    bool tty = isatty(STDIN_FILENO) && !a->read_only;
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_buf rest = UM_BUF_INIT;
    struct resizer resizer = {.cli = cli, .guest = a->guest};
    struct session session = {.forward_input = !a->read_only, .escapes = tty};
    enum session_end end;
    um_autofd fd = -1;
    int status;

    if (open_stream(cli, a, &reply, &fd, &rest)) {
        status = cli_reply_error(cli, &reply);
        client_reply_done(&reply);
        return status;
    }
    resizer.device = text_get(reply.params, "device", a->device ? a->device : "con0");
    session.remote = fd;
    session.deadline_ns =
        cli->timeout_ms ? um_clock_mono_ns() + cli->timeout_ms * UM_MS_NS : CLIENT_FOREVER;
    session.on_resize = tty ? resize : NULL;
    session.arg = &resizer;
    if (isatty(STDERR_FILENO))
        cli_note(cli, "guest \"%s\" %s, boot %lld; %s", a->guest, resizer.device,
                 (long long)text_int(reply.params, "boot", 0),
                 tty ? "to detach type Enter ~ ." : "Ctrl-C ends this");
    if (tty) {
        resize(&resizer);
        session.escapes = tty_raw(STDIN_FILENO);
        session.raw = session.escapes && isatty(STDOUT_FILENO);
    }
    end = session_run(&session, &rest);
    tty_restore();
    if (tty)
        fputc('\n', stderr);
    status = tell_end(cli, a, end);
    client_reply_done(&reply);
    um_buf_done(&rest);
    return status;
}

int attach_interactive(struct cli *cli, const struct attach *a)
{
    return interact(cli, a, attach_open);
}

int attach_when_booting(struct cli *cli, const struct attach *a)
{
    return interact(cli, a, attach_open_booting);
}
