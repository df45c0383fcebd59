/*
 * A net device's text, and the address it has when nobody chose one.
 */
#include "vmcore/guest/device_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool mac_given(const uint8_t mac[6])
{
    static const uint8_t none[6];

    return memcmp(mac, none, sizeof(none)) != 0;
}

const char *device_mac_text(const uint8_t mac[6], char buf[18])
{
    snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
    return buf;
}

static void print_vlan(const struct device_net *n, struct um_buf *b)
{
    if (n->vlan_mode == DEVICE_VLAN_ACCESS)
        um_buf_printf(b, ",vlan=%u", n->vlan);
    for (size_t i = 0; i < n->trunk_count; i++) {
        um_buf_printf(b, "%s%u", i ? "+" : ",vlan=trunk:", n->trunk[i].first);
        if (n->trunk[i].last != n->trunk[i].first)
            um_buf_printf(b, "-%u", n->trunk[i].last);
    }
    if (n->native)
        um_buf_printf(b, ",native=%u", n->native);
}

static void print_guards(const struct device_net *n, struct um_buf *b)
{
    const struct {
        const char *name;
        bool set;
    } guards[] = {{"mac", n->guard_mac}, {"dhcp", n->guard_dhcp}, {"ra", n->guard_ra}};
    const char *before = ",guard=";

    for (size_t i = 0; i < UM_ARRAY_LEN(guards); i++) {
        if (!guards[i].set)
            continue;
        um_buf_printf(b, "%s%s", before, guards[i].name);
        before = "+";
    }
}

static void print_prefixes(const struct device_net *n, struct um_buf *b)
{
    const char *before = ",ip=";

    for (size_t i = 0; i < n->ipv4_count + n->ipv6_count; i++) {
        bool v4 = i < n->ipv4_count;
        const struct device_prefix *x = v4 ? &n->ipv4[i] : &n->ipv6[i - n->ipv4_count];
        char text[INET6_ADDRSTRLEN] = "";

        inet_ntop(v4 ? AF_INET : AF_INET6, x->address, text, sizeof(text));
        um_buf_printf(b, "%s%s", before, text);
        if (x->bits != (v4 ? 32 : 128))
            um_buf_printf(b, "/%u", x->bits);
        before = "+";
    }
}

static void print_amount(const char *key, uint64_t bytes, struct um_buf *b)
{
    char size[32];

    if (bytes)
        um_buf_printf(b, ",%s=%s", key, um_format_size(bytes, size, sizeof(size)));
}

void device_net_print(const struct device_net *n, struct um_buf *b)
{
    char mac[18];

    um_buf_puts(b, n->network);
    if (mac_given(n->mac))
        um_buf_printf(b, ",mac=%s", device_mac_text(n->mac, mac));
    if (n->mtu)
        um_buf_printf(b, ",mtu=%u", n->mtu);
    print_vlan(n, b);
    if (n->isolated)
        um_buf_printf(b, ",isolated=%u", n->isolated);
    print_guards(n, b);
    print_prefixes(n, b);
    print_amount("rate", n->in_rate, b);
    print_amount("burst", n->in_burst, b);
    print_amount("rate-out", n->out_rate, b);
    print_amount("burst-out", n->out_burst, b);
}

/* ---- addresses ---- */

void device_net_mac(int64_t guest, int unit, uint8_t ret[6])
{
    uint32_t id = (uint32_t)guest;

    ret[0] = 0x02; /* locally administered, of one station */
    ret[1] = (uint8_t)(id >> 24);
    ret[2] = (uint8_t)(id >> 16);
    ret[3] = (uint8_t)(id >> 8);
    ret[4] = (uint8_t)id;
    ret[5] = (uint8_t)unit;
}

bool device_net_has_mac(const struct device *d)
{
    return d->kind == DEVICE_NET && mac_given(d->net->mac);
}

bool device_net_set_mac(struct device *d, const uint8_t mac[6])
{
    struct um_buf b = UM_BUF_INIT;
    struct device_net with = *d->net;
    char *text;

    memcpy(with.mac, mac, sizeof(with.mac));
    um_buf_append(&b, d->text, strcspn(d->text, "=") + 1);
    device_net_print(&with, &b);
    text = um_buf_take(&b);
    if (!text)
        return false;
    free(d->text);
    d->text = text;
    *d->net = with;
    return true;
}
