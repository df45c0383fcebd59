/*
 * io.umld.Guest.Explain: the facts, the sentence, and the events behind it.
 */
#include "schemas/api_rows.h"
#include "umld/console_log.h"
#include "umld/db.h"
#include "umld/explain.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 2048, LOOK_BACK = 16 };

/* Where facts come from: the newest event of a type about an object, and which of its values. */
static const struct {
    const char *type, *what, *why;
    const char *cause; /* how it is told: {what} and {why} as they are, {who} for `by`, {words} for
                        * the name of an event of the state table */
} sources[FACT_COUNT] = {
    [FACT_ASKED] = {"guest.asked", "verb", "by", "{who} asked for {what}"},
    [FACT_STARTED] = {"guest.asked", "verb", "by", "{who} asked for {what}"},
    [FACT_ENTERED] = {"guest.state", "from", "why", "{state} after {what} ({words})"},
    [FACT_PANIC] = {"guest.panic", "", "text", "its kernel panicked: {why}"},
    [FACT_HANG] = {"guest.hang", "policy", "text", "its kernel did not answer: {why}"},
    [FACT_HEALTH] = {"guest.health", "health", "text", "it said HEALTH={what} {why}"},
    [FACT_WANT] = {"guest.want", "want", "", "it asked for {what} itself"},
    [FACT_DAEMON] = {"daemon.started", "", "version", "the daemon was started"},
};

struct look {
    struct explain *e;
    enum explain_kind kind;
};

static void copy(char *dst, size_t size, const json_t *data, const char *key)
{
    const char *text = json_string_value(json_object_get(data, key));

    snprintf(dst, size, "%s", text ? text : "");
}

static struct explain_fact fact_of(const struct db_row *row, const json_t *data, const char *what,
                                   const char *why)
{
    struct explain_fact f = {.seq = db_row_int(row, 0), .time_ns = db_row_int(row, 1)};

    copy(f.what, sizeof(f.what), data, what);
    copy(f.why, sizeof(f.why), data, why);
    return f;
}

/* Is this the event that the fact means? */
static bool fits(const struct explain *e, enum explain_kind kind, const json_t *data)
{
    const char *to = json_string_value(json_object_get(data, "to"));
    const char *verb = json_string_value(json_object_get(data, "verb"));

    if (kind == FACT_ENTERED)
        return to && strcmp(to, guest_state_info(e->g->state)->name) == 0;
    if (kind == FACT_STARTED)
        return verb && strcmp(verb, "start") == 0;
    return true;
}

static bool take_fact(const struct db_row *row, void *arg)
{
    struct look *look = arg;
    json_t *data = json_loads(db_row_text(row, 4), 0, NULL);
    bool found = fits(look->e, look->kind, data);

    if (found)
        look->e->facts[look->kind] =
            fact_of(row, data, sources[look->kind].what, sources[look->kind].why);
    json_decref(data);
    return !found;
}

/* Ends that belong together: as many as there were failures in a row, at least the last one. */
static bool take_end(const struct db_row *row, void *arg)
{
    struct explain *e = arg;
    json_t *data = json_loads(db_row_text(row, 4), 0, NULL);

    e->ends[e->end_count++] = fact_of(row, data, "boot", "cause");
    json_decref(data);
    return e->end_count < EXPLAIN_ENDS_MAX && e->end_count < (int)e->g->failures;
}

/* The rungs of this stop, not of one before. */
static bool take_rung(const struct db_row *row, void *arg)
{
    struct explain *e = arg;
    json_t *data = json_loads(db_row_text(row, 4), 0, NULL);
    struct explain_fact f = fact_of(row, data, "rung", "result");

    json_decref(data);
    if (f.seq < e->facts[FACT_ASKED].seq)
        return false;
    e->rungs[e->rung_count++] = f;
    return e->rung_count < EXPLAIN_RUNGS_MAX;
}

static void read_last_line(struct explain *e)
{
    struct console_log log = {NULL, 0};
    struct um_lines lines;
    char dir[GUEST_PATH_SIZE], data[LINE_BYTES];
    struct um_error err;
    int64_t size, n;

    if (console_log_scan(guest_path(e->g, GUEST_PATH_LOG, dir), "con0", (int64_t)e->g->boot, &log,
                         &err))
        return;
    size = console_log_bytes(&log);
    n = console_log_read(dir, "con0", &log, size > LINE_BYTES ? size - LINE_BYTES : 0, data,
                         sizeof(data));
    console_log_done(&log);
    um_lines_init(&lines, NULL);
    if (n > 0) {
        (void)um_lines_feed(&lines, data, (size_t)n, false);
        (void)um_lines_feed(&lines, "\n", 1, false); /* a prompt counts, too */
    }
    snprintf(e->line, sizeof(e->line), "%s", lines.last);
    um_str_make_plain(e->line, strlen(e->line));
    um_lines_done(&lines);
}

