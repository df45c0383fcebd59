/*
 * io.umld.Server.Metrics: what is measured, as families of samples. umld's own metrics are rows of
 * a table; what guests say of themselves (METRIC name value) is put behind `guest_`, so that none
 * of them can be taken for one of umld's.
 */
#include "mconsole/signals.h"
#include "schemas/api_rows.h"
#include "umld/events.h"
#include "umld/guest.h"
#include "umld/json_text.h"
#include "umld/network_private.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The guests asked for. */
struct chosen {
    struct guest **list;
    size_t count;
};

/* ---- one sample for each guest ---- */

static bool value_ready(const struct guest *g, double *ret)
{
    *ret = g->ready;
    return true;
}

static bool value_health(const struct guest *g, double *ret)
{
    *ret = guest_health_is(g, HEALTH_OK);
    return guest_health_is(g, HEALTH_OK) || guest_health_is(g, HEALTH_FAILING);
}

static bool value_responsive(const struct guest *g, double *ret)
{
    *ret = g->watch.state != WATCH_HUNG;
    return g->watch.state != WATCH_OFF;
}

static bool value_uptime(const struct guest *g, double *ret)
{
    *ret = (double)(um_clock_wall_ns() - g->start_ns) / (double)UM_SEC_NS;
    return guest_state_info(g->state)->has_process && g->start_ns > 0;
}

static bool value_boot(const struct guest *g, double *ret)
{
    *ret = (double)g->boot;
    return true;
}

static bool value_restarts(const struct guest *g, double *ret)
{
    *ret = g->restarts;
    return true;
}

static bool value_dropped(const struct guest *g, double *ret)
{
    *ret = (double)guest_signals_dropped(g);
    return guest_state_info(g->state)->has_process;
}

static bool value_bad(const struct guest *g, double *ret)
{
    *ret = g->signals.bad;
    return guest_state_info(g->state)->has_process;
}

static const struct guest_row {
    const char *name, *type, *help;
    bool (*value)(const struct guest *g, double *ret); /* false: there is none now */
} guest_rows[] = {
    {"umld_guest_ready", "gauge", "1 when the guest is ready", value_ready},
    {"umld_guest_health", "gauge", "1 when it says it is well, 0 when it says it is failing",
     value_health},
    {"umld_guest_responsive", "gauge", "0 when its kernel hangs", value_responsive},
    {"umld_guest_uptime_seconds", "gauge", "time since its kernel was started", value_uptime},
    {"umld_guest_boot_number", "gauge", "number of its present or last boot", value_boot},
    {"umld_guest_restarts_total", "counter", "starts by its policy", value_restarts},
    {"umld_guest_notify_dropped_total", "counter",
     "notifications that were too many, or not the guest's", value_dropped},
    {"umld_guest_notify_bad_total", "counter", "lines that could not be understood", value_bad},
};

/* ---- writing ---- */

static void open_family(struct um_buf *b, const char *name, const char *type, const char *help)
{
    json_text_open(b, '{');
    json_text_set_string(b, "name", name);
    json_text_set_string(b, "type", type);
    json_text_set_string(b, "help", help);
    json_text_key(b, "samples", strlen("samples"));
    json_text_open(b, '[');
}

static void close_family(struct um_buf *b)
{
    json_text_close(b, ']');
    json_text_close(b, '}');
}

/* label NULL: none. */
static void put_sample(struct um_buf *b, const char *label, const char *text, double value)
{
    json_text_open(b, '{');
    json_text_key(b, "labels", strlen("labels"));
    json_text_open(b, '{');
    if (label)
        json_text_set_string(b, label, text);
    json_text_close(b, '}');
    json_text_key(b, "value", strlen("value"));
    json_text_real(b, value);
    json_text_close(b, '}');
}

static void put_guest_rows(struct um_buf *b, const struct chosen *c)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(guest_rows); i++) {
        const struct guest_row *r = &guest_rows[i];
        double value;

        open_family(b, r->name, r->type, r->help);
        for (size_t k = 0; k < c->count; k++)
            if (r->value(c->list[k], &value))
                put_sample(b, "guest", c->list[k]->def.name, value);
        close_family(b);
    }
}

static void count_states(struct guest *g, void *arg)
{
    unsigned *counts = arg;

    counts[g->state]++;
}

static void put_networks(struct umld *umld, struct um_buf *b)
{
    open_family(b, "umld_network_up", "gauge", "1 when the network's umlnetd takes links");
    for (const struct network *n = umld->networks->list; n; n = n->next)
        put_sample(b, "network", n->def.name, n->state == NETWORK_RUNNING);
    close_family(b);
    open_family(b, "umld_network_restarts_total", "counter",
                "starts of the network's umlnetd that nobody asked for, since umld began");
    for (const struct network *n = umld->networks->list; n; n = n->next)
        put_sample(b, "network", n->def.name, n->restarts);
    close_family(b);
}

