/*
 * Policies and networks as umld tells them (netd/proto.h), checked, and as the switch takes them.
 * Pure.
 */
#ifndef NETD_POLICY_H
#define NETD_POLICY_H

#include "netd/proto.h"
#include "netd/switch.h"

/*
 * NULL, or what is wrong, for people. ret has no name and no number; its VLANs are those of policy,
 * which must live on until the switch has copied them.
 */
const char *netd_policy_check(const struct netd_ctl_policy *policy,
                              const struct netd_ctl_network *network, struct netd_port_config *ret)
    um_nonnull(1, 2, 3) um_check;

/* The same for a network; ret is what it changes of the default. */
const char *netd_network_check(const struct netd_ctl_network *network,
                               struct netd_switch_config *ret) um_nonnull(1, 2) um_check;

/* Six bytes, as in a message; the other two are not looked at. */
uint64_t netd_mac_from_bytes(const uint8_t bytes[8]) um_nonnull(1);
void netd_mac_to_bytes(uint64_t mac, uint8_t ret[8]) um_nonnull(2);
/* A fixed text field of a message: not empty, printable ASCII, with its NUL. */
bool netd_text_ok(const char *text, size_t size) um_nonnull(1);

#endif
