#include "netd/rate.h"

#include <stdlib.h>
#include <string.h>

#define AGE_EVERY_NS INT64_C(2000000000)

const struct netd_port_config netd_port_config_default = {.vlan_mode = NETD_VLAN_TRANSPARENT,
                                                          .frame_max = NETD_FRAME_MAX};

const struct netd_switch_config netd_switch_config_default = {
    .mac = {.entries = 16384, .per_port = 4096, .age_ns = INT64_C(100000000000)},
    .ports_max = NETD_PORT_SLOTS,
    .queue_high = 512u << 10,
    .queue_low = 128u << 10,
    .queue_max = 8u << 20,
    .memory_max = 64u << 20,
    .hold_ns = INT64_C(200000000),
    .pause_ns = INT64_C(2000000000),
};

struct netd_switch *netd_switch_new_with(const struct netd_switch_config *config,
                                         struct netd_mac_table *macs)
{
    struct netd_switch *sw = macs ? calloc(1, sizeof(*sw)) : NULL;

    if (!sw) {
        netd_mac_table_free(macs);
        return NULL;
    }
    sw->config = *config;
    sw->macs = macs;
    return sw;
}

struct netd_switch *netd_switch_new(const struct netd_switch_config *config)
{
    return netd_switch_new_with(config, netd_mac_table_new(&config->mac));
}

void netd_switch_free(struct netd_switch *sw)
{
    if (!sw)
        return;
    netd_mac_table_free(sw->macs);
    free(sw);
}

void netd_switch_set_hub(struct netd_switch *sw, bool hub)
{
    sw->config.hub = hub;
}

struct netd_mac_table *netd_switch_macs(struct netd_switch *sw)
{
    return sw->macs;
}

struct netd_port *netd_switch_port(const struct netd_switch *sw, uint32_t id)
{
    struct netd_port *p = sw->ports[id % NETD_PORT_SLOTS];

    return p && p->id == id ? p : NULL;
}

void netd_switch_observe(struct netd_switch *sw, netd_event_fn fn, void *arg)
{
    sw->event_fn = fn;
    sw->event_arg = arg;
}

void netd_switch_tell(const struct netd_switch *sw, const struct netd_event *event)
{
    if (sw->event_fn)
        sw->event_fn(sw->event_arg, event);
}

static void tell_of_port(const struct netd_switch *sw, const struct netd_port *p,
                         enum netd_event_kind kind)
{
    netd_switch_tell(
        sw, &(struct netd_event){.kind = kind, .port = p->id, .old_port = NETD_MAC_NOWHERE});
}

/* The number it is to have is in its config. */
static void join_number(struct netd_switch *sw, struct netd_port *p)
{
    uint32_t number = p->config.number;

    for (number += !number; !p->config.number && sw->numbers[number]; number++)
        ;
    p->number = number;
    p->twin = p;
    if (sw->numbers[number]) {
        p->twin = sw->numbers[number]->twin;
        sw->numbers[number]->twin = p;
    } else {
        sw->numbers[number] = p;
    }
}

static void leave_number(struct netd_switch *sw, struct netd_port *p)
{
    struct netd_port *before = p;

    while (before->twin != p)
        before = before->twin;
    before->twin = p->twin;
    if (sw->numbers[p->number] == p)
        sw->numbers[p->number] = p->twin == p ? NULL : p->twin;
}

void netd_switch_wake(struct netd_switch *sw, struct netd_port *p, int64_t at_ns)
{
    if (!p->timed) {
        p->timed = true;
        p->next_timed = sw->timed;
        sw->timed = p;
    }
    if (at_ns < sw->due_ns)
        sw->due_ns = at_ns;
}

void netd_switch_update_reading(struct netd_port *p)
{
    bool on = !p->held_by && !p->in_waits && !p->stopped;

    if (on == p->reading)
        return;
    p->reading = on;
    p->ops->watch_input(p->link, on);
}

