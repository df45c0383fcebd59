/*
 * Sources: RFC 826 (ARP), 791 (IPv4), 8200 (IPv6 and its extension headers), 4861 (neighbour
 * discovery), 7113 (how router advertisements are hidden), 2131 and 8415 (ports of DHCP).
 */
#include "netd/guard.h"

#include "netd/drop.h"

#include <string.h>

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_RARP = 0x8035,
    TYPE_VLAN = 0x8100,
    TYPE_IPV6 = 0x86dd,
    TYPE_VLAN_OUTER = 0x88a8,
    TYPE_VLAN_OLD = 0x9100,
    TYPE_FIRST = 0x0600, /* below: a length, and LLC behind it */
    PROTO_HOP_BY_HOP = 0,
    PROTO_UDP = 17,
    PROTO_ROUTING = 43,
    PROTO_FRAGMENT = 44,
    PROTO_ICMPV6 = 58,
    PROTO_OPTIONS = 60,
    ICMPV6_ROUTER_ADVERTISEMENT = 134,
    ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
    ICMPV6_REDIRECT = 137,
    DHCP_SERVER = 67,
    DHCP_CLIENT = 68,
    DHCPV6_SERVER = 547,
    EXTENSIONS_MAX = 8
};

/* The packet in a frame. */
struct packet {
    const struct netd_guard *guard;
    const uint8_t *data;
    size_t len;
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static bool all_zero(const uint8_t *p, size_t len)
{
    while (len && *p == 0) {
        p++;
        len--;
    }
    return len == 0;
}

static bool within(const struct netd_prefix *prefix, const uint8_t *address)
{
    size_t bytes = prefix->bits / 8;
    unsigned rest = prefix->bits % 8;

    if (memcmp(prefix->address, address, bytes) != 0)
        return false;
    return rest == 0 || (prefix->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}

static bool allowed(const struct netd_prefix *prefixes, uint8_t count, const uint8_t *address)
{
    for (uint8_t i = 0; i < count; i++) {
        if (within(&prefixes[i], address))
            return true;
    }
    return count == 0;
}

/* Sender's addresses; an unknown IP address (a probe) is fine. */
static int check_arp(const struct packet *p)
{
    const struct netd_guard *g = p->guard;
    uint64_t hardware;

    if (!g->mac && !g->ipv4_count)
        return NETD_PASS;
    if (p->len < 28 || get16(p->data) != 1 || get16(p->data + 2) != TYPE_IPV4 || p->data[4] != 6 ||
        p->data[5] != 4)
        return NETD_DROP_SPOOFED;
    hardware = (uint64_t)get16(p->data + 8) << 32 | (uint64_t)get16(p->data + 10) << 16 |
               get16(p->data + 12);
    if (g->mac && hardware != g->mac)
        return NETD_DROP_LOCKED;
    if (all_zero(p->data + 14, 4) || allowed(g->ipv4, g->ipv4_count, p->data + 14))
        return NETD_PASS;
    return NETD_DROP_SPOOFED;
}

/* The UDP header of a packet, its ports only. NETD_PASS also if it is of no interest. */
static int check_udp(const struct packet *p, size_t at, uint16_t server)
{
    if (!p->guard->no_dhcp_server)
        return NETD_PASS;
    if (p->len < at + 8 || get16(p->data + at) == server)
        return NETD_DROP_SERVICE;
    return NETD_PASS;
}

static bool is_dhcp_client(const struct packet *p, size_t at)
{
    return p->data[9] == PROTO_UDP && p->len >= at + 8 && get16(p->data + at) == DHCP_CLIENT &&
           get16(p->data + at + 2) == DHCP_SERVER;
}

static int check_ipv4(const struct packet *p)
{
    const struct netd_guard *g = p->guard;
    size_t header;

    if (!g->ipv4_count && !g->no_dhcp_server)
        return NETD_PASS;
    if (p->len < 20 || p->data[0] >> 4 != 4)
        return NETD_DROP_SPOOFED;
    header = (size_t)(p->data[0] & 15) * 4;
    if (header < 20 || p->len < header)
        return NETD_DROP_SPOOFED;
    if (!allowed(g->ipv4, g->ipv4_count, p->data + 12) &&
        !(all_zero(p->data + 12, 4) && is_dhcp_client(p, header)))
        return NETD_DROP_SPOOFED;
    /* Later fragments have no ports; without the first they are nothing. */
    if (p->data[9] != PROTO_UDP || (get16(p->data + 6) & 0x1fff) != 0)
        return NETD_PASS;
    return check_udp(p, header, DHCP_SERVER);
}

static bool is_link_local(const uint8_t *address)
{
    return address[0] == 0xfe && address[1] >> 6 == 2;
}

static int check_icmpv6(const struct packet *p, size_t at)
{
    const struct netd_guard *g = p->guard;
    uint8_t type;

    if (p->len < at + 4)
        return NETD_DROP_SERVICE;
    type = p->data[at];
    if (g->no_router && (type == ICMPV6_ROUTER_ADVERTISEMENT || type == ICMPV6_REDIRECT))
        return NETD_DROP_SERVICE;
    if (type != ICMPV6_NEIGHBOUR_ADVERTISEMENT || !g->ipv6_count)
        return NETD_PASS;
    if (p->len < at + 24) /* up to the end of the address that it says to have */
        return NETD_DROP_SPOOFED;
    if (is_link_local(p->data + at + 8) || allowed(g->ipv6, g->ipv6_count, p->data + at + 8))
        return NETD_PASS;
    return NETD_DROP_SPOOFED;
}

/* Of the fragmentable part, later fragments have no headers; without the first they are nothing. */
static bool is_later_fragment(const struct packet *p, uint8_t header, size_t at)
{
    return header == PROTO_FRAGMENT && (get16(p->data + at + 2) & 0xfff8) != 0;
}

/* Through the extension headers to what is carried. */
static int check_ipv6_content(const struct packet *p)
{
    uint8_t header = p->data[6];
    size_t at = 40, size;

    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        switch (header) {
        case PROTO_ICMPV6:
            return check_icmpv6(p, at);
        case PROTO_UDP:
            return check_udp(p, at, DHCPV6_SERVER);
        case PROTO_HOP_BY_HOP:
        case PROTO_ROUTING:
        case PROTO_OPTIONS:
        case PROTO_FRAGMENT:
            break;
        default:
            return NETD_PASS;
        }
        if (p->len < at + 8)
            return NETD_DROP_SERVICE;
        if (is_later_fragment(p, header, at))
            return NETD_PASS;
        size = header == PROTO_FRAGMENT ? 8 : ((size_t)p->data[at + 1] + 1) * 8;
        header = p->data[at];
        at += size;
    }
    return NETD_DROP_SERVICE;
}

static int check_ipv6(const struct packet *p)
{
    const struct netd_guard *g = p->guard;

    if (!g->ipv6_count && !g->no_dhcp_server && !g->no_router)
        return NETD_PASS;
    if (p->len < 40 || p->data[0] >> 4 != 6)
        return NETD_DROP_SPOOFED;
    if (!is_link_local(p->data + 8) && !all_zero(p->data + 8, 16) &&
        !allowed(g->ipv6, g->ipv6_count, p->data + 8))
        return NETD_DROP_SPOOFED;
    return check_ipv6_content(p);
}

/* With addresses or services to look after: tags within tags, LLC and RARP could hide them. */
static int check_packet(const struct packet *p, uint16_t type)
{
    switch (type) {
    case TYPE_ARP:
        return check_arp(p);
    case TYPE_IPV4:
        return check_ipv4(p);
    case TYPE_IPV6:
        return check_ipv6(p);
    case TYPE_RARP:
    case TYPE_VLAN:
    case TYPE_VLAN_OUTER:
    case TYPE_VLAN_OLD:
        return NETD_DROP_SPOOFED;
    default:
        return type < TYPE_FIRST ? NETD_DROP_SPOOFED : NETD_PASS;
    }
}

int netd_guard_check(const struct netd_guard *guard, const struct netd_frame *frame,
                     const uint8_t *data, size_t len)
{
    size_t header = frame->tagged ? NETD_HEADER_LEN + NETD_TAG_LEN : NETD_HEADER_LEN;
    struct packet p = {.guard = guard, .data = data + header, .len = len - header};

    if (guard->mac && frame->src != guard->mac)
        return NETD_DROP_LOCKED;
    if (!guard->ipv4_count && !guard->ipv6_count && !guard->no_dhcp_server && !guard->no_router &&
        !guard->mac)
        return NETD_PASS;
    return check_packet(&p, get16(data + header - 2));
}
