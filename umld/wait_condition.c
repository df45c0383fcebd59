#include "umld/wait_condition.h"

#include "umld/db.h"
#include "umld/event_filter.h"
#include "umld/events.h"
#include "umld/wait_console.h"
#include "vmcore/base/pattern.h"
#include "vmcore/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wait_kind {
    const char *name; /* the whole condition, or what its value stands behind */
    const char *form; /* for people */
    bool has_value;
    enum api_role role;
    /* NULL: nothing to do. */
    enum um_code (*parse)(const char *value, struct wait_condition *c, struct um_error *err);
    enum um_code (*begin)(struct wait_condition *c, struct guest *g, struct um_error *err);
    bool (*is_event)(const struct wait_condition *c, int64_t seq, const char *type);
    enum wait_outcome (*judge)(struct wait_condition *c, const struct guest *g,
                               struct um_error *err);
};

/* ---- what the guest does ---- */

/*
 * A mark that only a living guest reaches. A guest that waits for its next start may reach it yet;
 * one that is at rest will not, whoever might start it.
 */
static enum wait_outcome unless_at_rest(const struct wait_condition *c, const struct guest *g,
                                        struct um_error *err)
{
    char object[96];

    if (g->state != GUEST_FAILED && (g->state != GUEST_STOPPED || g->want_up))
        return WAIT_PENDING;
    if (g->state == GUEST_FAILED || g->ends != c->ends) {
        guest_tell_missed(g, err);
        return WAIT_MISSED;
    }
    um_fail(err, UM_E_NOT_RUNNING, guest_object(g, object, sizeof(object)), NULL,
            "cannot get to \"%s\": it is stopped, and nothing is about to start it", c->text);
    um_hint(err, "start it: umlctl start %s", g->def.name);
    return WAIT_MISSED;
}

static enum wait_outcome judge_ready(struct wait_condition *c, const struct guest *g,
                                     struct um_error *err)
{
    return g->ready && g->state == GUEST_RUNNING ? WAIT_MET : unless_at_rest(c, g, err);
}

static enum wait_outcome judge_kernel(struct wait_condition *c, const struct guest *g,
                                      struct um_error *err)
{
    return g->kernel_up && g->state == GUEST_RUNNING ? WAIT_MET : unless_at_rest(c, g, err);
}

static enum wait_outcome judge_exit(struct wait_condition *c, const struct guest *g,
                                    um_unused struct um_error *err)
{
    bool at_rest = g->state == GUEST_STOPPED || g->state == GUEST_FAILED;

    return at_rest || g->ends != c->ends ? WAIT_MET : WAIT_PENDING;
}

static enum um_code parse_state(const char *value, struct wait_condition *c, struct um_error *err)
{
    if (guest_state_from_name(value, &c->state))
        return UM_OK;
    um_fail(err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no state", value);
    return um_hint(err, "states are stopped, preparing, booting, running, paused, stopping, "
                        "killing, releasing, backoff, failed and adopting");
}

static enum wait_outcome judge_state(struct wait_condition *c, const struct guest *g,
                                     um_unused struct um_error *err)
{
    return g->state == c->state ? WAIT_MET : WAIT_PENDING;
}

/* ---- what it says of itself ---- */

static enum um_code parse_pattern(const char *value, struct wait_condition *c, struct um_error *err)
{
    size_t len = strlen(value);
    um_autostr text = NULL;

