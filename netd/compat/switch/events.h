/*
 * What uml_switch says on standard output: a line for each thing that happens, in the words of the
 * program of 2007. It never waits for whoever reads them, and guests cannot make it write without
 * end: what is left out is counted.
 */
#ifndef NETD_COMPAT_SWITCH_EVENTS_H
#define NETD_COMPAT_SWITCH_EVENTS_H

#include "netd/switch.h"

struct switch_events {
    const struct netd_switch *sw;
    struct netd_bucket limit;
    uint64_t left_out;
};

void switch_events_init(struct switch_events *e, const struct netd_switch *sw) um_nonnull(1, 2);
/* For netd_switch_observe(); arg is the struct switch_events. */
void switch_events_take(void *arg, const struct netd_event *event) um_nonnull(1, 2);
/* From here on every line is written: there are no guests any more to make them. */
void switch_events_unlimit(struct switch_events *e) um_nonnull(1);

/* A line of the program's own; fmt without newline. False: it could not be written at once. */
bool switch_say(const char *fmt, ...) um_format(1, 2);

#endif
