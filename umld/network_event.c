/*
 * What umlnetd tells unasked becomes events of the daemon.
 */
#include "umld/events.h"
#include "umld/network_private.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const types[] = {
    [NETD_EVENT_PORT_UP] = "network.port-up",
    [NETD_EVENT_PORT_DOWN] = "network.port-down",
    [NETD_EVENT_REFUSED] = "network.refused",
    [NETD_EVENT_DROPPING] = "network.dropping",
    [NETD_EVENT_CAUGHT_UP] = "network.caught-up",
    [NETD_EVENT_MOVED] = "network.moved",
    [NETD_EVENT_MOVE_REFUSED] = "network.move-refused",
    [NETD_EVENT_LOOP] = "network.loop",
    [NETD_EVENT_CAPTURE_ENDED] = "network.capture-ended",
};

void network_take_event(struct network *n, const struct netd_ctl_event *e)
{
    char name[NETD_NAME_MAX], text[NETD_CTL_TEXT], count[16];

    /* Names of clients and text about frames come from guests. */
    snprintf(name, sizeof(name), "%.*s", (int)sizeof(e->name) - 1, e->name);
    snprintf(text, sizeof(text), "%.*s", (int)sizeof(e->text) - 1, e->text);
    um_str_make_utf8(name, strlen(name));
    um_str_make_utf8(text, strlen(text));
    if (e->lost) {
        snprintf(count, sizeof(count), "%" PRIu32, e->lost);
        events_emit(n->umld, "network.events-lost", n->def.name, "count", count, NULL);
    }
    if (e->kind < UM_ARRAY_LEN(types) && types[e->kind])
        events_emit(n->umld, types[e->kind], n->def.name, "port", name, "text", text, NULL);
    else
        um_log(UM_LOG_WARNING, "network %s: umlnetd tells of %" PRIu32 ", which nobody knows",
               n->def.name, e->kind);
}
