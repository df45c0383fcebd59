#include "cli/targets.h"

#include "cli/select.h"
#include "cli/text.h"
#include "vmcore/base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target {
    const char *name;
    struct client *client; /* while it is under way */
    int64_t deadline_ns;
    struct client_reply reply;
    bool done;
};

struct targets {
    struct cli *cli;
    const struct args *args;
    const struct targets_verb *verb;
    struct target *all;
    size_t count, sent, running, reported;
    struct targets_tally tally;
    size_t parallel;
};

static void finish(struct targets *t, struct target *target)
{
    struct client_reply *r = &target->reply;

    if (target->client)
        t->running--;
    client_free(target->client);
    target->client = NULL;
    target->done = true;
    if (!r->error.code && t->verb->refused && !t->cli->dry_run)
        t->verb->refused(r->params, &r->error);
}

static json_t *params_of(const struct targets *t, const char *name)
{
    json_t *params = text_named(name);
    char id[200];

    if (t->verb->fill)
        t->verb->fill(t->cli, t->args, params);
    /* One id is for one call. */
    if (t->cli->request_id && t->cli->several) {
        snprintf(id, sizeof(id), "%s/%s", t->cli->request_id, name);
        json_object_set_new(params, "requestId", json_string(id));
    }
    return params;
}

static void send_next(struct targets *t)
{
    struct target *target = &t->all[t->sent++];
    bool more = t->verb->progress && t->cli->progress_tty && !t->cli->json;
    struct um_error *err = &target->reply.error;

    if (cli_connect_another(t->cli, &target->client, err) == UM_OK) {
        t->running++;
        target->deadline_ns = cli_deadline(t->cli, t->verb->default_ms);
        if (cli_send(t->cli, target->client, t->verb->method, params_of(t, target->name),
                     more ? CLIENT_MORE : 0, target->deadline_ns, err) == UM_OK)
            return;
    }
    finish(t, target);
}

void targets_count(struct targets_tally *t, int status)
{
    if (status == 0) {
        t->succeeded++;
        return;
    }
    t->status = t->failed && t->status != status ? -1 : status;
    t->failed++;
}

int targets_status(const struct targets_tally *t)
{
    if (t->failed == 0)
        return 0;
    if (t->succeeded > 0)
        return um_code_info(UM_E_PARTLY)->exit_status;
    return t->status > 0 ? t->status : um_code_info(UM_E_INTERNAL)->exit_status;
}

void targets_print_json(struct cli *cli, const char *name, json_t *reply)
{
    json_t *line;

    if (!cli->several) {
        cli_print_json(reply);
        return;
    }
    line = text_named(name);
    json_object_update_missing(line, reply);
    cli_print_json(line);
    json_decref(line);
}

/* In JSON the lines must match the guests named, so a failure has its line too. */
static void print_json_line(const struct targets *t, const struct target *target)
{
    const struct client_reply *r = &target->reply;
    bool answered = r->params && !r->wire[0];
    json_t *line;

    if (answered) {
        targets_print_json(t->cli, target->name, r->params);
        return;
    }
    if (!t->cli->several)
        return;
    line = text_named(target->name);
    json_object_set_new(line, "error", r->wire[0] ? json_string(r->wire) : json_null());
    json_object_set_new(line, "parameters", r->params ? json_incref(r->params) : json_null());
    cli_print_json(line);
    json_decref(line);
}

static void tell_dry(const struct targets *t, const struct target *target)
{
    const json_t *reply = target->reply.params;
    const char *state = text_get(reply, "state", NULL);

    printf("%s: would %s%s", target->name, text_bool(reply, "changed", true) ? "" : "not have to ",
           t->verb->would);
    printf(state ? " (it is %s)\n" : "\n", state);
}

static void report(struct targets *t, struct target *target)
{
    struct um_error *e = &target->reply.error;

    cli_progress_clear(t->cli);
    if (t->cli->json)
        print_json_line(t, target);
    if (e->code) {
        /* Failures to reach the daemon name no object; with several guests say which one. */
        if (!e->object[0] && t->cli->several)
            snprintf(e->object, sizeof(e->object), "guest \"%.60s\"", target->name);
        targets_count(&t->tally, cli_reply_error(t->cli, &target->reply));
    } else {
        if (!t->cli->json && t->cli->dry_run && t->verb->would)
            tell_dry(t, target);
        else if (!t->cli->json)
            t->verb->tell(t->cli, target->name, target->reply.params);
        targets_count(&t->tally, 0);
    }
    cli_flush(t->cli);
    client_reply_done(&target->reply);
}

