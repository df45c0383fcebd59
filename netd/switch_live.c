/*
 * What changes at a port that is there: its link, its configuration, where it counts. And how it
 * is.
 */
#include "netd/switch_private.h"

#include <errno.h>

static int send_nowhere(um_unused void *link, um_unused const struct netd_out *frames,
                        um_unused int count)
{
    return -ENOTCONN;
}

static void watch_nothing(um_unused void *link, um_unused bool on)
{
}

const struct netd_link_ops netd_link_none = {send_nowhere, watch_nothing, watch_nothing};

static int send_later(um_unused void *link, um_unused const struct netd_out *frames,
                      um_unused int count)
{
    return 0;
}

static const struct netd_link_ops link_awaited = {send_later, watch_nothing, watch_nothing};

void netd_switch_await(struct netd_switch *sw, uint32_t id)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (!p || p->link)
        return;
    p->awaited = true;
    p->ops = &link_awaited;
}

static void drop_waiting(struct netd_switch *sw, struct netd_port *p)
{
    p->counters->drops[NETD_DROP_SEND] += p->queue.count;
    netd_push_close(sw, p);
    p->push = NETD_PUSH_OPEN;
}

void netd_switch_attach(struct netd_switch *sw, uint32_t id, const struct netd_link_ops *ops,
                        void *link)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (!p)
        return;
    if (!p->awaited || !link)
        drop_waiting(sw, p);
    p->awaited = false;
    p->ops = ops;
    p->link = link;
    /* So is a new one: being read, not being asked for room. */
    p->reading = true;
    p->room_watched = p->in_waits = p->out_waits = false;
    netd_switch_update_reading(p);
    if (p->queue.count)
        netd_push_drain(sw, p);
}

void netd_switch_count_at(struct netd_switch *sw, uint32_t id, struct netd_counters *counters)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (p)
        p->counters = counters;
}

void netd_switch_set_limits(struct netd_switch *sw, const struct netd_switch_config *config)
{
    sw->config.hub = config->hub;
    sw->config.ports_max = config->ports_max;
    sw->config.hold_ns = config->hold_ns;
    netd_switch_set_storm_rate(sw, config->storm_rate);
    netd_mac_set_times(sw->macs, config->mac.age_ns, config->mac.guard_ns);
}

void netd_switch_stop(struct netd_switch *sw)
{
    for (uint32_t slot = 0; slot < sw->slots_used; slot++) {
        struct netd_port *p = sw->ports[slot];

        if (p) {
            p->stopped = true;
            netd_switch_update_reading(p);
        }
    }
}

struct netd_port_status netd_switch_status(const struct netd_switch *sw, uint32_t id)
{
    const struct netd_port *p = netd_switch_port(sw, id);

    if (!p)
        return (struct netd_port_status){.up = false};
    return (struct netd_port_status){.up = p->link != NULL,
                                     .holding = p->push == NETD_PUSH_HOLDING,
                                     .dropping = p->push == NETD_PUSH_DROPPING,
                                     .held = p->held_by != NULL};
}

const char *netd_switch_name(const struct netd_switch *sw, uint32_t id)
{
    const struct netd_port *p = netd_switch_port(sw, id);

    return p ? p->config.name : NULL;
}

bool netd_switch_next(const struct netd_switch *sw, uint32_t *at, uint32_t *ret_id)
{
    while (*at < sw->slots_used) {
        const struct netd_port *p = sw->ports[(*at)++];

        if (p) {
            *ret_id = p->id;
            return true;
        }
    }
    return false;
}

size_t netd_switch_memory(const struct netd_switch *sw)
{
    return sw->memory;
}
