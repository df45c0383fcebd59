#include "umld/events.h"

#include "umld/db.h"
#include "umld/guest.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_SLACK = 1000, /* so many more are let be: pruning is not worth it for a few */
    PRUNE_STEP = 1000,   /* rows removed in one round of the loop */
    AGE_CHECK_SECONDS = 3600
};

struct events {
    struct umld *umld;
    int64_t first, last;
    struct um_timer *prune; /* the next step, or the next look at their age */
};

static bool take_bounds(const struct db_row *row, void *arg)
{
    struct events *events = arg;

    events->first = db_row_int(row, 0);
    events->last = db_row_int(row, 1);
    return false;
}

static bool take_time(const struct db_row *row, void *arg)
{
    *(int64_t *)arg = db_row_int(row, 0);
    return false;
}

int64_t events_at(const struct events *events, int64_t wall_ns)
{
    int64_t low = events->first, high = events->last + 1;

    while (low < high) {
        int64_t middle = low + (high - low) / 2, time = 0;

        db_each(events->umld->db, DBQ_EVENT_TIME, take_time, &time, middle);
        if (time < wall_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Up to and with which the limits say that events go. */
static int64_t surplus(const struct events *events)
{
    int64_t days = settings_int(events->umld, SETTING_EVENT_DAYS);
    int64_t by_count = events->last - settings_int(events->umld, SETTING_EVENTS), by_age = 0;

    if (days > 0)
        by_age = events_at(events, um_clock_wall_ns() - days * 86400 * UM_SEC_NS) - 1;
    return by_count > by_age ? by_count : by_age;
}

static void prune_step(void *arg)
{
    struct events *events = arg;
    int64_t until = surplus(events), step = events->first - 1 + PRUNE_STEP;
    bool more = until > step;

    if (until >= events->first) {
        until = more ? step : until;
        if (db_run(events->umld->db, DBQ_EVENT_PRUNE, until))
            events->first = until + 1;
    }
    um_timer_arm(events->prune, more ? 0 : AGE_CHECK_SECONDS * UM_SEC_NS);
}

void events_limits_changed(struct events *events)
{
    um_timer_arm(events->prune, 0);
}

struct events *events_new(struct umld *umld)
{
    struct events *events = calloc(1, sizeof(*events));

    if (!events)
        return NULL;
    events->umld = umld;
    events->prune = um_timer_new(umld->loop, prune_step, events);
    if (!events->prune) {
        free(events);
        return NULL;
    }
    db_each(umld->db, DBQ_EVENT_BOUNDS, take_bounds, events);
    if (events->first == 0)
        events->first = events->last + 1;
    events_limits_changed(events);
    return events;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    um_timer_free(events->prune);
    free(events);
}

/* A guest may have chosen the text: bounded, and never what JSON cannot hold. */
static json_t *value_json(const char *value)
{
    char cut[EVENT_VALUE_MAX + 1];
    size_t len = strlen(value);
    json_t *json;

    if (len > EVENT_VALUE_MAX) {
        len = EVENT_VALUE_MAX - 3;
        while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
            len--; /* not within a character */
        snprintf(cut, sizeof(cut), "%.*s...", (int)len, value);
        value = cut;
        len += 3;
    }
    json = json_stringn(value, len);
    if (json)
        return json;
    if (value != cut)
        snprintf(cut, sizeof(cut), "%s", value);
    um_str_make_plain(cut, len);
    return json_stringn(cut, len);
}

void events_emit(struct umld *umld, const char *type, const char *object, ...)
{
    struct events *events = umld->events;
    json_t *data = json_object();
    const char *key;
    char *text;
    va_list ap;

    va_start(ap, object);
    while ((key = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);

        json_object_set_new(data, key, value_json(value ? value : ""));
    }
    va_end(ap);
    text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(data);
    /* The number is chosen here, so that a transaction that has to be repeated keeps it. */
    if (db_run(umld->db, DBQ_EVENT_INSERT, events->last + 1, um_clock_wall_ns(), type, object,
               text ? text : "{}")) {
        events->last++;
        guest_event_seen(umld, object, events->last, type);
    }
    free(text);
    if (events->last - events->first >= settings_int(umld, SETTING_EVENTS) + EVENTS_SLACK)
        um_timer_arm(events->prune, 0);
}

int64_t events_first(const struct events *events)
{
    return events->first;
}

int64_t events_last(const struct events *events)
{
    return events->last;
}