    if (len < 2 || value[0] != '/' || value[len - 1] != '/') {
        um_fail(err, UM_E_INVALID, "wait", "condition",
                "the expression must stand between slashes");
        return um_hint(err, "for example: /login:/");
    }
    text = strndup(value + 1, len - 2);
    if (!text)
        return um_fail(err, UM_E_NO_RESOURCES, "wait", NULL, "out of memory");
    return um_pattern_new(text, "wait", "condition", &c->pattern, err);
}

static enum um_code parse_health(const char *value, struct wait_condition *c, struct um_error *err)
{
    if (guest_health_from_name(value, &c->health))
        return UM_OK;
    um_fail(err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no health", value);
    return um_hint(err, "it is ok or failing");
}

static enum wait_outcome judge_health(struct wait_condition *c, const struct guest *g,
                                      struct um_error *err)
{
    return guest_health_is(g, c->health) ? WAIT_MET : unless_at_rest(c, g, err);
}

static enum wait_outcome judge_status(struct wait_condition *c, const struct guest *g,
                                      struct um_error *err)
{
    if (!guest_state_info(g->state)->has_process || !g->status ||
        !um_pattern_matches(c->pattern, g->status, strlen(g->status), 0))
        return unless_at_rest(c, g, err);
    c->met_text = strdup(g->status);
    return WAIT_MET;
}

/* ---- events about it ---- */

static enum um_code parse_seq(const char *value, struct wait_condition *c, struct um_error *err)
{
    if (um_parse_int(value, 0, INT64_C(9007199254740991), &c->seq))
        return UM_OK;
    um_fail(err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no event number", value);
    return um_hint(err, "numbers are shown by umlctl events");
}

static enum um_code parse_type(const char *value, struct wait_condition *c, struct um_error *err)
{
    if (!event_type_valid(value)) {
        um_fail(err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no event type", value);
        return um_hint(err, "use a type of docs/events.md, or the beginning of one: guest.*");
    }
    c->type = strdup(value);
    return c->type ? UM_OK : um_fail(err, UM_E_NO_RESOURCES, "wait", NULL, "out of memory");
}

static void note_event(struct wait_condition *c, int64_t seq, const char *type)
{
    c->met_seq = seq;
    c->met_text = strdup(type);
}

static bool take_newest(const struct db_row *row, void *arg)
{
    note_event(arg, db_row_int(row, 0), db_row_text(row, 2));
    return false;
}

/* It may have happened before the call. */
static enum um_code begin_seq(struct wait_condition *c, struct guest *g,
                              um_unused struct um_error *err)
{
    db_each(g->umld->db, DBQ_EVENT_NEWEST, take_newest, c, g->def.name, c->seq);
    return UM_OK;
}

static bool has_number(const struct wait_condition *c, int64_t seq, um_unused const char *type)
{
    return seq >= c->seq;
}

static bool has_type(const struct wait_condition *c, um_unused int64_t seq, const char *type)
{
    return event_type_fits(c->type, type);
}

static enum wait_outcome judge_event(struct wait_condition *c, um_unused const struct guest *g,
                                     um_unused struct um_error *err)
{
    return c->met_seq ? WAIT_MET : WAIT_PENDING;
}

/* ---- what it writes on its console ---- */

static enum um_code begin_console(struct wait_condition *c, struct guest *g, bool from_now,
                                  struct um_error *err)
{
    c->console = wait_console_new(g, c->pattern, from_now);
    c->pattern = NULL;
    return c->console ? UM_OK : um_fail(err, UM_E_NO_RESOURCES, "wait", NULL, "out of memory");
}

static enum um_code begin_this_boot(struct wait_condition *c, struct guest *g, struct um_error *err)
{
    return begin_console(c, g, false, err);
}

static enum um_code begin_from_now(struct wait_condition *c, struct guest *g, struct um_error *err)
{
    return begin_console(c, g, true, err);
}

static enum wait_outcome judge_console(struct wait_condition *c, const struct guest *g,
                                       struct um_error *err)
{
    const struct um_error *refusal;
    const char *line;

