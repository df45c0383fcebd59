#include "umld/guest_order.h"

#include "umld/network.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- walks over the graph: breadth first, each guest once, no recursion ---- */

struct visit {
    const struct guest_definition *def;
    int from; /* index of the one that depends on it; -1: where the walk began */
};

struct walk {
    struct umld *umld;
    struct visit *visits;
    int count;
    unsigned mark;
};

static bool walk_begin(struct walk *w, struct umld *umld, const struct guest_definition *def)
{
    *w = (struct walk){.umld = umld, .count = 1, .mark = ++umld->order_mark};
    w->visits = calloc((size_t)guest_count(umld) + 1, sizeof(*w->visits));
    if (w->visits)
        w->visits[0] = (struct visit){def, -1};
    return w->visits != NULL;
}

static void walk_add(struct walk *w, struct guest *g, int from)
{
    if (g->order_mark == w->mark)
        return;
    g->order_mark = w->mark;
    w->visits[w->count++] = (struct visit){&g->def, from};
}

static enum um_code no_memory(struct um_error *err, const struct guest_definition *def)
{
    return um_fail(err, UM_E_NO_RESOURCES, def->name, NULL, "out of memory");
}

/* `web -> db -> dns -> web`, from the visit whose definition names the first again. */
static void name_circle(struct walk *w, int last, struct um_buf *b)
{
    int next = -1;

    /* Turn the way back from there into the way there. */
    for (int i = last; i >= 0;) {
        int from = w->visits[i].from;

        w->visits[i].from = next;
        next = i;
        i = from;
    }
    for (; next >= 0; next = w->visits[next].from)
        um_buf_printf(b, "%s -> ", w->visits[next].def->name);
    um_buf_puts(b, w->visits[0].def->name);
}

static enum um_code circle(struct walk *w, int last, struct um_error *err)
{
    struct um_buf path = UM_BUF_INIT;
    char object[96];

    snprintf(object, sizeof(object), "guest \"%s\"", w->visits[0].def->name);
    name_circle(w, last, &path);
    um_fail(err, UM_E_INVALID, object, "depends", "would wait for itself: %s",
            path.data ? path.data : "");
    um_buf_done(&path);
    return um_hint(err, "leave one of them out: umlctl config GUEST depends=NAME,...");
}

enum um_code guest_order_check(struct umld *umld, const struct guest_definition *def,
                               struct um_error *err)
{
    enum um_code code = UM_OK;
    struct walk w;

    if (!def->depends.n)
        return UM_OK;
    if (!walk_begin(&w, umld, def))
        return no_memory(err, def);
    for (int i = 0; !code && i < w.count; i++) {
        const struct um_strv *names = &w.visits[i].def->depends;

        for (size_t n = 0; !code && n < names->n; n++) {
            struct guest *g = guest_find(umld, names->v[n]);

            if (strcmp(names->v[n], def->name) == 0)
                code = circle(&w, i, err);
            else if (g)
                walk_add(&w, g, i);
        }
    }
    free(w.visits);
    return code;
}

void guest_order_warn(struct umld *umld, const struct guest_definition *def, json_t *list)
{
    for (size_t i = 0; i < def->depends.n; i++)
        if (!guest_find(umld, def->depends.v[i]))
            json_array_append_new(list,
                                  json_sprintf("it depends on \"%s\", which is not defined: it "
                                               "cannot be started before that is",
                                               def->depends.v[i]));
}

static bool is_ready(const struct guest *g)
{
    return g->ready && g->state == GUEST_RUNNING;
}

static enum um_code undefined(const char *guest, const char *name, struct um_error *err)
{
    char object[96];

    snprintf(object, sizeof(object), "guest \"%s\"", guest);
    um_fail(err, UM_E_BAD_CONFIG, object, "depends", "it depends on \"%s\", which is not defined",
            name);
    return um_hint(err, "define %s, or leave it out: umlctl config %s depends=NAME,...", name,
                   guest);
}

enum um_code guest_order_known(const struct guest *g, struct um_error *err)
{
    enum um_code code = UM_OK;
    struct walk w;

    if (!g->def.depends.n)
        return UM_OK;
    if (!walk_begin(&w, g->umld, &g->def))
        return no_memory(err, &g->def);
    for (int i = 0; !code && i < w.count; i++) {
        const struct guest_definition *def = w.visits[i].def;

        for (size_t n = 0; !code && n < def->depends.n; n++) {
            struct guest *next = guest_find(g->umld, def->depends.v[n]);

            if (!next)
                code = undefined(def->name, def->depends.v[n], err);
            else if (!is_ready(next))
                walk_add(&w, next, i);
        }
    }
    free(w.visits);
    return code;
}

int guest_order_needed_by(const struct guest *g, char *names, size_t size)
{
    int count = 0;

    names[0] = '\0';
    for (int i = 0; i < guest_count(g->umld); i++) {
        const struct guest *other = guest_list(g->umld, i);
        size_t used = strlen(names);

        if (other->removed || !um_strv_contains(&other->def.depends, g->def.name))
            continue;
        if (used + strlen(other->def.name) + sizeof(", ...") < size)
            snprintf(names + used, size - used, "%s%s", count ? ", " : "", other->def.name);
        else if (used && names[used - 1] != '.')
            snprintf(names + used, size - used, ", ...");
        count++;
    }
    return count;
}

