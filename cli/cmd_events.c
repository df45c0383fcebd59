/*
 * Events: what is kept, and with --follow what comes. A follower survives the daemon: it remembers
 * up to where it has seen everything, waits until somebody listens again and goes on from there.
 */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SEQ_MAX INT64_C(9007199254740991)

enum { COME_BACK_MS = 60000, RETRY_MS = 50, RETRY_MAX_MS = 1000 };
enum { DAY = 10, INDENT = 35 }; /* `2026-11-23`; what stands before an event's object */

struct reader {
    struct cli *cli;
    json_t *params;      /* of the subscription */
    int64_t seen;        /* everything up to this number was looked at; -1: not known */
    int64_t deadline_ns; /* of all of it */
    bool follow;
    char day[16]; /* of the last event, on a terminal */
};

/*
 * On a terminal the day is said when it changes, and a line that is too long goes on below its
 * object; elsewhere a line is an event.
 */
/* text is spoilt. */
static void add_words(struct um_buf *line, size_t *column, size_t limit, char *text)
{
    char *rest = NULL;

    if (!limit)
        text_wrap(line, column, limit, INDENT, text);
    else
        for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
            text_wrap(line, column, limit, INDENT, w);
}

static void add_head(struct reader *r, const json_t *event, struct um_buf *line)
{
    const char *time = text_get(event, "time", "");
    char when[64];

    text_when(time, when, sizeof(when));
    if (r->cli->out_tty && strlen(when) > DAY && strncmp(r->day, when, DAY) != 0) {
        snprintf(r->day, sizeof(r->day), "%.*s", DAY, when);
        puts(r->day);
    }
    um_buf_printf(line, "%6lld  %s  %-16s", (long long)text_int(event, "seq", 0),
                  r->cli->out_tty && strlen(when) > DAY ? when + DAY + 1 : when,
                  text_get(event, "type", "?"));
}

static void print_event(struct reader *r, const json_t *event)
{
    struct um_buf line = UM_BUF_INIT;
    size_t limit = r->cli->out_tty ? cli_columns(r->cli) : 0, column;
    const json_t *value;
    char clean[2048];
    const char *key;

    add_head(r, event, &line);
    column = text_width(line.data);
    um_str_clean(text_get(event, "object", ""), clean, sizeof(clean));
    text_wrap(&line, &column, limit, INDENT, clean);
    json_object_foreach(json_object_get(event, "data"), key, value)
    {
        um_autostr word = NULL;

        /* Why a guest's state changed is a name for programs, and in the text for people. */
        if (strcmp(key, "why") == 0 && text_has(json_object_get(event, "data"), "text"))
            continue;
        if (!json_string_value(value) || !json_string_value(value)[0] ||
            asprintf(&word, "%s=%s", key, json_string_value(value)) < 0)
            continue;
        um_str_clean(word, clean, sizeof(clean));
        add_words(&line, &column, limit, clean);
    }
    puts(line.data);
    um_buf_done(&line);
}

static void take_reply(struct reader *r, const json_t *params)
{
    const json_t *event = json_object_get(params, "event"), *lost = json_object_get(params, "lost");

    if (text_has(params, "at")) {
        r->seen = text_int(params, "at", r->seen);
        return;
    }
    if (r->cli->json) {
        if (json_object_size(params) > 0)
            cli_print_json(params);
    } else {
        if (json_is_object(lost))
            cli_note(r->cli, "events %lld to %lld are no longer kept",
                     (long long)text_int(lost, "from", 0), (long long)text_int(lost, "to", 0));
        if (json_is_object(event))
            print_event(r, event);
    }
    cli_flush(r->cli);
    r->seen = text_int(lost, "to", text_int(event, "seq", r->seen));
}

/* `--type a,b --type c` */
static void add_list(const struct args *args, const char *option, const char *parameter,
                     json_t *params)
{
    json_t *list = json_array();
    const char *value;
    size_t pos = 0;

    while ((value = args_next(args, option, &pos)))
        while (*value) {
            size_t len = strcspn(value, ",");

            if (len > 0)
                json_array_append_new(list, json_stringn(value, len));
            value += len + (value[len] == ',');
        }
    if (json_array_size(list) > 0)
        json_object_set(params, parameter, list);
    json_decref(list);
}

/* One subscription, until it ends or breaks. */
static enum um_code read_events(struct reader *r, struct client_reply *reply)
{
    json_t *params = json_deep_copy(r->params);
    enum um_code code;

    if (r->seen >= 0) {
        json_object_del(params, "sinceTime");
        json_object_set_new(params, "since", json_integer(r->seen));
    }
    code = client_send(r->cli->client, API_SERVER_SUBSCRIBE, params, CLIENT_MORE, r->deadline_ns,
                       &reply->error);
    do {
        if (!code)
            code = client_receive(r->cli->client, r->deadline_ns, reply);
        if (!code)
            take_reply(r, reply->params);
    } while (!code && reply->continues);
    return code;
}

