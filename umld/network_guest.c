/*
 * What definitions of guests want of networks.
 */
#include "umld/guest.h"
#include "umld/network_private.h"
#include "vmcore/base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *network_of_device(const struct device *d)
{
    return d->kind == DEVICE_NET ? d->net->network : NULL;
}

static size_t copy_prefixes(const struct device_prefix *from, size_t count,
                            struct netd_ctl_prefix to[NETD_CTL_SOURCES])
{
    for (size_t i = 0; i < count; i++) {
        memcpy(to[i].address, from[i].address, sizeof(to[i].address));
        to[i].bits = from[i].bits;
    }
    return count;
}

void network_policy(const struct device *d, struct netd_ctl_policy *ret)
{
    const struct device_net *net = d->net;

    static_assert((int)DEVICE_NET_SOURCES <= (int)NETD_CTL_SOURCES, "all prefixes fit");
    /* Modes have the same numbers: enum device_vlan, enum netd_vlan_mode. */
    *ret = (struct netd_ctl_policy){
        .vlan_mode = net->vlan_mode,
        .vlan = (uint16_t)(net->vlan_mode == DEVICE_VLAN_TRUNK ? net->native : net->vlan),
        .isolation = net->isolated,
        .no_dhcp_server = net->guard_dhcp,
        .no_router = net->guard_ra,
        .in_rate = net->in_rate,
        .in_burst = net->in_burst,
        .out_rate = net->out_rate,
        .out_burst = net->out_burst};
    for (size_t i = 0; i < net->trunk_count; i++)
        for (unsigned v = net->trunk[i].first; v <= net->trunk[i].last; v++)
            ret->vlan_set[v / 8] |= (uint8_t)(1u << v % 8);
    if (net->guard_mac)
        memcpy(ret->mac, net->mac, sizeof(net->mac));
    ret->ipv4_count = (uint32_t)copy_prefixes(net->ipv4, net->ipv4_count, ret->ipv4);
    ret->ipv6_count = (uint32_t)copy_prefixes(net->ipv6, net->ipv6_count, ret->ipv6);
}

/* Ports of devices that the definition does not have any more. */
static void drop_others(struct guest *g)
{
    struct network_port *next;
    char name[32];

    for (struct network_port *p = g->umld->networks->ports; p; p = next) {
        bool named = p->guest_id != g->id;

        next = p->next;
        for (size_t i = 0; !named && i < g->def.device_count; i++)
            named = network_of_device(&g->def.devices[i]) &&
                    strcmp(device_name(&g->def.devices[i], name, sizeof(name)), p->device) == 0;
        if (!named)
            network_port_drop(g, p->device);
    }
}

void network_guest_defined(struct guest *g)
{
    struct um_error err;

    drop_others(g);
    for (size_t i = 0; i < g->def.device_count; i++)
        if (network_of_device(&g->def.devices[i]) &&
            network_port_set(g, &g->def.devices[i], NULL, NULL, &err))
            um_log(UM_LOG_ERROR, "guest %s: %s", g->def.name, err.message);
}

/* How many ports n has once a guest is as defined. */
static int wanted(const struct network *n, const struct guest_definition *def)
{
    int count = n->port_count;

    for (const struct network_port *p = n->umld->networks->ports; p; p = p->next)
        count -= p->network == n && strcmp(p->guest, def->name) == 0;
    for (size_t i = 0; i < def->device_count; i++) {
        const char *name = network_of_device(&def->devices[i]);

        count += name && strcmp(name, n->def.name) == 0;
    }
    return count;
}

enum um_code network_check_devices(struct umld *umld, const struct guest_definition *def,
                                   struct um_error *err)
{
    char object[96], field[48];

    for (size_t i = 0; i < def->device_count; i++) {
        const char *name = network_of_device(&def->devices[i]);

        const struct network *n = name ? network_find(umld, name) : NULL;

        if (!name || (n && wanted(n, def) <= n->def.max_ports))
            continue;
        snprintf(object, sizeof(object), "guest \"%s\"", def->name);
        snprintf(field, sizeof(field), "definition.devices[%zu]", i);
        if (!n)
            return network_unknown(umld, name, object, field, err);
        um_fail(err, UM_E_NO_RESOURCES, object, field,
                "network %s has %d ports already and may have %d", name, n->port_count,
                (int)n->def.max_ports);
        return um_hint(err, "umlctl net edit %s ports=N", name);
    }
    return UM_OK;
}

const char *network_missing(const struct guest *g, char *why, size_t size, bool *ret_lost)
{
    for (size_t i = 0; i < g->def.device_count; i++) {
        const char *name = network_of_device(&g->def.devices[i]);
        const struct network *n = name ? network_find(g->umld, name) : NULL;

        if (!name || (n && n->state == NETWORK_RUNNING))
            continue;
        *ret_lost = !n || n->state == NETWORK_FAILED;
        snprintf(why, size, "%s%s%s", n ? network_state_info(n->state)->name : "does not exist",
                 n && n->cause ? ": " : "", n && n->cause ? n->cause : "");
        return name;
    }
    return NULL;
}

static bool names_it(const struct guest *g, const char *name)
{
    for (size_t i = 0; i < g->def.device_count; i++) {
        const char *network = network_of_device(&g->def.devices[i]);

        if (network && strcmp(network, name) == 0)
            return true;
    }
    return false;
}

json_t *network_guests(struct umld *umld, const char *name)
{
    json_t *list = json_array();

    for (int i = 0; i < guest_count(umld); i++) {
        const struct guest *g = guest_list(umld, i);

        if (!g->removed && names_it(g, name))
            json_array_append_new(list, json_string(g->def.name));
    }
    return list;
}

void network_guests_wake(struct umld *umld)
{
    for (int i = 0; umld->order_waiting > 0 && i < guest_count(umld); i++)
        if (guest_list(umld, i)->waits)
            guest_effect(guest_list(umld, i), EFFECT_PREPARE);
}