/* ---- a start that waits ---- */

static void pull_up(struct guest *g, struct guest *needed)
{
    char by[80];

    if (needed->want_up || (needed->state == GUEST_FAILED && !g->insists))
        return;
    um_log(UM_LOG_INFO, "guest %s: starts because %s depends on it", needed->def.name, g->def.name);
    needed->insists = g->insists;
    snprintf(by, sizeof(by), "guest %s", g->def.name);
    guest_ask(needed, GUEST_U_START, by);
}

/* Nobody is going to make it ready. */
static bool is_lost(const struct guest *needed)
{
    return needed->state == GUEST_FAILED || (needed->state == GUEST_STOPPED && !needed->want_up);
}

static enum um_code lost(const struct guest *g, const struct guest *needed, struct um_error *err)
{
    char object[96];

    um_fail(err, UM_E_WRONG_STATE, guest_object(g, object, sizeof(object)), "depends",
            "%s, which it depends on, %s%s%s", needed->def.name,
            needed->state == GUEST_FAILED ? "failed" : "was stopped", needed->cause ? ": " : "",
            needed->cause ? needed->cause : "");
    return um_hint(err, "see: umlctl status %s; then: umlctl start %s", needed->def.name,
                   g->def.name);
}

static void tell_waiting(struct guest *g, const char *names)
{
    if (!g->waits) {
        g->waits = true;
        g->umld->order_waiting++;
        guest_slot_release(g);
        um_timer_arm(g->limit, settings_int(g->umld, SETTING_DEPEND_SECONDS) * UM_SEC_NS);
        um_log(UM_LOG_INFO, "guest %s: waits for %s", g->def.name, names);
    }
    guest_set_doing(g, "waits for %s", names);
}

static void go_on(struct guest *g)
{
    if (!g->waits)
        return;
    guest_order_forget(g);
    um_timer_arm(g->limit, guest_state_info(GUEST_PREPARING)->timeout_ms * UM_MS_NS);
    um_log(UM_LOG_INFO, "guest %s: all it depends on is ready", g->def.name);
}

/* Networks are not started for it: they run as long as they exist. */
static enum um_code look_at_networks(const struct guest *g, char *names, size_t size,
                                     struct um_error *err)
{
    char why[320], object[96];
    size_t used = strlen(names);
    bool is_lost;
    const char *name = network_missing(g, why, sizeof(why), &is_lost);

    if (!name)
        return UM_OK;
    if (!is_lost) {
        snprintf(names + used, size - used, "%snetwork %s (%s)", used ? ", " : "", name, why);
        return UM_OK;
    }
    um_fail(err, UM_E_WRONG_STATE, guest_object(g, object, sizeof(object)), "devices",
            "its network %s: %s", name, why);
    return um_hint(err, "see: umlctl net show %s; then: umlctl net restart %s", name, name);
}

bool guest_order_met(struct guest *g)
{
    bool first = !g->looked;
    char names[640] = "";
    struct um_error err;
    enum um_code code = UM_OK;

    g->looked = true;
    for (size_t i = 0; !code && i < g->def.depends.n; i++) {
        struct guest *needed = guest_find(g->umld, g->def.depends.v[i]);
        size_t used = strlen(names);

        if (needed && is_ready(needed))
            continue;
        if (needed && first)
            pull_up(g, needed);
        if (!needed)
            code = undefined(g->def.name, g->def.depends.v[i], &err);
        else if (is_lost(needed) && !needed->inbox_count) /* what it was just told comes first */
            code = lost(g, needed, &err);
        else
            snprintf(names + used, sizeof(names) - used, "%s%s (%s)", used ? ", " : "",
                     needed->def.name, guest_state_info(needed->state)->name);
    }
    g->insists = false;
    if (!code)
        code = look_at_networks(g, names, sizeof(names), &err);
    if (code) {
        guest_order_forget(g);
        guest_prepare_failed(g, &err);
    } else if (names[0]) {
        tell_waiting(g, names);
    } else {
        go_on(g);
    }
    return !code && !names[0];
}

void guest_order_give_up(struct guest *g)
{
    struct um_error err;
    char object[96];

    um_fail(&err, UM_E_TIMEOUT, guest_object(g, object, sizeof(object)), "depends",
            "what it depends on was not ready after %lld s: %s",
            (long long)settings_int(g->umld, SETTING_DEPEND_SECONDS), g->doing ? g->doing : "");
    um_hint(&err, "the limit is a setting: umlctl settings depend-seconds=N");
    guest_order_forget(g);
    guest_prepare_failed(g, &err);
}

void guest_order_forget(struct guest *g)
{
    g->umld->order_waiting -= g->waits;
    g->waits = false;
}

void guest_order_changed(const struct guest *g)
{
    for (int i = 0; g->umld->order_waiting > 0 && i < guest_count(g->umld); i++) {
        struct guest *other = guest_list(g->umld, i);

        if (other->waits && um_strv_contains(&other->def.depends, g->def.name))
            guest_effect(other, EFFECT_PREPARE);
    }
}

void guest_order_defined(struct guest *g)
{
    if (g->waits)
        guest_effect(g, EFFECT_PREPARE);
}
