/*
 * Events: facts a user would automate on. Sequence numbers come from SQLite and are never reused.
 * Emitting stores the row in the round's transaction; subscribers read from the store after the
 * commit, so nothing is announced that is not stored, and a slow reader costs no memory.
 */
#ifndef UMLD_EVENTS_H
#define UMLD_EVENTS_H

#include "umld/umld.h"

struct events *events_new(struct umld *umld) um_check;
void events_free(struct events *events);

/*
 * type: a stable name of docs/events.md; object: guest, kernel or image name. Then pairs of
 * key, value strings, ended by NULL. A NULL value becomes "".
 */
void events_emit(struct umld *umld, const char *type, const char *object, ...) um_nonnull(1, 2, 3)
    __attribute__((sentinel));

int64_t events_last(const struct events *events) um_nonnull(1);

/* After-phase, when everything is committed: feed subscribers. */
void events_after(struct events *events) um_nonnull(1);

#endif
