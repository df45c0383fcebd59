#include "umld/event_feed.h"

#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/db.h"
#include "umld/event_filter.h"
#include "umld/events.h"
#include "vmcore/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCAN_MAX = 2048, /* rows looked at for one subscriber in a round */
    SEND_MAX = 256,  /* and sent */
    MARK_EVERY =
        1000, /* unwanted events until a reader that asked for marks is told how far it is */
    SUBSCRIBERS_MAX = 256,
    SUBSCRIBERS_PER_UID = 32
};

struct subscriber {
    uint64_t call_id;
    uid_t uid;
    int64_t sent; /* last sequence number looked at */
    int64_t told; /* the same as far as the reader knows it */
    bool follow, marks;
    bool blocked; /* its socket is full: wait for the drain callback */
    struct event_filter filter;
    struct subscriber *next;
};

struct event_feed {
    struct umld *umld;
    struct subscriber *subscribers;
    int count;
    struct um_timer *again; /* more to send: in the next round, so that others have their turn */
};

static void next_round(um_unused void *arg)
{
    /* The after-phase that follows feeds the subscribers. */
}

struct event_feed *event_feed_new(struct umld *umld)
{
    struct event_feed *feed = calloc(1, sizeof(*feed));

    if (!feed)
        return NULL;
    feed->umld = umld;
    feed->again = um_timer_new(umld->loop, next_round, NULL);
    if (!feed->again) {
        free(feed);
        return NULL;
    }
    return feed;
}

static void subscriber_free(struct subscriber *s)
{
    event_filter_done(&s->filter);
    free(s);
}

void event_feed_free(struct event_feed *feed)
{
    if (!feed)
        return;
    while (feed->subscribers) {
        struct subscriber *s = feed->subscribers;

        feed->subscribers = s->next;
        subscriber_free(s);
    }
    um_timer_free(feed->again);
    free(feed);
}

/* One turn of one subscriber. */
struct turn {
    struct subscriber *subscriber;
    struct api_call *call;
    int sent;
};

/* params is stolen. False: the socket is full, nothing was sent. seq: up to which this tells. */
static bool say(struct turn *t, int64_t seq, json_t *params)
{
    struct subscriber *s = t->subscriber;

    if (!api_reply_continue(t->call, params)) {
        s->blocked = true;
        return false;
    }
    t->sent++;
    s->told = seq;
    return true;
}

static json_t *event_json(const struct db_row *row)
{
    json_t *data = json_loads(db_row_text(row, 4), 0, NULL);
    char when[UM_CLOCK_TEXT_SIZE];

    return json_pack("{s:{s:I,s:s,s:s,s:s,s:o}}", "event", "seq", (json_int_t)db_row_int(row, 0),
                     "time", um_clock_rfc3339(db_row_int(row, 1), when), "type",
                     db_row_text(row, 2), "object", db_row_text(row, 3), "data",
                     data ? data : json_object());
}

static bool send_row(const struct db_row *row, void *arg)
{
    struct turn *t = arg;
    struct subscriber *s = t->subscriber;
    int64_t seq = db_row_int(row, 0);

    if (event_filter_wants(&s->filter, db_row_text(row, 2), db_row_text(row, 3)) &&
        !say(t, seq, event_json(row)))
        return false;
    s->sent = seq;
    return t->sent < SEND_MAX;
}

static void on_drain(um_unused struct api_call *call, void *arg)
{
    struct subscriber *s = arg;

    s->blocked = false;
}

/* What was pruned before it could be sent is said, never skipped silently. */
static bool report_lost(const struct events *events, struct turn *t)
{
    struct subscriber *s = t->subscriber;
    int64_t first = events_first(events);

    if (s->sent + 1 >= first)
        return true;
    if (!say(t, first - 1,
             json_pack("{s:{s:I,s:I}}", "lost", "from", (json_int_t)s->sent + 1, "to",
                       (json_int_t)first - 1)))
        return false;
    s->sent = first - 1;
    return true;
}

/*
 * A reader that wants little would ask for very old events when it comes back after a restart, and
 * be told that they are lost: so it is told from time to time how far it is.
 */
static void send_mark(struct turn *t)
{
    struct subscriber *s = t->subscriber;

    if (s->marks && !s->blocked && (s->told < 0 || s->sent - s->told >= MARK_EVERY) &&
        !say(t, s->sent, json_pack("{s:I}", "at", (json_int_t)s->sent)))
        return; /* it is told when it has read */
}