/*
 * Wait until a daemon listens again. It is not started from here: somebody may have ended it for a
 * reason.
 */
static enum um_code come_back(struct reader *r, struct um_error *err)
{
    int64_t give_up = um_clock_mono_ns() + COME_BACK_MS * UM_MS_NS;
    enum um_code code;

    if (give_up > r->deadline_ns)
        give_up = r->deadline_ns;
    for (int pause = RETRY_MS;; pause = pause < RETRY_MAX_MS / 2 ? pause * 2 : RETRY_MAX_MS) {
        code = cli_reconnect(r->cli, err);
        if (code != UM_E_UNREACHABLE || um_clock_mono_ns() > give_up)
            break;
        poll(NULL, 0, pause); /* nothing announces a listener */
    }
    if (code == UM_E_UNREACHABLE)
        um_hint(err, "to go on later: umlctl events --follow --since %lld", (long long)r->seen);
    return code;
}

static int read_on(struct reader *r)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum um_code code = cli_connect(r->cli, &reply.error);
    int status = 0;

    while (!code) {
        code = read_events(r, &reply);
        if (code != UM_E_UNREACHABLE || !r->follow || r->seen < 0)
            break;
        client_reply_done(&reply);
        cli_note(r->cli, "the connection to the daemon is lost; waiting for it");
        code = come_back(r, &reply.error);
        if (!code)
            cli_note(r->cli, "the daemon is there again: going on after event %lld",
                     (long long)r->seen);
    }
    if (code)
        status = cli_reply_error(r->cli, &reply);
    client_reply_done(&reply);
    return status;
}

/* A number, a time, or how long ago: `1234`, `2026-01-31T12:00:00Z`, `10m`. */
static bool add_since(const char *text, json_t *params)
{
    char when[UM_CLOCK_TEXT_SIZE];
    int64_t n;

    if (um_parse_int(text, 0, SEQ_MAX, &n)) {
        json_object_set_new(params, "since", json_integer(n));
        return true;
    }
    if (um_clock_from_rfc3339(text, &n)) {
        text_set(params, "sinceTime", um_clock_rfc3339(n, when));
        return true;
    }
    if (!args_duration(text, &n))
        return false;
    text_set(params, "sinceTime", um_clock_rfc3339(um_clock_wall_ns() - n * UM_MS_NS, when));
    return true;
}

static int run(struct cli *cli, const struct args *args)
{
    const char *since = args_value(args, "since");
    struct reader r = {
        .cli = cli, .params = json_object(), .seen = -1, .follow = args_flag(args, "follow")};
    int status;

    r.deadline_ns = r.follow && !cli->timeout_ms ? CLIENT_FOREVER : cli_deadline(cli, CLI_SHORT_MS);
    /* Without --follow only the past is of interest: all that is kept. */
    if (!since && !r.follow)
        since = "0";
    if (since && !add_since(since, r.params)) {
        json_decref(r.params);
        return cli_usage(cli, args,
                         "--since takes an event's number, a time (2026-01-31T12:00:00Z) or how "
                         "long ago (10m), not \"%s\"",
                         since);
    }
    r.seen = text_int(r.params, "since", -1);
    add_list(args, "guest", "guests", r.params);
    add_list(args, "type", "types", r.params);
    if (r.follow) {
        json_object_set_new(r.params, "follow", json_true());
        json_object_set_new(r.params, "marks", json_true());
    }
    status = read_on(&r);
    json_decref(r.params);
    return status;
}

static const struct option_row options[] = {
    {"follow", 'f', NULL, NULL, "go on with new ones as they happen; Ctrl-C ends it"},
    {"since", 's', "SEQ|TIME", NULL, "after this number or time, or not older than 10m"},
    {"guest", 'g', "GUEST", NULL, "of this guest, or of all that web* fits; repeatable"},
    {"type", 't', "TYPE", NULL, "of this type, or of all that guest.* fits; repeatable"},
    {NULL, 0, NULL, NULL, NULL},
};

const struct command command_events = {
    .name = "events",
    .usage = "[--follow] [--since SEQ|TIME] [--guest GUEST] [--type TYPE]",
    .summary = "Show what has happened",
    .details = "All events that are kept, or with --follow alone only new ones. Sequence numbers\n"
               "are never reused: a program that remembers the last one misses nothing. When\n"
               "the daemon is restarted, a follower goes on by itself and says so.\n"
               "\n"
               "TIME is like 2026-01-31T12:00:00Z, or how long ago: 500ms, 30s, 10m, 2h.\n"
               "Several guests (or types) may also be written as a,b.",
    .group = GROUP_HOST,
    .options = options,
    .run = run,
};
