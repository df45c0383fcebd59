/*
 * What changes at a port that is there: its link, its configuration, where it counts. And how it
 * is.
 */
#include "netd/switch_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int send_nowhere(um_unused void *link, um_unused const struct netd_out *frames,
                        um_unused int count)
{
    return -ENOTCONN;
}

static void watch_nothing(um_unused void *link, um_unused bool on)
{
}

const struct netd_link_ops netd_link_none = {send_nowhere, watch_nothing, watch_nothing};

void netd_switch_attach(struct netd_switch *sw, uint32_t id, const struct netd_link_ops *ops,
                        void *link)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (!p)
        return;
    p->counters->drops[NETD_DROP_SEND] += p->queue.count;
    netd_push_close(sw, p);
    p->push = NETD_PUSH_OPEN;
    p->ops = ops;
    p->link = link;
}

static bool same_vlans(const struct netd_port_config *a, const struct netd_port_config *b)
{
    return a->vlan_mode == b->vlan_mode && a->vlan == b->vlan &&
           (a->vlan_mode != NETD_VLAN_TRUNK ||
            memcmp(a->vlan_set, b->vlan_set, NETD_VLAN_SET_BYTES) == 0);
}

bool netd_switch_configure(struct netd_switch *sw, uint32_t id,
                           const struct netd_port_config *config)
{
    struct netd_port *p = netd_switch_port(sw, id);
    uint8_t *set = NULL;

    if (!p)
        return false;
    if (config->vlan_mode == NETD_VLAN_TRUNK) {
        set = malloc(NETD_VLAN_SET_BYTES);
        if (!set)
            return false;
        memcpy(set, config->vlan_set, NETD_VLAN_SET_BYTES);
    }
    /* An address in a VLAN that the port is not in any more would be a place to lose frames. */
    if (!same_vlans(&p->config, config))
        netd_mac_forget_learnt(sw->macs, id);
    if (p->config.storm_rate != config->storm_rate)
        p->storm = (struct netd_bucket){.rate = config->storm_rate, .burst = config->storm_rate};
    free(p->config.vlan_set);
    p->config = *config;
    p->config.vlan_set = set;
    p->config.number = p->number;
    return true;
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
    netd_mac_set_times(sw->macs, config->mac.age_ns, config->mac.guard_ns);
}

void netd_switch_stop(struct netd_switch *sw)
{
    for (uint32_t slot = 0; slot < sw->slots_used; slot++) {
        struct netd_port *p = sw->ports[slot];

        if (p) {
            p->stopped = true;
            p->ops->watch_input(p->link, false);
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