/* True: keep the subscriber. */
static bool feed_one(struct event_feed *feed, struct subscriber *s, bool *ret_more)
{
    const struct events *events = feed->umld->events;
    int64_t last = events_last(events);
    struct turn t = {.subscriber = s, .call = api_call_find(feed->umld->server, s->call_id)};
    int rows = 1;

    if (!t.call)
        return false;
    if (!s->blocked && s->sent < last && report_lost(events, &t))
        rows = db_each(feed->umld->db, DBQ_EVENT_RANGE, send_row, &t, s->sent, last,
                       (int64_t)SCAN_MAX);
    if (rows < 0) /* logged; again with the next event */
        return true;
    if (rows == 0) /* rows that are not there will not come */
        s->sent = last;
    send_mark(&t);
    api_call_send_now(t.call);
    if (!s->blocked && s->sent < last) {
        *ret_more = true;
        return true;
    }
    if (!s->follow && s->sent >= last) {
        api_reply(t.call, NULL);
        return false;
    }
    return true;
}

void event_feed_after(struct event_feed *feed)
{
    struct subscriber **link = &feed->subscribers;
    bool more = false;

    while (*link) {
        struct subscriber *s = *link;

        if (feed_one(feed, s, &more)) {
            link = &s->next;
        } else {
            *link = s->next;
            feed->count--;
            subscriber_free(s);
        }
    }
    if (more)
        um_timer_arm(feed->again, 0);
}

/* No user may take all the places. */
static enum um_code check_room(const struct event_feed *feed, uid_t uid, struct um_error *err)
{
    int own = 0;

    for (const struct subscriber *s = feed->subscribers; s; s = s->next)
        own += s->uid == uid;
    if (feed->count < SUBSCRIBERS_MAX && own < SUBSCRIBERS_PER_UID)
        return UM_OK;
    um_fail(err, UM_E_NO_RESOURCES, "events", NULL, "enough subscribers are connected already");
    return um_hint(err, "%d in all and %d of one user are served at the same time", SUBSCRIBERS_MAX,
                   SUBSCRIBERS_PER_UID);
}

/* The number after which the call wants events. */
static enum um_code read_since(const struct events *events, const json_t *params, int64_t *ret,
                               struct um_error *err)
{
    const char *time = params_text(params, "sinceTime", NULL);
    int64_t wall_ns;

    *ret = params_int(params, "since", events_last(events));
    if (params_flag(params, "follow") && *ret > events_last(events)) {
        um_fail(err, UM_E_CONFLICT, "events", "since",
                "event %" PRId64 " has not happened yet: the newest is %" PRId64, *ret,
                events_last(events));
        return um_hint(err, "the number is another daemon's, or its state was replaced");
    }
    if (!time)
        return UM_OK;
    if (params_has(params, "since"))
        return um_fail(err, UM_E_INVALID, "events", "sinceTime", "`since` is given, too");
    if (!um_clock_from_rfc3339(time, &wall_ns)) {
        um_fail(err, UM_E_INVALID, "events", "sinceTime", "\"%.40s\" is no time", time);
        return um_hint(err, "use RFC 3339: 2026-01-31T12:00:00Z");
    }
    *ret = events_at(events, wall_ns) - 1;
    /* All that is kept is younger: what was pruned may have been, too. */
    if (*ret < events_first(events))
        *ret = 0;
    return UM_OK;
}

static enum um_code subscribe(struct event_feed *feed, struct api_call *call, const json_t *params,
                              struct um_error *err)
{
    struct event_filter filter;
    struct subscriber *s;
    int64_t since;
    enum um_code code = check_room(feed, api_call_uid(call), err);

    if (!code)
        code = read_since(feed->umld->events, params, &since, err);
    if (code)
        return code;
    code = event_filter_read(params, &filter, err);
    s = code ? NULL : calloc(1, sizeof(*s));
    if (!s) {
        event_filter_done(&filter);
        return code ? code : um_fail(err, UM_E_NO_RESOURCES, "events", NULL, "out of memory");
    }
    *s = (struct subscriber){.call_id = api_call_id(call),
                             .uid = api_call_uid(call),
                             .follow = params_flag(params, "follow"),
                             .marks = params_flag(params, "marks"),
                             .sent = since,
                             .told = params_has(params, "since") ? since : -1,
                             .filter = filter,
                             .next = feed->subscribers};
    api_call_on_drain(call, on_drain, s);
    feed->subscribers = s;
    feed->count++;
    return UM_OK;
}

void api_server_subscribe(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct um_error err;

    if (!api_call_more(call)) {
        um_fail(&err, UM_E_INVALID, "io.umld.Server.Subscribe", "more", "gives several replies");
        um_hint(&err, "set \"more\": true in the call");
        api_reply_error(call, &err);
    } else if (subscribe(umld->feed, call, params, &err)) {
        api_reply_error(call, &err);
    }
}
