#include "umld/events.h"

#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/db.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_KEEP = 100000, /* rows kept */
    EVENTS_SLACK = 1000,  /* pruned in steps of this many */
    EVENTS_BATCH = 256,   /* rows sent to one subscriber per round */
    SUBSCRIBERS_MAX = 256,
    SUBSCRIBERS_PER_UID = 32
};

struct subscriber {
    uint64_t call_id;
    uid_t uid;
    int64_t sent; /* last sequence number looked at */
    bool follow;
    bool blocked; /* its socket is full: wait for the drain callback */
    char *guest;
    json_t *types; /* array of names, or NULL */
    struct subscriber *next;
};

struct events {
    struct umld *umld;
    int64_t first, last;
    struct subscriber *subscribers;
    int subscriber_count;
    struct um_timer *again; /* more to send: in the next round, so that others have their turn */
};

static bool take_bounds(const struct db_row *row, void *arg)
{
    struct events *events = arg;

    events->first = db_row_int(row, 0);
    events->last = db_row_int(row, 1);
    return false;
}

static void next_round(um_unused void *arg)
{
    /* The after-phase that follows feeds the subscribers. */
}

struct events *events_new(struct umld *umld)
{
    struct events *events = calloc(1, sizeof(*events));

    if (!events)
        return NULL;
    events->umld = umld;
    events->again = um_timer_new(umld->loop, next_round, NULL);
    if (!events->again) {
        free(events);
        return NULL;
    }
    db_each(umld->db, DBQ_EVENT_BOUNDS, take_bounds, events);
    if (events->first == 0)
        events->first = events->last + 1;
    return events;
}

static void subscriber_free(struct subscriber *s)
{
    free(s->guest);
    json_decref(s->types);
    free(s);
}

void events_free(struct events *events)
{
    if (!events)
        return;
    while (events->subscribers) {
        struct subscriber *s = events->subscribers;

        events->subscribers = s->next;
        subscriber_free(s);
    }
    um_timer_free(events->again);
    free(events);
}

static void prune(struct events *events)
{
    if (events->last - events->first < EVENTS_KEEP + EVENTS_SLACK)
        return;
    events->first = events->last - EVENTS_KEEP + 1;
    db_run(events->umld->db, DBQ_EVENT_PRUNE, events->first - 1);
}

void events_emit(struct umld *umld, const char *type, const char *object, ...)
{
    json_t *data = json_object();
    const char *key;
    char *text;
    va_list ap;

    va_start(ap, object);
    while ((key = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);

        json_object_set_new(data, key,
                            json_stringn_nocheck(value ? value : "", strlen(value ? value : "")));
    }
    va_end(ap);
    text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(data);
    /* The number is chosen here, so that a transaction that has to be repeated keeps it. */
    if (db_run(umld->db, DBQ_EVENT_INSERT, umld->events->last + 1, um_clock_wall_ns(), type, object,
               text ? text : "{}"))
        umld->events->last++;
    free(text);
    prune(umld->events);
}

int64_t events_last(const struct events *events)
{
    return events->last;
}

static bool wanted(const struct subscriber *s, const char *type, const char *object)
{
    size_t i;
    json_t *t;

    if (s->guest && strcmp(s->guest, object) != 0)
        return false;
    if (!s->types)
        return true;
    json_array_foreach(s->types, i, t) if (strcmp(json_string_value(t), type) == 0) return true;
    return false;
}

struct feed {
    struct subscriber *subscriber;
    struct api_call *call;
};

static bool send_row(const struct db_row *row, void *arg)
{
    struct feed *f = arg;
    struct subscriber *s = f->subscriber;
    int64_t seq = db_row_int(row, 0);
    char when[UM_CLOCK_TEXT_SIZE];
    json_t *data;

    if (wanted(s, db_row_text(row, 2), db_row_text(row, 3))) {
        data = json_loads(db_row_text(row, 4), 0, NULL);
        if (!api_reply_continue(
                f->call,
                json_pack("{s:{s:I,s:s,s:s,s:s,s:o}}", "event", "seq", (json_int_t)seq, "time",
                          um_clock_rfc3339(db_row_int(row, 1), when), "type", db_row_text(row, 2),
                          "object", db_row_text(row, 3), "data", data ? data : json_object()))) {
            s->blocked = true;
            return false;
        }
    }
    s->sent = seq;
    return true;
}