static void put_host(struct umld *umld, struct um_buf *b)
{
    unsigned counts[GUEST_STATE_COUNT] = {0};

    open_family(b, "umld_info", "gauge", "1, with the version as a label");
    put_sample(b, "version", UMLD_VERSION, 1);
    close_family(b);
    guest_each(umld, count_states, counts);
    open_family(b, "umld_guests", "gauge", "guests by state");
    for (int i = 0; i < GUEST_STATE_COUNT; i++)
        put_sample(b, "state", guest_state_info((enum guest_state)i)->name, counts[i]);
    close_family(b);
    put_networks(umld, b);
    open_family(b, "umld_events_total", "counter", "sequence number of the last event");
    put_sample(b, NULL, NULL, (double)events_last(umld->events));
    close_family(b);
    open_family(b, "umld_pings_total", "counter",
                "mconsole pings sent to see whether guests answer");
    put_sample(b, NULL, NULL, (double)umld->pings);
    close_family(b);
}

/* ---- what guests say ---- */

struct told {
    const char *name, *guest;
    double value;
};

static int by_name(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : strcmp(x->guest, y->guest);
}

static bool put_told(struct um_buf *b, const struct chosen *c)
{
    size_t count = 0, n = 0;
    struct told *all;

    for (size_t i = 0; i < c->count; i++)
        count += c->list[i]->signals.metric_count;
    all = calloc(count + 1, sizeof(*all));
    if (!all)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        const struct guest *g = c->list[i];

        for (size_t k = 0; k < g->signals.metric_count && guest_state_info(g->state)->has_process;
             k++)
            all[n++] =
                (struct told){g->signals.metrics[k].name, g->def.name, g->signals.metrics[k].value};
    }
    qsort(all, n, sizeof(*all), by_name);
    for (size_t i = 0; i < n; i++) {
        char name[MCONSOLE_METRIC_NAME_MAX + 16];

        if (i == 0 || strcmp(all[i].name, all[i - 1].name) != 0) {
            snprintf(name, sizeof(name), "guest_%s", all[i].name);
            open_family(b, name, "untyped", "as told by guests");
        }
        put_sample(b, "guest", all[i].guest, all[i].value);
        if (i + 1 == n || strcmp(all[i].name, all[i + 1].name) != 0)
            close_family(b);
    }
    free(all);
    return true;
}

/* ---- the call ---- */

static void add_guest(struct guest *g, void *arg)
{
    struct chosen *c = arg;

    c->list[c->count++] = g;
}

/* names NULL: all. False after the error. */
static bool choose(struct umld *umld, const json_t *names, struct chosen *c, struct um_error *err)
{
    const json_t *name;
    char object[96];
    size_t i;

    c->list =
        calloc((size_t)guest_count(umld) + json_array_size(names) + 1, sizeof(struct guest *));
    if (!c->list) {
        um_fail(err, UM_E_NO_RESOURCES, "metrics", NULL, "out of memory");
        return false;
    }
    if (!json_is_array(names))
        guest_each(umld, add_guest, c);
    json_array_foreach(names, i, name)
    {
        struct guest *g = guest_find(umld, json_string_value(name));

        if (!g) {
            snprintf(object, sizeof(object), "guest \"%.63s\"", json_string_value(name));
            um_fail(err, UM_E_NOT_FOUND, object, "guests", "there is no such guest");
            um_hint(err, "see: umlctl list");
            return false;
        }
        add_guest(g, c);
    }
    return true;
}

void api_server_metrics(struct umld *umld, struct api_call *call, const json_t *params)
{
    const json_t *names = json_object_get(params, "guests");
    struct um_error err = UM_ERROR_INIT;
    struct um_buf b = UM_BUF_INIT;
    struct chosen c = {.count = 0};
    bool ok = choose(umld, names, &c, &err);

    if (ok) {
        um_buf_puts(&b, "{\"metrics\":[");
        if (!json_is_array(names))
            put_host(umld, &b);
        put_guest_rows(&b, &c);
        ok = put_told(&b, &c);
        um_buf_puts(&b, "]}");
        if (!ok)
            um_fail(&err, UM_E_NO_RESOURCES, "metrics", NULL, "out of memory");
    }
    free(c.list);
    if (ok)
        api_reply_text(call, &b);
    else
        api_reply_error(call, &err);
    um_buf_done(&b);
}