static void show_progress(const struct targets *t, const struct target *target)
{
    const char *state = "", *doing = "";

    if (t->count > 1) {
        cli_progress(t->cli, "%s: %zu of %zu done ...", t->verb->doing, t->sent - t->running,
                     t->count);
        return;
    }
    if (target->reply.continues) {
        state = text_get(target->reply.params, "state", "");
        doing = text_get(target->reply.params, "doing", "");
    }
    cli_progress(t->cli, "%s: %s%s%s%s%s ...", target->name, t->verb->doing, state[0] ? ": " : "",
                 state, doing[0] ? ": " : "", doing);
}

/* All that has come on one connection. */
static void receive(struct targets *t, struct target *target)
{
    while (client_try(target->client, &target->reply)) {
        if (!target->reply.continues || target->reply.error.code) {
            finish(t, target);
            return;
        }
        show_progress(t, target);
    }
    if (um_clock_mono_ns() < target->deadline_ns)
        return;
    client_too_late(&target->reply.error);
    finish(t, target);
}

/* Until something comes from anywhere, or somebody's time is up. */
static void wait_for_any(struct targets *t)
{
    struct pollfd fds[SELECT_PARALLEL_MAX];
    struct target *whose[SELECT_PARALLEL_MAX];
    int64_t first = INT64_MAX, left;
    nfds_t n = 0;

    for (size_t i = t->reported; i < t->sent; i++) {
        struct target *target = &t->all[i];

        if (!target->client)
            continue;
        fds[n] = (struct pollfd){.fd = client_fd(target->client), .events = POLLIN};
        whose[n++] = target;
        first = target->deadline_ns < first ? target->deadline_ns : first;
        show_progress(t, target);
    }
    left = (first - um_clock_mono_ns() + UM_MS_NS - 1) / UM_MS_NS;
    /* Cut short by a signal, it is called again. */
    (void)poll(fds, n, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
    for (nfds_t i = 0; i < n; i++)
        receive(t, whose[i]);
}

static void run_all(struct targets *t)
{
    while (t->reported < t->count) {
        while (t->sent < t->count && t->running < t->parallel)
            send_next(t);
        while (t->reported < t->count && t->all[t->reported].done)
            report(t, &t->all[t->reported++]);
        if (t->running > 0)
            wait_for_any(t);
    }
}

static int run_selected(struct targets *t, const struct selection *s)
{
    struct um_error err = UM_ERROR_INIT;
    int64_t parallel = SELECT_PARALLEL;
    int status;

    if (args_int(t->args, "parallel", 1, SELECT_PARALLEL_MAX, &parallel, &err))
        return cli_error(t->cli, &err);
    if (t->cli->has_revision && s->count > 1)
        return cli_usage(t->cli, t->args, "--if-revision is about one guest, here are %zu",
                         s->count);
    t->parallel = (size_t)parallel;
    t->count = s->count;
    t->all = calloc(s->count, sizeof(*t->all));
    if (!t->all)
        abort();
    for (size_t i = 0; i < s->count; i++)
        t->all[i] = (struct target){.name = s->names[i], .reply = CLIENT_REPLY_INIT};
    t->cli->several = s->several;
    run_all(t);
    status = targets_status(&t->tally);
    free(t->all);
    return status;
}

int targets_run(struct cli *cli, const struct args *args, const struct targets_verb *verb)
{
    struct targets t = {.cli = cli, .args = args, .verb = verb};
    struct client_reply reply = CLIENT_REPLY_INIT;
    size_t words = verb->one_word && args->count > 1 ? 1 : args->count;
    struct selection s;
    int status;

    if (select_guests(cli, args, words, &s, &reply))
        status = cli_reply_error(cli, &reply);
    else
        status = run_selected(&t, &s);
    client_reply_done(&reply);
    select_done(&s);
    return status;
}

void targets_tell_state(um_unused struct cli *cli, const char *name, const json_t *reply)
{
    printf("%s: %s%s\n", name, text_bool(reply, "changed", true) ? "" : "already ",
           text_get(reply, "state", "done"));
}
