/*
 * Ethernet frames as they come from guests: hostile bytes. IEEE 802.3 header, one 802.1Q tag.
 */
#ifndef NETD_FRAME_H
#define NETD_FRAME_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NETD_HEADER_LEN = 14,
    NETD_TAG_LEN = 4,
    NETD_VLAN_MAX = 4094,
    /* uml(kernel), vector_kern.c: mtu at most 65534; header and tag are on top. */
    NETD_FRAME_MAX = 65534 + NETD_HEADER_LEN + NETD_TAG_LEN
};

struct netd_frame {
    uint64_t dst, src; /* six bytes, first one highest: 01:00:... is 0x010000000000 */
    uint16_t vlan;     /* of the tag; 0 without one, or in a tag that has a priority only */
    uint16_t tci;      /* priority, drop indication and VLAN of the tag; 0 without */
    bool tagged;
};

/*
 * NETD_PASS, or the enum netd_drop that speaks against any switching: RUNT, BAD_TAG, BAD_SOURCE.
 * ret is filled only with NETD_PASS.
 */
int netd_frame_parse(const uint8_t *data, size_t len, struct netd_frame *ret)
    um_nonnull(1, 3) um_check;

/* Broadcast and multicast. */
static inline bool netd_mac_is_group(uint64_t mac)
{
    return mac >> 40 & 1;
}

#endif
