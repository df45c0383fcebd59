/*
 * umld's ports and the switch's. A configured port is a port of the switch for as long as it is
 * configured, with the same id after a restart, so that addresses and counters stay its own; links
 * come and go.
 */
#include "netd/managed.h"
#include "netd/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids of the ports of listeners begin here. */
#define LISTENER_PORTS 0x80000000u

static struct netd_managed_port **place_of(struct netd_managed *m, uint32_t port)
{
    return &m->ports[port % NETD_PORT_SLOTS];
}

struct netd_managed_port *netd_ports_by_id(struct netd_managed *m, uint32_t id)
{
    for (int i = 0; i < NETD_PORT_SLOTS; i++) {
        if (m->ports[i] && m->ports[i]->id == id)
            return m->ports[i];
    }
    return NULL;
}

struct netd_managed_port *netd_ports_by_name(struct netd_managed *m, const char *guest,
                                             const char *device)
{
    for (int i = 0; i < NETD_PORT_SLOTS; i++) {
        struct netd_managed_port *p = m->ports[i];

        if (p && strcmp(p->guest, guest) == 0 && strcmp(p->device, device) == 0)
            return p;
    }
    return NULL;
}

uint32_t netd_ports_id_of(const struct netd_managed *m, uint32_t port)
{
    const struct netd_managed_port *p = m->ports[port % NETD_PORT_SLOTS];

    return p && p->port == port ? p->id : LISTENER_PORTS | port;
}

static const char *config_of(const struct netd_managed *m, const struct netd_ctl_port *said,
                             struct netd_port_config *ret)
{
    const char *wrong = netd_policy_check(&said->policy, &m->network, ret);

    if (!wrong)
        snprintf(ret->name, sizeof(ret->name), "%.46s/%s", said->guest, said->device);
    return wrong;
}

static void remember(struct netd_managed *m, const struct netd_managed_port *p)
{
    struct netd_record *r = netd_state_record(m->state, p->port);

    netd_record_write(r, p->id, p->port, NULL);
    netd_switch_count_at(m->sw, p->port, &r->counters);
}

static struct netd_managed_port *add(struct netd_managed *m, uint32_t id,
                                     const struct netd_port_config *config)
{
    struct netd_managed_port *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->id = id;
    p->port = netd_switch_add(m->sw, config, &netd_link_none, NULL);
    if (p->port == NETD_MAC_NOWHERE) {
        free(p);
        return NULL;
    }
    *place_of(m, p->port) = p;
    remember(m, p);
    return p;
}

static void restore(struct netd_managed *m, struct netd_record *r)
{
    struct netd_managed_port *p = calloc(1, sizeof(*p));

    if (!p || netd_ports_by_id(m, r->id) ||
        !netd_switch_add_as(m->sw, r->port, &netd_port_config_default, &netd_link_none, NULL)) {
        free(p);
        netd_record_clear(r);
        return;
    }
    p->id = r->id;
    p->port = r->port;
    *place_of(m, p->port) = p;
    netd_switch_count_at(m->sw, p->port, &r->counters);
    if (r->up)
        netd_switch_await(m->sw, p->port);
}

void netd_ports_set_up(struct netd_managed *m, const struct netd_managed_port *p, bool up)
{
    netd_state_record(m->state, p->port)->up = up;
}

void netd_ports_stop_waiting(struct netd_managed *m)
{
    for (int i = 0; i < NETD_PORT_SLOTS; i++) {
        struct netd_managed_port *p = m->ports[i];

        if (!p || p->offer || !netd_state_record(m->state, p->port)->up)
            continue;
        netd_ports_set_up(m, p, false);
        netd_switch_attach(m->sw, p->port, &netd_link_none, NULL);
    }
}

void netd_ports_restore(struct netd_managed *m)
{
    for (uint32_t slot = 0; slot < NETD_PORT_SLOTS; slot++) {
        struct netd_record *r = netd_state_record(m->state, slot);

        if (r->id && r->id < LISTENER_PORTS)
            restore(m, r);
    }
}

static void remove_port(struct netd_managed *m, struct netd_managed_port *p)
{
    if (p->offer)
        netd_offer_end(p->offer, "the port is gone");
    *place_of(m, p->port) = NULL;
    netd_switch_remove(m->sw, p->port);
    netd_record_clear(netd_state_record(m->state, p->port));
    free(p);
}

/* A link belongs to a guest and its device: when the port becomes another's, it goes. */
static void rename_port(struct netd_managed_port *p, const struct netd_ctl_port *said)
{
    bool same = strcmp(p->guest, said->guest) == 0 && strcmp(p->device, said->device) == 0;

    if (p->offer && !same)
        netd_offer_end(p->offer, "the port is of another device now");
    memcpy(p->guest, said->guest, sizeof(p->guest));
    memcpy(p->device, said->device, sizeof(p->device));
}

int netd_ports_put(struct netd_managed *m, const struct netd_ctl_port *said, const char **why)
{
    struct netd_managed_port *p = netd_ports_by_id(m, said->id);
    struct netd_managed_port *other;
    struct netd_port_config config;

    *why = "a port has an id below 0x80000000, and names of guest and device";
    if (!said->id || said->id >= LISTENER_PORTS ||
        !netd_text_ok(said->guest, sizeof(said->guest)) ||
        !netd_text_ok(said->device, sizeof(said->device)))
        return EINVAL;
    *why = config_of(m, said, &config);
    if (*why)
        return EINVAL;
    other = netd_ports_by_name(m, said->guest, said->device);
    *why = "another port has this guest and device: drop it first";
    if (other && other != p && other->generation == m->generation)
        return EEXIST;
    if (other && other != p)
        remove_port(m, other);
    *why = "no port is free, or no memory";
    if (!p)
        p = add(m, said->id, &config);
    else if (!netd_switch_configure(m->sw, p->port, &config))
        return ENOMEM;
    if (!p)
        return ENOSPC;
    rename_port(p, said);
    p->policy = said->policy;
    p->generation = m->generation;
    return 0;
}

int netd_ports_drop(struct netd_managed *m, uint32_t id)
{
    struct netd_managed_port *p = netd_ports_by_id(m, id);

    if (!p)
        return ENOENT;
    remove_port(m, p);
    return 0;
}

int netd_ports_refresh(struct netd_managed *m, const char **why)
{
    for (int i = 0; i < NETD_PORT_SLOTS; i++) {
        struct netd_managed_port *p = m->ports[i];
        struct netd_ctl_port said;
        struct netd_port_config config;

        if (!p || !p->guest[0]) /* it was restored, and is still to be told */
            continue;
        memcpy(said.guest, p->guest, sizeof(said.guest));
        memcpy(said.device, p->device, sizeof(said.device));
        said.policy = p->policy;
        *why = config_of(m, &said, &config);
        if (*why)
            return EINVAL;
        *why = "no memory";
        if (!netd_switch_configure(m->sw, p->port, &config))
            return ENOMEM;
    }
    return 0;
}

void netd_ports_sweep(struct netd_managed *m, bool all)
{
    for (int i = 0; i < NETD_PORT_SLOTS; i++) {
        struct netd_managed_port *p = m->ports[i];

        if (p && (all || p->generation != m->generation))
            remove_port(m, p);
    }
}
