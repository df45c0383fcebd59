/*
 * io.umld.Guest.Config: what is stored beside what the running kernel has. Each disk and line is
 * asked about in turn, on the lane for questions; what umld knows of the rest (memory, directories)
 * it says itself. A kernel that once does not answer is asked no more.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTION_MS = 2000, DEVICES_MAX = 128, VALUE_MAX = 600 };

struct row {
    char name[32], stored[VALUE_MAX], now[VALUE_MAX], shown[LIVE_SPEC_MAX], live[VALUE_MAX];
    bool ask, known; /* known: live is what the kernel has, empty: nothing */
};

struct query {
    struct umld *umld;
    uint64_t call;
    int64_t guest;
    char *only; /* NULL: all */
    size_t count, at;
    struct row rows[DEVICES_MAX];
};

static struct row *find_row(struct query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->rows[i].name, name) == 0)
            return &q->rows[i];
    return NULL;
}

static struct row *row_of(struct query *q, const char *name)
{
    struct row *found = find_row(q, name);

    if (found || q->count == DEVICES_MAX)
        return found;
    snprintf(q->rows[q->count].name, sizeof(q->rows[0].name), "%s", name);
    return &q->rows[q->count++];
}

static void take(struct query *q, const struct guest_definition *d, bool now)
{
    char name[32];

    for (size_t i = 0; i < d->device_count; i++) {
        struct row *r;

        device_name(&d->devices[i], name, sizeof(name));
        if ((q->only && strcmp(q->only, name) != 0) || !(r = row_of(q, name)))
            continue;
        snprintf(now ? r->now : r->stored, VALUE_MAX, "%s", d->devices[i].text);
    }
}

/* What the kernel is going to answer, if it has what umld gave it. */
static bool expect(struct query *q, struct guest *g)
{
    struct live_plan *p = calloc(1, sizeof(*p));
    struct guest_definition none = GUEST_DEFINITION_INIT;
    bool ok = p && live_plan_make(g, &none, &g->live->now, NULL, p);

    for (size_t i = 0; ok && i < p->count; i++) {
        const struct live_item *it = &p->items[i];
        struct row *r = find_row(q, it->name);

        if (!r)
            continue;
        r->ask = it->index >= 0 && it->kind != DEVICE_SHARE;
        r->known = !r->ask;
        snprintf(r->shown, sizeof(r->shown), "%s", it->fresh.shown);
        snprintf(r->live, sizeof(r->live), "%s", r->now);
    }
    live_plan_done(p);
    free(p);
    return ok;
}

static json_t *row_json(const struct row *r)
{
    bool live = r->known && r->live[0], stored = r->stored[0];
    const char *where = !live ? "stored" : !stored ? "live" : "both";
    json_t *json;

    if (stored && r->known && (live ? strcmp(r->live, r->stored) != 0 : r->now[0] != '\0'))
        where = "differs";
    json = json_pack("{s:s,s:s,s:s}", "device", r->name, "value", stored ? r->stored : r->live,
                     "where", where);
    if (live)
        json_object_set_new(json, "live", json_string(r->live));
    return json;
}

/* What is no device: only stored. */
static void add_keys(struct query *q, const struct guest *g, json_t *values)
{
    json_t *words = json_array(), *word;
    size_t i;

    guest_definition_words(&g->def, q->only, words);
    json_array_foreach(words, i, word)
    {
        if (!find_row(q, json_string_value(json_object_get(word, "device"))))
            json_array_append(values, word);
    }
    json_decref(words);
}

static void free_query(struct query *q)
{
    free(q->only);
    free(q);
}

static enum um_code nothing_there(const struct guest *g, const char *only, struct um_error *err)
{
    char object[96];

    um_fail(err, UM_E_NOT_FOUND, guest_object(g, object, sizeof(object)), "device",
            "it has no device or key \"%.40s\"", only);
    return um_hint(err, "see: umlctl config %s", g->def.name);
}

static void answer(struct query *q)
{
    struct api_call *call = api_call_find(q->umld->server, q->call);
    const struct guest *g = guest_by_id(q->umld, q->guest);
    json_t *values = json_array();
    struct um_error err;

    for (size_t i = 0; i < q->count; i++)
        if (q->rows[i].stored[0] || (q->rows[i].known && q->rows[i].live[0]))
            json_array_append_new(values, row_json(&q->rows[i]));
    if (g)
        add_keys(q, g, values);
    if (call && g && q->only && !json_array_size(values)) {
        (void)nothing_there(g, q->only, &err);
        api_reply_error(call, &err);
    } else if (call) {
        api_reply(call, json_pack("{s:O}", "values", values));
    }
    json_decref(values);
    free_query(q);
}

static void next(struct query *q);

static void answered(enum um_code code, int32_t status, const char *text, um_unused size_t len,
                     void *arg)
{
    struct query *q = arg;
    struct row *r = &q->rows[q->at];
    size_t first = strcspn(text, ",\n");
    char name[32];

    if (code && !(code == UM_E_GUEST_ERROR && status)) {
        answer(q);
        return;
    }
    r->known = status == 0;
    if (strlen(r->shown) != first || strncmp(r->shown, text, first) != 0) {
        memcpy(name, r->name, sizeof(name));
        if (text[0])
            snprintf(r->live, sizeof(r->live), "%s=%.400s", name, text);
        else
            r->live[0] = '\0';
        um_str_make_utf8(r->live, strlen(r->live));
    }
    q->at++;
    next(q);
}

static void next(struct query *q)
{
    struct guest *g = guest_by_id(q->umld, q->guest);
    struct um_error err;
    char command[64];

    while (q->at < q->count && !q->rows[q->at].ask)
        q->at++;
    if (q->at < q->count && g) {
        snprintf(command, sizeof(command), "config %s", q->rows[q->at].name);
        if (!guest_mconsole(g, MCONSOLE_CONFIG, command, QUESTION_MS, 0, answered, q, &err))
            return;
    }
    answer(q);
}

void api_guest_config(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *only = params_text(params, "device", NULL);
    struct query *q;
    struct um_error err;

    if (!g)
        return;
    q = calloc(1, sizeof(*q));
    if (!q || (only && !(q->only = strdup(only)))) {
        free(q);
        um_fail(&err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
        api_reply_error(call, &err);
        return;
    }
    q->umld = umld;
    q->call = api_call_id(call);
    q->guest = g->id;
    take(q, &g->def, false);
    if (g->live)
        take(q, &g->live->now, true);
    if (g->live && g->state == GUEST_RUNNING && expect(q, g))
        next(q);
    else
        answer(q);
}
