/*
 * Which port an address was last seen at: a hash table of fixed size, so that no guest can make it
 * grow. Addresses are per VLAN: the same one may live at different ports of two VLANs.
 */
#ifndef NETD_MAC_TABLE_H
#define NETD_MAC_TABLE_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct netd_mac_table;

struct netd_mac_limits {
    uint32_t entries;  /* all in all, 1..1048576 */
    uint32_t per_port; /* learnt ones of one port: more are not learnt, and so flooded to */
    int64_t age_ns;    /* a learnt one is forgotten when not seen for so long */
    int64_t guard_ns;  /* a learnt one that was seen so recently does not move; 0: moves at once */
};

/* What uml_switch(1) does: 100 s, no guard. */
extern const struct netd_mac_limits netd_mac_limits_default;

struct netd_mac_entry {
    uint64_t mac;
    uint16_t vlan;
    bool fixed; /* set by hand: neither ages nor moves */
    uint32_t port;
    int64_t seen_ns;
};

enum netd_mac_learnt {
    NETD_MAC_KNOWN,
    NETD_MAC_NEW,
    NETD_MAC_MOVED,
    NETD_MAC_REFUSED, /* fixed, or guarded, at another port: not to be believed */
    NETD_MAC_FULL     /* no room for it; nothing wrong with the frame */
};

#define NETD_MAC_NOWHERE UINT32_MAX

/* Ids of ports: slot + n * NETD_PORT_SLOTS, where n grows each time the slot is used again. */
enum { NETD_PORT_SLOTS = 4096 };

/* NULL: no memory. */
struct netd_mac_table *netd_mac_table_new(const struct netd_mac_limits *limits)
    um_nonnull(1) um_check;
void netd_mac_table_free(struct netd_mac_table *t);

/* mac was seen as a source at port; now_ns only grows. ret_was (may be NULL): with MOVED and
 * REFUSED, the port that it was known at. */
enum netd_mac_learnt netd_mac_learn(struct netd_mac_table *t, uint64_t mac, uint16_t vlan,
                                    uint32_t port, int64_t now_ns, uint32_t *ret_was) um_nonnull(1);
/* Port, or NETD_MAC_NOWHERE. */
uint32_t netd_mac_find(const struct netd_mac_table *t, uint64_t mac, uint16_t vlan) um_nonnull(1);
/* Put a fixed entry, in place of a learnt one if there is one. False: no room. */
bool netd_mac_fix(struct netd_mac_table *t, uint64_t mac, uint16_t vlan, uint32_t port)
    um_nonnull(1) um_check;
/* Whether there was one. */
bool netd_mac_forget(struct netd_mac_table *t, uint64_t mac, uint16_t vlan) um_nonnull(1);
/* All entries of a port that is going, fixed ones too. */
void netd_mac_forget_port(struct netd_mac_table *t, uint32_t port) um_nonnull(1);
/* Forget what was not seen for age_ns; how many. */
uint32_t netd_mac_age(struct netd_mac_table *t, int64_t now_ns) um_nonnull(1);

uint32_t netd_mac_count(const struct netd_mac_table *t) um_nonnull(1);
/* Entries one by one: start with *at = 0, until false. The table must not change between. */
bool netd_mac_next(const struct netd_mac_table *t, uint32_t *at, struct netd_mac_entry *ret)
    um_nonnull(1, 2, 3) um_check;

#endif