static void set_storm(const struct netd_switch *sw, struct netd_port *p)
{
    p->storm.rate = p->config.storm_rate ? p->config.storm_rate : sw->config.storm_rate;
    p->storm.burst = p->storm.rate;
}

void netd_switch_set_storm_rate(struct netd_switch *sw, uint32_t rate)
{
    sw->config.storm_rate = rate;
    for (uint32_t slot = 0; slot < sw->slots_used; slot++) {
        if (sw->ports[slot])
            set_storm(sw, sw->ports[slot]);
    }
}

/* The port's config becomes a copy of config. False: no memory, and it is what it was. */
static bool take_config(struct netd_switch *sw, struct netd_port *p,
                        const struct netd_port_config *config)
{
    uint8_t *vlans = NULL;

    if (config->vlan_mode == NETD_VLAN_TRUNK) {
        vlans = malloc(NETD_VLAN_SET_BYTES);
        if (!vlans)
            return false;
        memcpy(vlans, config->vlan_set, NETD_VLAN_SET_BYTES);
    }
    free(p->config.vlan_set);
    p->config = *config;
    p->config.vlan_set = vlans;
    set_storm(sw, p);
    netd_rate_configure(sw, p);
    return true;
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
    bool moved = p && !same_vlans(&p->config, config);

    if (!p || !take_config(sw, p, config))
        return false;
    p->config.number = p->number;
    /* An address in a VLAN that the port is not in any more would be a place to lose frames. */
    if (moved)
        netd_mac_forget_learnt(sw->macs, id);
    return true;
}

static uint32_t free_slot(const struct netd_switch *sw)
{
    uint32_t slot = 0;

    while (sw->ports[slot])
        slot++;
    return slot;
}

static bool has_room(const struct netd_switch *sw, const struct netd_port_config *config)
{
    return sw->port_count < sw->config.ports_max && sw->port_count < NETD_PORT_SLOTS &&
           config->number <= NETD_PORT_SLOTS;
}

static bool put(struct netd_switch *sw, uint32_t id, const struct netd_port_config *config,
                const struct netd_link_ops *ops, void *link)
{
    uint32_t slot = id % NETD_PORT_SLOTS;
    struct netd_port *p = calloc(1, sizeof(*p));

    if (!p)
        return false;
    p->counters = &p->own_counters;
    p->id = id;
    if (!take_config(sw, p, config)) {
        free(p);
        return false;
    }
    p->ops = ops;
    p->link = link;
    p->reading = true;
    if (slot >= sw->slots_used)
        sw->slots_used = slot + 1;
    sw->last_id[slot] = id;
    sw->ports[slot] = p;
    sw->port_count++;
    join_number(sw, p);
    tell_of_port(sw, p, NETD_SEEN_PORT_UP);
    return true;
}

/* Slots that were passed over by netd_switch_add_as() count as never used. */
static uint32_t new_id(const struct netd_switch *sw)
{
    uint32_t slot = free_slot(sw), last = sw->last_id[slot];

    return slot < sw->slots_used && last % NETD_PORT_SLOTS == slot ? last + NETD_PORT_SLOTS : slot;
}

uint32_t netd_switch_add(struct netd_switch *sw, const struct netd_port_config *config,
                         const struct netd_link_ops *ops, void *link)
{
    uint32_t id;

    if (!has_room(sw, config))
        return NETD_MAC_NOWHERE;
    id = new_id(sw);
    return put(sw, id, config, ops, link) ? id : NETD_MAC_NOWHERE;
}

bool netd_switch_add_as(struct netd_switch *sw, uint32_t id, const struct netd_port_config *config,
                        const struct netd_link_ops *ops, void *link)
{
    return has_room(sw, config) && !sw->ports[id % NETD_PORT_SLOTS] &&
           put(sw, id, config, ops, link);
}

static void forget_timed(struct netd_switch *sw, const struct netd_port *p)
{
    struct netd_port **link = &sw->timed;

    if (!p->timed)
        return;
    while (*link != p)
        link = &(*link)->next_timed;
    *link = p->next_timed;
}

