#include "cli/targets.h"

#include "cli/text.h"

#include <stdio.h>

/* Well below the daemon's limit of connections for one user. */
enum { WINDOW = 16 };

struct target {
    const char *name;
    struct client *client;
    int64_t deadline_ns;
    struct client_reply reply;
};

struct tally {
    size_t failed;
    size_t done;
    int status; /* common status of the failures, -1: they differ */
};

static void target_send(struct cli *cli, const struct args *args, const struct targets_verb *verb,
                        struct target *t)
{
    bool more = verb->progress && cli->progress_tty && !cli->json;
    struct um_error *err = &t->reply.error;
    json_t *params;

    if (cli_connect_another(cli, &t->client, err))
        return;
    params = text_named(t->name);
    if (verb->fill)
        verb->fill(cli, args, params);
    t->deadline_ns = cli_deadline(cli, verb->default_ms);
    if (client_send(t->client, verb->method, params, more ? CLIENT_MORE : 0, t->deadline_ns, err)) {
        client_free(t->client);
        t->client = NULL;
    }
}

static void target_receive(struct cli *cli, const struct targets_verb *verb, struct target *t)
{
    if (!t->client)
        return; /* the error is already in the reply */
    cli_progress(cli, "%s: %s ...", t->name, verb->doing);
    while (client_receive(t->client, t->deadline_ns, &t->reply) == UM_OK && t->reply.continues)
        cli_progress(cli, "%s: %s: %s ...", t->name, verb->doing,
                     text_get(t->reply.params, "state", ""));
    client_free(t->client);
    t->client = NULL;
}

/* In JSON the lines must match the guests named, so a failure has its line too. */
static void print_json_line(const struct target *t, bool several)
{
    json_t *line;

    if (!t->reply.error.code) {
        cli_print_json(t->reply.params);
        return;
    }
    if (!several)
        return;
    line = json_pack("{s:s?,s:O?}", "error", t->reply.wire[0] ? t->reply.wire : NULL, "parameters",
                     t->reply.params);
    cli_print_json(line);
    json_decref(line);
}

static void target_report(struct cli *cli, const struct targets_verb *verb, struct target *t,
                          bool several, struct tally *tally)
{
    struct um_error *e = &t->reply.error;

    cli_progress_clear(cli);
    if (cli->json)
        print_json_line(t, several);
    if (e->code) {
        int status;

        /* Failures to reach the daemon name no object; with several guests say which one. */
        if (!e->object[0] && several)
            snprintf(e->object, sizeof(e->object), "guest \"%s\"", t->name);
        status = cli_reply_error(cli, &t->reply);
        tally->status = tally->failed && tally->status != status ? -1 : status;
        tally->failed++;
    } else {
        if (!cli->json)
            verb->tell(t->name, t->reply.params);
        tally->done++;
    }
    cli_flush(cli);
    client_reply_done(&t->reply);
}

int targets_run(struct cli *cli, const struct args *args, const struct targets_verb *verb)
{
    struct target window[WINDOW];
    struct tally tally = {0};
    size_t sent = 0;

    /* A sliding window: the daemon always has the next ones, and never too many. */
    for (size_t i = 0; i < args->count; i++) {
        for (; sent < args->count && sent < i + WINDOW; sent++) {
            window[sent % WINDOW] = (struct target){.name = args->word[sent]};
            target_send(cli, args, verb, &window[sent % WINDOW]);
        }
        target_receive(cli, verb, &window[i % WINDOW]);
        target_report(cli, verb, &window[i % WINDOW], args->count > 1, &tally);
    }
    if (tally.failed == 0)
        return 0;
    if (tally.done > 0)
        return um_code_info(UM_E_PARTLY)->exit_status;
    return tally.status > 0 ? tally.status : um_code_info(UM_E_INTERNAL)->exit_status;
}

void targets_tell_state(const char *name, const json_t *reply)
{
    printf("%s: %s%s\n", name, text_bool(reply, "changed", true) ? "" : "already ",
           text_get(reply, "state", "done"));
}
