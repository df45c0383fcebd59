/*
 * Chains of array indices. Slot 0 is nobody's, so 0 ends a chain.
 */
#include "netd/mac_table.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    struct netd_mac_entry entry;
    uint32_t next; /* in its chain, or in the free list */
    bool used;
};

struct netd_mac_table {
    struct netd_mac_limits limits;
    struct slot *slots; /* 1..entries */
    uint32_t *buckets;
    uint32_t mask;
    uint32_t free_head;
    uint32_t fresh; /* slots from here on were never used: not even touched */
    uint32_t count;
    uint32_t learnt[NETD_PORT_SLOTS];
};

const struct netd_mac_limits netd_mac_limits_default = {
    .entries = 16384, .per_port = 4096, .age_ns = INT64_C(100000000000), .guard_ns = 0};

static uint32_t *bucket_of(const struct netd_mac_table *t, uint64_t mac, uint16_t vlan)
{
    uint64_t h = (mac << 12 ^ vlan) * UINT64_C(0x9e3779b97f4a7c15);

    return &t->buckets[(uint32_t)(h >> 40) & t->mask];
}

struct netd_mac_table *netd_mac_table_new(const struct netd_mac_limits *limits)
{
    struct netd_mac_table *t = calloc(1, sizeof(*t));
    uint32_t buckets = 64;

    if (!t)
        return NULL;
    while (buckets < limits->entries)
        buckets *= 2;
    t->limits = *limits;
    t->mask = buckets - 1;
    t->fresh = 1;
    t->buckets = calloc(buckets, sizeof(*t->buckets));
    t->slots = calloc((size_t)limits->entries + 1, sizeof(*t->slots));
    if (!t->buckets || !t->slots) {
        netd_mac_table_free(t);
        return NULL;
    }
    return t;
}

void netd_mac_table_free(struct netd_mac_table *t)
{
    if (!t)
        return;
    free(t->buckets);
    free(t->slots);
    free(t);
}

/* The link that holds the entry's index, or holds the 0 at the end of its chain. */
static uint32_t *find_link(const struct netd_mac_table *t, uint64_t mac, uint16_t vlan)
{
    uint32_t *link = bucket_of(t, mac, vlan);

    while (*link) {
        const struct netd_mac_entry *e = &t->slots[*link].entry;

        if (e->mac == mac && e->vlan == vlan)
            break;
        link = &t->slots[*link].next;
    }
    return link;
}

static struct netd_mac_entry *add(struct netd_mac_table *t, uint32_t *link)
{
    uint32_t i = t->free_head;

    if (i)
        t->free_head = t->slots[i].next;
    else if (t->fresh <= t->limits.entries)
        i = t->fresh++;
    else
        return NULL;
    t->slots[i] = (struct slot){.used = true};
    *link = i;
    t->count++;
    return &t->slots[i].entry;
}

static void remove_at(struct netd_mac_table *t, uint32_t *link)
{
    uint32_t i = *link;
    struct slot *s = &t->slots[i];

    if (!s->entry.fixed)
        t->learnt[s->entry.port % NETD_PORT_SLOTS]--;
    *link = s->next;
    s->used = false;
    s->next = t->free_head;
    t->free_head = i;
    t->count--;
}

static enum netd_mac_learnt learn_new(struct netd_mac_table *t, uint32_t *link,
                                      const struct netd_mac_entry *fresh)
{
    struct netd_mac_entry *e;

    if (t->learnt[fresh->port % NETD_PORT_SLOTS] >= t->limits.per_port || !(e = add(t, link)))
        return NETD_MAC_FULL;
    *e = *fresh;
    t->learnt[fresh->port % NETD_PORT_SLOTS]++;
    return NETD_MAC_NEW;
}

enum netd_mac_learnt netd_mac_learn(struct netd_mac_table *t, uint64_t mac, uint16_t vlan,
                                    uint32_t port, int64_t now_ns, uint32_t *ret_was)
{
    uint32_t *link = find_link(t, mac, vlan);
    struct netd_mac_entry *e = &t->slots[*link].entry;

    if (!*link)
        return learn_new(
            t, link,
            &(struct netd_mac_entry){.mac = mac, .vlan = vlan, .port = port, .seen_ns = now_ns});
    if (e->port == port) {
        e->seen_ns = now_ns;
        return NETD_MAC_KNOWN;
    }
    if (ret_was)
        *ret_was = e->port;
    if (e->fixed || now_ns - e->seen_ns < t->limits.guard_ns)
        return NETD_MAC_REFUSED;
    if (t->learnt[port % NETD_PORT_SLOTS] >= t->limits.per_port)
        return NETD_MAC_FULL;
    t->learnt[e->port % NETD_PORT_SLOTS]--;
    t->learnt[port % NETD_PORT_SLOTS]++;
    e->port = port;
    e->seen_ns = now_ns;
    return NETD_MAC_MOVED;
}

uint32_t netd_mac_find(const struct netd_mac_table *t, uint64_t mac, uint16_t vlan)
{
    uint32_t i = *find_link(t, mac, vlan);

    return i ? t->slots[i].entry.port : NETD_MAC_NOWHERE;
}

bool netd_mac_fix(struct netd_mac_table *t, uint64_t mac, uint16_t vlan, uint32_t port)
{
    uint32_t *link = find_link(t, mac, vlan);
    struct netd_mac_entry *e;

    if (*link) {
        e = &t->slots[*link].entry;
        if (!e->fixed)
            t->learnt[e->port % NETD_PORT_SLOTS]--;
    } else if (!(e = add(t, link))) {
        return false;
    }
    *e = (struct netd_mac_entry){.mac = mac, .vlan = vlan, .port = port, .fixed = true};
    return true;
}

bool netd_mac_forget(struct netd_mac_table *t, uint64_t mac, uint16_t vlan)
{
    uint32_t *link = find_link(t, mac, vlan);

    if (!*link)
        return false;
    remove_at(t, link);
    return true;
}

static void remove_slot(struct netd_mac_table *t, uint32_t i)
{
    netd_mac_forget(t, t->slots[i].entry.mac, t->slots[i].entry.vlan);
}

void netd_mac_forget_port(struct netd_mac_table *t, uint32_t port)
{
    for (uint32_t i = 1; i < t->fresh; i++) {
        if (t->slots[i].used && t->slots[i].entry.port == port)
            remove_slot(t, i);
    }
}

uint32_t netd_mac_age(struct netd_mac_table *t, int64_t now_ns)
{
    uint32_t before = t->count;

    for (uint32_t i = 1; i < t->fresh; i++) {
        const struct netd_mac_entry *e = &t->slots[i].entry;

        if (t->slots[i].used && !e->fixed && now_ns - e->seen_ns >= t->limits.age_ns)
            remove_slot(t, i);
    }
    return before - t->count;
}

uint32_t netd_mac_count(const struct netd_mac_table *t)
{
    return t->count;
}

bool netd_mac_next(const struct netd_mac_table *t, uint32_t *at, struct netd_mac_entry *ret)
{
    while (++*at < t->fresh) {
        if (t->slots[*at].used) {
            *ret = t->slots[*at].entry;
            return true;
        }
    }
    return false;
}
