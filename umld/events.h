/*
 * Events: facts a user would automate on. Sequence numbers come from SQLite and are never reused.
 * Emitting stores the row in the round's transaction; subscribers (event_feed.h) read from the
 * store after the commit, so nothing is announced that is not stored, and a slow reader costs no
 * memory.
 */
#ifndef UMLD_EVENTS_H
#define UMLD_EVENTS_H

#include "umld/umld.h"

enum { EVENT_VALUE_MAX = 2048 }; /* bytes of one value; what is longer ends in "..." */

struct events *events_new(struct umld *umld) um_check;
void events_free(struct events *events);

/*
 * type: a stable name of docs/events.md; object: guest, kernel or image name. Then pairs of
 * key, value strings, ended by NULL. A NULL value becomes "".
 */
void events_emit(struct umld *umld, const char *type, const char *object, ...) um_nonnull(1, 2, 3)
    __attribute__((sentinel));

/* The oldest that is kept (one after the last if none is) and the newest. */
int64_t events_first(const struct events *events) um_nonnull(1);
int64_t events_last(const struct events *events) um_nonnull(1);

/*
 * Sequence number of the first kept event that is not older than this; one after the last if all
 * are. Times are the wall clock's: where it was set back, any of the places that fit.
 */
int64_t events_at(const struct events *events, int64_t wall_ns) um_nonnull(1);

/* The settings events-keep and events-days may have changed: remove what is too much, in steps. */
void events_limits_changed(struct events *events) um_nonnull(1);

#endif
