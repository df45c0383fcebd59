/*
 * io.umld.Server.Subscribe: readers of the event store. Each is a position; it is fed from the
 * store in the after-phase, a bounded number of rows a round, so that history never holds up news
 * of others, and a reader that does not read costs nothing.
 */
#ifndef UMLD_EVENT_FEED_H
#define UMLD_EVENT_FEED_H

#include "umld/umld.h"

struct event_feed *event_feed_new(struct umld *umld) um_check;
void event_feed_free(struct event_feed *feed);

/*
 * After-phase, right after the commit and before the effects: what is stored is news, and nobody
 * should wait for it until everything that follows from it is done, too.
 */
void event_feed_after(struct event_feed *feed) um_nonnull(1);

#endif