void netd_switch_remove(struct netd_switch *sw, uint32_t id)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (!p)
        return;
    tell_of_port(sw, p, NETD_SEEN_PORT_DOWN);
    netd_push_close(sw, p);
    leave_number(sw, p);
    forget_timed(sw, p);
    netd_mac_forget_port(sw->macs, id);
    sw->ports[id % NETD_PORT_SLOTS] = NULL;
    sw->port_count--;
    free(p->config.vlan_set);
    free(p);
}

static void clear_batch(struct netd_switch *sw, int count)
{
    for (int i = 0; i < count; i++) {
        for (int form = 0; form < NETD_FORMS; form++) {
            netd_buf_drop(sw->batch[i].copies[form]);
            sw->batch[i].copies[form] = NULL;
        }
    }
}

bool netd_switch_input(struct netd_switch *sw, uint32_t id, const struct iovec *frames, int count,
                       int64_t now_ns)
{
    struct netd_port *from = netd_switch_port(sw, id);
    uint64_t before;

    if (!from)
        return false;
    sw->now_ns = now_ns;
    before = from->counters->in_bytes;
    for (int i = 0; i < count; i++) {
        sw->batch[i].bytes = frames[i];
        from->counters->in_frames++;
        from->counters->in_bytes += frames[i].iov_len;
        netd_forward(sw, from, i);
    }
    for (uint32_t i = 0; i < sw->dirty_count; i++)
        netd_push_flush(sw, sw->dirty[i], from);
    sw->dirty_count = 0;
    clear_batch(sw, count);
    if (from->in_bucket.rate)
        netd_rate_spend_in(sw, from, (uint32_t)(from->counters->in_bytes - before));
    return from->reading;
}

void netd_switch_writable(struct netd_switch *sw, uint32_t id, int64_t now_ns)
{
    struct netd_port *p = netd_switch_port(sw, id);

    sw->now_ns = now_ns;
    if (p)
        netd_push_drain(sw, p);
}

void netd_switch_count_drop(struct netd_switch *sw, uint32_t id, enum netd_drop reason)
{
    struct netd_port *p = netd_switch_port(sw, id);

    if (p)
        p->counters->drops[reason]++;
}

static int64_t tick_port(struct netd_switch *sw, struct netd_port *p)
{
    int64_t push = netd_push_tick(sw, p), rate = netd_rate_tick(sw, p);

    return push < rate ? push : rate;
}

void netd_switch_tick(struct netd_switch *sw, int64_t now_ns)
{
    struct netd_port *timed = sw->timed;

    sw->now_ns = now_ns;
    if (now_ns >= sw->age_due_ns) {
        netd_mac_age(sw->macs, now_ns);
        sw->age_due_ns = now_ns + AGE_EVERY_NS;
    }
    sw->due_ns = sw->age_due_ns;
    sw->timed = NULL;
    for (struct netd_port *p = timed, *next; p; p = next) {
        int64_t due;

        next = p->next_timed;
        p->timed = false;
        due = tick_port(sw, p);
        if (due < INT64_MAX)
            netd_switch_wake(sw, p, due);
    }
}

int64_t netd_switch_due(const struct netd_switch *sw)
{
    return sw->due_ns;
}

uint32_t netd_switch_number(const struct netd_switch *sw, uint32_t id)
{
    const struct netd_port *p = netd_switch_port(sw, id);

    return p ? p->number : 0;
}

const struct netd_counters *netd_switch_counters(const struct netd_switch *sw, uint32_t id)
{
    const struct netd_port *p = netd_switch_port(sw, id);

    return p ? p->counters : NULL;
}

size_t netd_switch_waiting(const struct netd_switch *sw, uint32_t id)
{
    const struct netd_port *p = netd_switch_port(sw, id);

    return p ? p->queue.cost : 0;
}