static void gather(struct explain *e)
{
    struct db *db = e->g->umld->db;

    for (int kind = 0; kind < FACT_COUNT; kind++)
        db_each(db, DBQ_EVENT_ABOUT, take_fact, &(struct look){e, (enum explain_kind)kind},
                kind == FACT_DAEMON ? "umld" : e->g->def.name, sources[kind].type,
                (int64_t)LOOK_BACK);
    db_each(db, DBQ_EVENT_ABOUT, take_end, e, e->g->def.name, "guest.ended",
            (int64_t)EXPLAIN_ENDS_MAX);
    db_each(db, DBQ_EVENT_ABOUT, take_rung, e, e->g->def.name, "guest.stop-step",
            (int64_t)EXPLAIN_RUNGS_MAX);
}

static json_t *cause_json(const struct explain_fact *f, struct um_buf *text)
{
    char when[UM_CLOCK_TEXT_SIZE];
    json_t *json =
        json_pack("{s:I,s:s,s:s}", "seq", (json_int_t)f->seq, "time",
                  um_clock_rfc3339(f->time_ns, when), "text", text->data ? text->data : "");

    um_buf_done(text);
    return json;
}

static void put_cause_field(const struct explain *e, const struct explain_fact *f, const char *name,
                            size_t len, struct um_buf *out)
{
    if (strncmp(name, "who", len) == 0)
        explain_put_who(f->why, out);
    else if (strncmp(name, "what", len) == 0)
        um_buf_puts(out, f->what);
    else if (strncmp(name, "words", len) == 0)
        um_buf_puts(out, guest_event_words_of(f->why));
    else if (strncmp(name, "why", len) == 0)
        um_buf_puts(out, f->why);
    else
        um_buf_puts(out, guest_state_info(e->g->state)->name);
}

static json_t *fact_json(const struct explain *e, enum explain_kind kind)
{
    const struct explain_fact *f = &e->facts[kind];
    struct um_buf text = UM_BUF_INIT;

    for (const char *at = sources[kind].cause; *at; at++) {
        size_t len = strcspn(at, "}");

        if (*at != '{') {
            um_buf_append(&text, at, 1);
            continue;
        }
        put_cause_field(e, f, at + 1, len - 1, &text);
        at += len;
    }
    return cause_json(f, &text);
}

static json_t *end_json(const struct explain_fact *f)
{
    struct um_buf text = UM_BUF_INIT;

    um_buf_printf(&text, "boot %s ended: %s", f->what, f->why);
    return cause_json(f, &text);
}

static json_t *rung_json(const struct explain_fact *f)
{
    struct um_buf text = UM_BUF_INIT;

    um_buf_printf(&text, "its stop: %s: %s", f->what, f->why);
    return cause_json(f, &text);
}

/* In the order in which they happened; one event may be two facts. */
static void add_cause(json_t *list, json_t *cause)
{
    json_int_t seq = json_integer_value(json_object_get(cause, "seq"));
    size_t at = json_array_size(list);

    while (at > 0 && json_integer_value(json_object_get(json_array_get(list, at - 1), "seq")) > seq)
        at--;
    if (at > 0 && json_integer_value(json_object_get(json_array_get(list, at - 1), "seq")) == seq)
        json_decref(cause);
    else
        json_array_insert_new(list, at, cause);
}

static json_t *causes_json(const struct explain *e, unsigned causes)
{
    json_t *list = json_array();

    for (int kind = 0; kind < FACT_COUNT; kind++)
        if (causes & 1u << kind && e->facts[kind].seq)
            add_cause(list, fact_json(e, (enum explain_kind)kind));
    for (int i = 0; causes & EXPLAIN_ENDS && i < e->end_count; i++)
        add_cause(list, end_json(&e->ends[i]));
    for (int i = 0; causes & EXPLAIN_RUNGS && i < e->rung_count; i++)
        add_cause(list, rung_json(&e->rungs[i]));
    return list;
}

static json_t *text_json(const struct explain *e, const char *text)
{
    struct um_buf out = UM_BUF_INIT;
    json_t *json;

    explain_expand(e, text, &out);
    json = json_stringn(out.data ? out.data : "", out.len);
    um_buf_done(&out);
    return json;
}

void api_guest_explain(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct explain e = {.g = g, .now_ns = um_clock_wall_ns()};
    const struct explain_rule *rule;
    json_t *advice;

    if (!g)
        return;
    gather(&e);
    /* What is on its console is its owner's. */
    if (api_call_role(call) >= API_ROLE_OWNER)
        read_last_line(&e);
    rule = explain_rule_find(&e);
    advice = json_array();
    for (int i = 0; i < EXPLAIN_ADVICE_MAX && rule->advice[i]; i++)
        json_array_append_new(advice, text_json(&e, rule->advice[i]));
    api_reply(call, json_pack("{s:s,s:o,s:o,s:o}", "state", guest_state_info(g->state)->name,
                              "text", text_json(&e, rule->text), "causes",
                              causes_json(&e, rule->causes), "advice", advice));
}
