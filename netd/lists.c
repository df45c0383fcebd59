/*
 * PORTS and MACS. A list that does not fit is told in parts: what is asked for is the place after
 * the last one told. What changes between is there or not; nothing is told twice.
 */
#include "netd/managed.h"
#include "netd/policy.h"

#include "vmcore/base/clock.h"

#include <stdio.h>
#include <string.h>

static bool fits(const struct netd_answer *a, size_t size)
{
    return a->len + size <= sizeof(a->data);
}

static void append(struct netd_answer *a, const void *data, size_t size)
{
    memcpy(a->data + a->len, data, size);
    a->len += size;
}

static uint32_t flags_of(struct netd_port_status s)
{
    return (s.up ? NETD_PORT_UP : 0u) | (s.holding ? NETD_PORT_HOLDING : 0u) |
           (s.dropping ? NETD_PORT_DROPPING : 0u) | (s.held ? NETD_PORT_HELD : 0u);
}

static struct netd_ctl_port_info port_info(const struct netd_managed *m, uint32_t id)
{
    const struct netd_counters *c = netd_switch_counters(m->sw, id);
    struct netd_ctl_port_info info = {.id = netd_ports_id_of(m, id),
                                      .flags = flags_of(netd_switch_status(m->sw, id)),
                                      .in_frames = c->in_frames,
                                      .in_bytes = c->in_bytes,
                                      .out_frames = c->out_frames,
                                      .out_bytes = c->out_bytes,
                                      .held = c->held,
                                      .waiting = netd_switch_waiting(m->sw, id)};

    snprintf(info.name, sizeof(info.name), "%s", netd_switch_name(m->sw, id));
    memcpy(info.drops, c->drops, sizeof(c->drops));
    return info;
}

void netd_list_ports(struct netd_managed *m, uint32_t from, struct netd_answer *ret)
{
    uint32_t id;

    while (netd_switch_next(m->sw, &from, &id)) {
        struct netd_ctl_port_info info = port_info(m, id);

        append(ret, &info, sizeof(info));
        if (!fits(ret, sizeof(info))) {
            ret->reply.next = from;
            return;
        }
    }
}

void netd_list_macs(struct netd_managed *m, uint32_t from, struct netd_answer *ret)
{
    int64_t now = um_clock_mono_ns();
    struct netd_mac_entry e;

    while (netd_mac_next(netd_switch_macs(m->sw), &from, &e)) {
        struct netd_ctl_mac_info info = {
            .entry = {.vlan = e.vlan, .port = netd_ports_id_of(m, e.port)},
            .fixed = e.fixed,
            .age_ms = e.fixed ? 0 : (uint32_t)((now - e.seen_ns) / UM_MS_NS)};

        netd_mac_to_bytes(e.mac, info.entry.mac);
        append(ret, &info, sizeof(info));
        if (!fits(ret, sizeof(info))) {
            ret->reply.next = from;
            return;
        }
    }
}
