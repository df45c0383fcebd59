#include "netd/policy.h"

#include "vmcore/base/clock.h"

#include <string.h>

_Static_assert((int)NETD_DROP_COUNT <= (int)NETD_CTL_DROPS, "places for all counters");
_Static_assert((int)NETD_GUARD_SOURCES == (int)NETD_CTL_SOURCES, "prefixes of a guard");

enum { FRAME_MIN = 64 }; /* shorter than that no Ethernet can be */

static const char *check_vlans(const struct netd_ctl_policy *p)
{
    if (p->vlan_mode > NETD_VLAN_TRUNK)
        return "no such VLAN mode";
    if (p->vlan > NETD_VLAN_MAX || (p->vlan_mode == NETD_VLAN_ACCESS && p->vlan == 0))
        return "a VLAN is 1 to 4094";
    return NULL;
}

static bool take_prefixes(const struct netd_ctl_prefix *prefixes, uint32_t count, uint32_t bits_max,
                          struct netd_prefix *ret, uint8_t *ret_count)
{
    if (count > NETD_CTL_SOURCES)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (prefixes[i].bits > bits_max)
            return false;
        memcpy(ret[i].address, prefixes[i].address, sizeof(ret[i].address));
        ret[i].bits = (uint8_t)prefixes[i].bits;
    }
    *ret_count = (uint8_t)count;
    return true;
}

const char *netd_policy_check(const struct netd_ctl_policy *policy,
                              const struct netd_ctl_network *network, struct netd_port_config *ret)
{
    struct netd_port_config c = netd_port_config_default;
    const char *wrong = check_vlans(policy);

    if (wrong)
        return wrong;
    if (policy->no_dhcp_server > 1 || policy->no_router > 1)
        return "a flag is 0 or 1";
    if (!take_prefixes(policy->ipv4, policy->ipv4_count, 32, c.guard.ipv4, &c.guard.ipv4_count) ||
        !take_prefixes(policy->ipv6, policy->ipv6_count, 128, c.guard.ipv6, &c.guard.ipv6_count))
        return "at most 8 prefixes of a family, of 32 or 128 bits";
    c.guard.mac = netd_mac_from_bytes(policy->mac);
    if (netd_mac_is_group(c.guard.mac))
        return "a port's own address is none of a group";
    c.guard.no_dhcp_server = policy->no_dhcp_server;
    c.guard.no_router = policy->no_router;
    c.vlan_mode = (enum netd_vlan_mode)policy->vlan_mode;
    c.vlan = policy->vlan;
    c.vlan_set = (uint8_t *)policy->vlan_set;
    c.isolation = policy->isolation;
    c.storm_rate = policy->storm_rate ? policy->storm_rate : network->storm_rate;
    c.frame_max = network->frame_max + NETD_TAG_LEN;
    *ret = c;
    return NULL;
}

const char *netd_network_check(const struct netd_ctl_network *n, struct netd_switch_config *ret)
{
    struct netd_switch_config c = netd_switch_config_default;

    if (n->hub > 1 || n->loop_guard > 1)
        return "a flag is 0 or 1";
    if (n->frame_max < FRAME_MIN || n->frame_max > NETD_FRAME_MAX - NETD_TAG_LEN)
        return "the longest frame is 64 to 65548 bytes";
    if (n->ports_max > NETD_PORT_SLOTS)
        return "at most 4096 ports are possible";
    c.hub = n->hub;
    if (n->ports_max)
        c.ports_max = n->ports_max;
    c.mac.age_ns = n->mac_age_s ? (int64_t)n->mac_age_s * UM_SEC_NS : INT64_MAX;
    c.mac.guard_ns = (int64_t)n->mac_guard_s * UM_SEC_NS;
    c.hold_ns = (int64_t)n->hold_ms * UM_MS_NS;
    *ret = c;
    return NULL;
}

uint64_t netd_mac_from_bytes(const uint8_t bytes[8])
{
    uint64_t mac = 0;

    for (int i = 0; i < 6; i++)
        mac = mac << 8 | bytes[i];
    return mac;
}

void netd_mac_to_bytes(uint64_t mac, uint8_t ret[8])
{
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)(mac >> (40 - 8 * i));
    ret[6] = ret[7] = 0;
}

bool netd_text_ok(const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    if (len == 0 || len == size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}