static void on_drain(um_unused struct api_call *call, void *arg)
{
    struct subscriber *s = arg;

    s->blocked = false;
}

/* What was pruned before it could be sent is said, never skipped silently. */
static bool report_lost(struct events *events, struct feed *f)
{
    struct subscriber *s = f->subscriber;

    if (s->sent + 1 >= events->first)
        return true;
    if (!api_reply_continue(f->call,
                            json_pack("{s:{s:I,s:I}}", "lost", "from", (json_int_t)s->sent + 1,
                                      "to", (json_int_t)events->first - 1))) {
        s->blocked = true;
        return false;
    }
    s->sent = events->first - 1;
    return true;
}

/* True: keep the subscriber. */
static bool feed_one(struct events *events, struct subscriber *s, bool *ret_more)
{
    struct feed f = {.subscriber = s, .call = api_call_find(events->umld->server, s->call_id)};
    int rows = 1;

    if (!f.call)
        return false;
    if (!s->blocked && s->sent < events->last && report_lost(events, &f))
        rows = db_each(events->umld->db, DBQ_EVENT_RANGE, send_row, &f, s->sent, events->last,
                       (int64_t)EVENTS_BATCH);
    if (rows < 0) /* logged; again with the next event */
        return true;
    if (rows == 0) /* rows that are not there will not come */
        s->sent = events->last;
    if (!s->blocked && s->sent < events->last) {
        *ret_more = true;
        return true;
    }
    if (!s->follow && s->sent >= events->last) {
        api_reply(f.call, NULL);
        return false;
    }
    return true;
}

void events_after(struct events *events)
{
    struct subscriber **link = &events->subscribers;
    bool more = false;

    while (*link) {
        struct subscriber *s = *link;

        if (feed_one(events, s, &more)) {
            link = &s->next;
        } else {
            *link = s->next;
            events->subscriber_count--;
            subscriber_free(s);
        }
    }
    if (more)
        um_timer_arm(events->again, 0);
}

/* No user may take all the places. */
static bool room_for(const struct events *events, uid_t uid)
{
    int own = 0;

    for (const struct subscriber *s = events->subscribers; s; s = s->next)
        own += s->uid == uid;
    return events->subscriber_count < SUBSCRIBERS_MAX && own < SUBSCRIBERS_PER_UID;
}

void api_server_subscribe(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct events *events = umld->events;
    const char *guest = json_string_value(json_object_get(params, "guest"));
    struct um_error err;
    struct subscriber *s;

    if (!api_call_more(call)) {
        um_fail(&err, UM_E_INVALID, "io.umld.Server.Subscribe", "more", "gives several replies");
        um_hint(&err, "set \"more\": true in the call");
        api_reply_error(call, &err);
        return;
    }
    s = room_for(events, api_call_uid(call)) ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        um_fail(&err, UM_E_NO_RESOURCES, "events", NULL,
                "enough subscribers are connected already");
        um_hint(&err, "%d in all and %d of one user are served at the same time", SUBSCRIBERS_MAX,
                SUBSCRIBERS_PER_UID);
        api_reply_error(call, &err);
        return;
    }
    s->call_id = api_call_id(call);
    s->uid = api_call_uid(call);
    s->follow = params_flag(params, "follow");
    s->sent = params_int(params, "since", events->last);
    s->guest = guest ? strdup(guest) : NULL;
    if (json_is_array(json_object_get(params, "types")))
        s->types = json_deep_copy(json_object_get(params, "types"));
    api_call_on_drain(call, on_drain, s);
    s->next = events->subscribers;
    events->subscribers = s;
    events->subscriber_count++;
}
