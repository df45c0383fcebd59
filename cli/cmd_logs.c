/*
 * The kept log of a console. Whole or tail: Console.Read in pieces. Following: a read-only
 * attachment that begins far enough back, so that nothing is missing between old and new.
 */
#include "cli/args.h"
#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/session.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 256 << 10, TAIL_FIRST = 8 << 10 };

struct logs {
    struct cli *cli;
    const char *guest;
    const char *device; /* NULL: the daemon's default */
    int64_t boot;       /* 0: the latest */
    int64_t tail;       /* lines; -1: all */
};

/* One piece from offset (negative: from the end) into *reply. */
static enum um_code read_piece(const struct logs *l, int64_t boot, int64_t offset, int64_t max,
                               struct client_reply *reply)
{
    json_t *params = text_named(l->guest);

    text_set(params, "device", l->device);
    if (boot > 0)
        json_object_set_new(params, "boot", json_integer(boot));
    json_object_set_new(params, "offset", json_integer(offset));
    json_object_set_new(params, "maxBytes", json_integer(max < PIECE ? max : PIECE));
    return cli_call(l->cli, API_CONSOLE_READ, params, CLI_SHORT_MS, reply);
}

static size_t piece_data(const struct client_reply *reply, const char **ret)
{
    const json_t *data = json_object_get(reply->params, "data");

    *ret = json_string_value(data);
    return *ret ? json_string_length(data) : 0;
}

/* Print from offset to the end as it was when we began. */
static enum um_code print_from(const struct logs *l, int64_t offset, struct client_reply *reply)
{
    int64_t boot = l->boot, size = -1, next;
    enum um_code code;

    for (;;) {
        const char *data;
        size_t len;

        code = read_piece(l, boot, offset, PIECE, reply);
        if (code)
            return code;
        len = piece_data(reply, &data);
        next = text_int(reply->params, "next", 0);
        boot = text_int(reply->params, "boot", boot); /* the same one from now on */
        if (size < 0)
            size = text_int(reply->params, "size", 0);
        if (l->cli->json)
            targets_print_json(l->cli, l->guest, reply->params);
        else if (len > 0)
            fwrite(data, 1, len, stdout);
        cli_flush(l->cli);
        if (len == 0 || next >= size || next <= offset)
            return UM_OK;
        offset = next;
    }
}

/* Where the last `lines` lines of a text begin. *ret_all: it has no more lines than that. */
static size_t tail_start(const char *data, size_t len, int64_t lines, bool *ret_all)
{
    size_t at = len;

    *ret_all = false;
    if (lines == 0)
        return len;
    if (at > 0 && data[at - 1] == '\n')
        at--; /* ends the last line */
    while (at > 0) {
        if (data[at - 1] == '\n' && --lines == 0)
            return at;
        at--;
    }
    *ret_all = true;
    return 0;
}

/*
 * Byte offset at which the last l->tail lines begin, by looking at ever larger pieces from the end,
 * up to the largest the daemon gives. Bytes that are not UTF-8 come as three, so with such bytes in
 * them the lines may begin a little early: never too late.
 */
static enum um_code find_tail(const struct logs *l, int64_t *ret_offset, int64_t *ret_size,
                              struct client_reply *reply)
{
    for (int64_t window = TAIL_FIRST;; window *= 2) {
        enum um_code code = read_piece(l, l->boot, -window, window, reply);
        const char *data;
        int64_t start;
        size_t len;
        bool all;

        if (code)
            return code;
        len = piece_data(reply, &data);
        start = text_int(reply->params, "offset", 0);
        *ret_size = text_int(reply->params, "size", 0);
        *ret_offset = *ret_size - (int64_t)(len - tail_start(data, len, l->tail, &all));
        if (*ret_offset < start)
            *ret_offset = start;
        if (!all || start <= 0 || window >= PIECE)
            return UM_OK;
    }
}

static int print_log(const struct logs *l)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    int64_t offset = 0, size;
    enum um_code code = UM_OK;
    int status = 0;

    if (l->tail >= 0)
        code = find_tail(l, &offset, &size, &reply);
    if (!code && l->tail != 0)
        code = print_from(l, offset, &reply);
    if (code)
        status = cli_reply_error(l->cli, &reply);
    client_reply_done(&reply);
    return status;
}

