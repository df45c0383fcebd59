/*
 * Rates of a port, in bytes. From the port: it is left unread until its bucket has refilled, so
 * nothing is lost on the way in. To the port: its queue goes out at the rate, and holds its senders
 * when it fills, as any queue does.
 */
#ifndef NETD_RATE_H
#define NETD_RATE_H

#include "netd/switch_private.h"

/* Take over what the port's config says, at once; buckets begin full. */
void netd_rate_configure(struct netd_switch *sw, struct netd_port *p);
/* Bytes have come in at a port that has a rate: it is left unread if they were too many. */
void netd_rate_spend_in(struct netd_switch *sw, struct netd_port *p, uint32_t bytes);
/* How many of these may go to a port that has a rate. Fewer than count: it waits from now on. */
int netd_rate_permits(struct netd_switch *sw, struct netd_port *p, const struct netd_out *out,
                      int count);
/* What is due; when the next is, or INT64_MAX. */
int64_t netd_rate_tick(struct netd_switch *sw, struct netd_port *p);

#endif