    wait_console_attach(c->console);
    /* Its last words are there before its end is known. */
    if (!guest_state_info(g->state)->has_process)
        wait_console_read(c->console);
    line = wait_console_line(c->console);
    if (line) {
        c->met_text = strdup(line);
        return WAIT_MET;
    }
    refusal = wait_console_refusal(c->console);
    if (!refusal)
        return unless_at_rest(c, g, err);
    *err = *refusal;
    return WAIT_MISSED;
}

/* ---- the table ---- */

static const struct wait_kind kinds[] = {
    {"ready", "ready", .role = API_ROLE_VIEWER, .judge = judge_ready},
    {"kernel", "kernel", .role = API_ROLE_VIEWER, .judge = judge_kernel},
    {"exit", "exit", .role = API_ROLE_VIEWER, .judge = judge_exit},
    {"state=", "state=STATE", true, API_ROLE_VIEWER, parse_state, .judge = judge_state},
    {"event>=", "event>=SEQ", true, API_ROLE_VIEWER, parse_seq, begin_seq, has_number, judge_event},
    {"event=", "event=TYPE", true, API_ROLE_VIEWER, parse_type, NULL, has_type, judge_event},
    {"health=", "health=ok|failing", true, API_ROLE_VIEWER, parse_health, NULL, NULL, judge_health},
    {"status=", "status=/REGEX/", true, API_ROLE_VIEWER, parse_pattern, NULL, NULL, judge_status},
    /* Who may not read a console may not guess at it either. */
    {"console=", "console=/REGEX/", true, API_ROLE_OWNER, parse_pattern, begin_this_boot, NULL,
     judge_console},
    {"console>", "console>/REGEX/", true, API_ROLE_OWNER, parse_pattern, begin_from_now, NULL,
     judge_console},
    /* Last: the bare name of a state. */
    {"", "STATE", true, API_ROLE_VIEWER, parse_state, .judge = judge_state},
};

const char *wait_condition_form(size_t index)
{
    return index < UM_ARRAY_LEN(kinds) ? kinds[index].form : NULL;
}

static const struct wait_kind *find(const char *text)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(kinds); i++)
        if (kinds[i].has_value ? um_str_starts(text, kinds[i].name)
                               : strcmp(text, kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

static enum um_code no_such_condition(const char *text, struct um_error *err)
{
    char forms[320] = "";

    for (size_t i = 0; i < UM_ARRAY_LEN(kinds); i++)
        snprintf(forms + strlen(forms), sizeof(forms) - strlen(forms), "%s%s", i ? ", " : "",
                 kinds[i].form);
    um_fail(err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no condition", text);
    return um_hint(err, "conditions are %s", forms);
}

enum um_code wait_condition_parse(const char *text, struct wait_condition *ret,
                                  struct um_error *err)
{
    const struct wait_kind *kind = find(text);
    enum um_code code = UM_OK;

    *ret = (struct wait_condition){.kind = kind};
    if (!kind->name[0] && !guest_state_from_name(text, &ret->state))
        return no_such_condition(text, err);
    ret->text = strdup(text);
    if (!ret->text)
        code = um_fail(err, UM_E_NO_RESOURCES, "wait", NULL, "out of memory");
    else if (kind->parse)
        code = kind->parse(text + strlen(kind->name), ret, err);
    if (code)
        wait_condition_done(ret);
    return code;
}

void wait_condition_done(struct wait_condition *c)
{
    wait_console_free(c->console);
    um_pattern_free(c->pattern);
    free(c->text);
    free(c->type);
    free(c->met_text);
    *c = (struct wait_condition){.kind = NULL};
}

enum api_role wait_condition_role(const struct wait_condition *c)
{
    return c->kind->role;
}

enum um_code wait_condition_begin(struct wait_condition *c, struct guest *g, struct um_error *err)
{
    c->ends = g->ends;
    return c->kind->begin ? c->kind->begin(c, g, err) : UM_OK;
}

void wait_condition_event(struct wait_condition *c, int64_t seq, const char *type)
{
    if (!c->met_seq && c->kind->is_event && c->kind->is_event(c, seq, type))
        note_event(c, seq, type);
}

enum wait_outcome wait_condition_judge(struct wait_condition *c, const struct guest *g,
                                       struct um_error *err)
{
    return c->kind->judge(c, g, err);
}
