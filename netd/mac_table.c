/*
 * Chains of array indices. Slot 0 is nobody's, so 0 ends a chain.
 *
 * The slots may be in a file that outlives the program, which can be killed between any two of its
 * instructions. So a slot's number is odd while it changes; what is odd then is dropped by the next
 * program. Only seen_ns changes without: one store. Chains, and all else, are made anew.
 */
#include "netd/mac_table.h"

#include "netd/frame.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct netd_mac_entry entry;
    uint32_t next; /* in its chain, or in the free list */
    uint32_t sequence;
    bool used;
};

struct netd_mac_table {
    struct netd_mac_limits limits;
    struct slot *slots; /* 1..entries */
    bool own_slots;
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

/* Around each change of a slot but that of seen_ns. The order matters for who looks at the memory
 * when this program is dead: that of the compiler is enough. */
static void begin(struct slot *s)
{
    s->sequence |= 1;
    atomic_signal_fence(memory_order_seq_cst);
}

static void end(struct slot *s)
{
    atomic_signal_fence(memory_order_seq_cst);
    s->sequence++;
}

size_t netd_mac_table_size(uint32_t entries)
{
    return ((size_t)entries + 1) * sizeof(struct slot);
}

static struct netd_mac_table *make(const struct netd_mac_limits *limits, struct slot *slots)
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
    t->own_slots = !slots;
    t->slots = slots ? slots : calloc((size_t)limits->entries + 1, sizeof(*t->slots));
    if (!t->buckets || !t->slots) {
        netd_mac_table_free(t);
        return NULL;
    }
    return t;
}

struct netd_mac_table *netd_mac_table_new(const struct netd_mac_limits *limits)
{
    return make(limits, NULL);
}

void netd_mac_table_free(struct netd_mac_table *t)
{
    if (!t)
        return;
    free(t->buckets);
    if (t->own_slots)
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

/* Its entry is the caller's to write(). */
static struct slot *add(struct netd_mac_table *t, uint32_t *link)
{
    uint32_t i = t->free_head;

    if (i)
        t->free_head = t->slots[i].next;
    else if (t->fresh <= t->limits.entries)
        i = t->fresh++;
    else
        return NULL;
    *link = i;
    t->slots[i].next = 0;
    t->count++;
    return &t->slots[i];
}

static void remove_at(struct netd_mac_table *t, uint32_t *link)
{
    uint32_t i = *link;
    struct slot *s = &t->slots[i];

    if (!s->entry.fixed)
        t->learnt[s->entry.port % NETD_PORT_SLOTS]--;
    *link = s->next;
    begin(s);
    s->used = false;
    end(s);
    s->next = t->free_head;
    t->free_head = i;
    t->count--;
}

static void write_entry(struct slot *s, const struct netd_mac_entry *e)
{
    begin(s);
    s->entry = *e;
    s->used = true;
    end(s);
}

static enum netd_mac_learnt learn_new(struct netd_mac_table *t, uint32_t *link,
                                      const struct netd_mac_entry *fresh)
{
    struct slot *s;

    if (t->learnt[fresh->port % NETD_PORT_SLOTS] >= t->limits.per_port || !(s = add(t, link)))
        return NETD_MAC_FULL;
    write_entry(s, fresh);
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
    write_entry(&t->slots[*link], &(struct netd_mac_entry){
                                      .mac = mac, .vlan = vlan, .port = port, .seen_ns = now_ns});
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
    struct slot *s = &t->slots[*link];

    if (*link) {
        if (!s->entry.fixed)
            t->learnt[s->entry.port % NETD_PORT_SLOTS]--;
    } else if (!(s = add(t, link))) {
        return false;
    }
    write_entry(s, &(struct netd_mac_entry){.mac = mac, .vlan = vlan, .port = port, .fixed = true});
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

void netd_mac_forget_learnt(struct netd_mac_table *t, uint32_t port)
{
    for (uint32_t i = 1; i < t->fresh; i++) {
        if (t->slots[i].used && t->slots[i].entry.port == port && !t->slots[i].entry.fixed)
            remove_slot(t, i);
    }
}

void netd_mac_doubt_fixed(struct netd_mac_table *t)
{
    for (uint32_t i = 1; i < t->fresh; i++)
        t->slots[i].entry.doubted = t->slots[i].used && t->slots[i].entry.fixed;
}

void netd_mac_forget_doubted(struct netd_mac_table *t)
{
    for (uint32_t i = 1; i < t->fresh; i++) {
        if (t->slots[i].used && t->slots[i].entry.doubted)
            remove_slot(t, i);
    }
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

void netd_mac_set_times(struct netd_mac_table *t, int64_t age_ns, int64_t guard_ns)
{
    t->limits.age_ns = age_ns;
    t->limits.guard_ns = guard_ns;
}

/* Whether what an earlier program has left in a slot can be used. */
static bool usable(const struct netd_mac_table *t, const struct slot *s, netd_mac_keep_fn keep,
                   void *arg)
{
    struct netd_mac_entry e = s->entry;

    return s->sequence % 2 == 0 && s->used && e.mac && e.mac >> 48 == 0 &&
           !netd_mac_is_group(e.mac) && e.vlan <= NETD_VLAN_MAX && keep(arg, &e) &&
           !*find_link(t, e.mac, e.vlan);
}

static void take_over(struct netd_mac_table *t, uint32_t i)
{
    struct slot *s = &t->slots[i];
    uint32_t *bucket = bucket_of(t, s->entry.mac, s->entry.vlan);

    s->next = *bucket;
    *bucket = i;
    t->count++;
    if (!s->entry.fixed)
        t->learnt[s->entry.port % NETD_PORT_SLOTS]++;
}

struct netd_mac_table *netd_mac_table_at(const struct netd_mac_limits *limits, void *memory,
                                         netd_mac_keep_fn keep, void *arg)
{
    struct netd_mac_table *t = make(limits, memory);
    uint32_t last = limits->entries;

    if (!t)
        return NULL;
    while (last && !t->slots[last].sequence && !t->slots[last].used)
        last--;
    t->fresh = last + 1;
    for (uint32_t i = 1; i <= last; i++) {
        struct slot *s = &t->slots[i];

        if (usable(t, s, keep, arg)) {
            take_over(t, i);
        } else {
            *s = (struct slot){.next = t->free_head};
            t->free_head = i;
        }
    }
    return t;
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
