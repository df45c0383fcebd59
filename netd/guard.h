/*
 * What a port may claim to be: the addresses that its frames may come from, and the services that
 * it may not offer. Looked at on the way in, before anything is learnt. Frames are a guest's:
 * whatever cannot be understood far enough to be judged is refused, since its receiver might
 * understand it.
 */
#ifndef NETD_GUARD_H
#define NETD_GUARD_H

#include "netd/frame.h"

enum { NETD_GUARD_SOURCES = 8 };

/* An IPv4 prefix has its address in the first four bytes, and at most 32 bits. */
struct netd_prefix {
    uint8_t address[16]; /* as in a packet */
    uint8_t bits;
};

/* All zero: everything is allowed. */
struct netd_guard {
    uint64_t mac;        /* the only source address; 0: any */
    uint8_t ipv4_count;  /* prefixes that IPv4 and ARP may come from; 0: any */
    uint8_t ipv6_count;  /* the same for IPv6, besides link-local addresses; 0: any */
    bool no_dhcp_server; /* DHCP and DHCPv6: no answers of servers */
    bool no_router;      /* no router advertisements and redirects */
    struct netd_prefix ipv4[NETD_GUARD_SOURCES];
    struct netd_prefix ipv6[NETD_GUARD_SOURCES];
};

/*
 * NETD_PASS, or LOCKED (another source address), SPOOFED (another IP address, or one that is
 * hidden), SERVICE (a service that the port may not offer). frame is what netd_frame_parse() made
 * of data.
 */
int netd_guard_check(const struct netd_guard *guard, const struct netd_frame *frame,
                     const uint8_t *data, size_t len) um_nonnull(1, 2, 3) um_check;

#endif