static int end_of_following(const struct logs *l, enum session_end end)
{
    struct um_error err = UM_ERROR_INIT;

    switch (end) {
    case SESSION_OUTPUT_GONE:
        return 128 + 13;
    case SESSION_INTERRUPTED:
        return um_code_info(UM_E_CANCELLED)->exit_status;
    case SESSION_TIMEOUT:
        um_fail(&err, UM_E_TIMEOUT, NULL, NULL, "the time given with --timeout has passed");
        return cli_error(l->cli, &err);
    case SESSION_FAILED:
        um_fail_errno(&err, errno, NULL, "cannot copy the log");
        return cli_error(l->cli, &err);
    case SESSION_CLOSED:
    case SESSION_DETACHED:
        break;
    }
    return 0;
}

static int follow_log(const struct logs *l)
{
    struct attach a = {.guest = l->guest, .device = l->device, .read_only = true, .back = -1};
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct um_buf rest = UM_BUF_INIT;
    int64_t deadline = CLIENT_FOREVER, offset = 0, size = 0;
    enum um_code code = UM_OK;
    um_autofd fd = -1;
    int status;

    if (l->cli->timeout_ms)
        deadline = um_clock_mono_ns() + l->cli->timeout_ms * UM_MS_NS;
    if (l->tail >= 0) {
        code = find_tail(l, &offset, &size, &reply);
        a.back = size - offset;
    }
    if (!code)
        code = attach_open(l->cli, &a, &reply, &fd, &rest);
    if (code) {
        status = cli_reply_error(l->cli, &reply);
    } else {
        struct session session = {.remote = fd, .deadline_ns = deadline};

        status = end_of_following(l, session_run(&session, &rest));
    }
    client_reply_done(&reply);
    um_buf_done(&rest);
    return status;
}

/* One after another, each below its name. Exit status: as of targets_run(). */
static int print_logs(struct logs *l, const struct selection *chosen)
{
    struct targets_tally tally = {.status = 0};

    l->cli->several = chosen->several;
    for (size_t i = 0; i < chosen->count; i++) {
        l->guest = chosen->names[i];
        if (chosen->several && !l->cli->json)
            printf("%s==> %s <==\n", i ? "\n" : "", l->guest);
        targets_count(&tally, print_log(l));
    }
    return targets_status(&tally);
}

static int print_or_follow(struct logs *l, const struct args *args, const struct selection *chosen)
{
    if (!args_flag(args, "follow"))
        return print_logs(l, chosen);
    if (l->boot > 0)
        return cli_usage(l->cli, args, "--follow shows the present boot: --boot does not fit");
    if (l->cli->json)
        return cli_usage(l->cli, args, "--follow copies raw bytes: --json does not fit");
    if (chosen->count > 1)
        return cli_usage(l->cli, args, "--follow copies raw bytes: name one guest");
    l->guest = chosen->names[0];
    return follow_log(l);
}

static int run(struct cli *cli, const struct args *args)
{
    struct logs l = {
        .cli = cli,
        .device = args->count > 1 ? args->word[1] : NULL,
        .tail = -1,
    };
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct selection chosen;
    int status;

    if (args_int(args, "boot", 1, INT64_C(9007199254740991), &l.boot, &reply.error) ||
        args_int(args, "tail", 0, INT64_C(1000000000), &l.tail, &reply.error))
        return cli_error(cli, &reply.error);
    if (select_guests(cli, args, 1, &chosen, &reply))
        status = cli_reply_error(cli, &reply);
    else
        status = print_or_follow(&l, args, &chosen);
    select_done(&chosen);
    client_reply_done(&reply);
    return status;
}

static const struct option_row options[] = {
    {"boot", 'b', "N", NULL, "of this boot (default the latest)"},
    {"follow", 'f', NULL, NULL, "go on as the guest writes more; Ctrl-C ends it"},
    {"tail", 'n', "N", NULL, "the last N lines only"},
    SELECT_LABEL_OPTION,
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_logs = {
    .name = "logs",
    .usage = "GUEST [DEVICE] [--boot N] [--follow] [--tail N]",
    .summary = "Print what a guest has written to its console",
    .details = "Works for guests that are down, too. DEVICE is con0 if not given.\n"
               "GUEST may be several: names and patterns joined by commas.",
    .group = GROUP_CONSOLES,
    .words = WORDS_GUEST,
    .options = options,
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
