/*
 * What umld may ask, one row each: the size of the struct, how many descriptors, and who does it.
 * Sizes are checked here once; the functions see whole requests.
 */
#include "netd/managed.h"
#include "netd/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An errno, with *why for people; a list goes to ret. */
typedef int (*request_fn)(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                          const char **why);

static int do_network(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                      const char **why)
{
    struct netd_ctl_network said;
    struct netd_switch_config config;
    int errnum;

    memcpy(&said, r->body, sizeof(said));
    *why = netd_network_check(&said, &config);
    if (*why)
        return EINVAL;
    m->network = said;
    m->generation++;
    netd_switch_set_limits(m->sw, &config);
    netd_mac_doubt_fixed(netd_switch_macs(m->sw));
    errnum = netd_ports_refresh(m, why);
    return errnum ? errnum : netd_listen_refresh(m, why);
}

static int do_listen(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                     const char **why)
{
    struct netd_ctl_listen said;

    memcpy(&said, r->body, sizeof(said));
    return netd_listen_put(m, &said, r->fds, why);
}

static int do_port(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                   const char **why)
{
    struct netd_ctl_port said;

    memcpy(&said, r->body, sizeof(said));
    return netd_ports_put(m, &said, why);
}

static uint32_t id_in(const struct netd_request *r)
{
    struct netd_ctl_id id;

    memcpy(&id, r->body, sizeof(id));
    return id.id;
}

static int do_port_drop(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                        const char **why)
{
    *why = "the network has no such port";
    return netd_ports_drop(m, id_in(r));
}

static int do_mac_fix(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                      const char **why)
{
    struct netd_managed_port *p;
    struct netd_ctl_mac said;
    uint64_t mac;

    memcpy(&said, r->body, sizeof(said));
    mac = netd_mac_from_bytes(said.mac);
    *why = "an address of one station, and a VLAN up to 4094";
    if (!mac || netd_mac_is_group(mac) || said.vlan > NETD_VLAN_MAX)
        return EINVAL;
    p = netd_ports_by_id(m, said.port);
    *why = "the network has no such port";
    if (!p)
        return ENOENT;
    *why = "the table of addresses is full";
    return netd_mac_fix(netd_switch_macs(m->sw), mac, said.vlan, p->port) ? 0 : ENOSPC;
}

static int do_mac_forget(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                         const char **why)
{
    struct netd_ctl_mac said;

    memcpy(&said, r->body, sizeof(said));
    *why = "the address is not known";
    return netd_mac_forget(netd_switch_macs(m->sw), netd_mac_from_bytes(said.mac), said.vlan)
               ? 0
               : ENOENT;
}

static int do_go(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                 const char **why)
{
    *why = "no NETWORK was told";
    if (!m->generation)
        return EPROTO;
    netd_ports_sweep(m, false);
    netd_listen_sweep(m, false);
    netd_mac_forget_doubted(netd_switch_macs(m->sw));
    m->going = true;
    netd_offers_watch(m->offers, true);
    return 0;
}

static int do_ports(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                    const char **why)
{
    netd_list_ports(m, id_in(r), ret);
    return 0;
}

static int do_macs(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                   const char **why)
{
    netd_list_macs(m, id_in(r), ret);
    return 0;
}

static int do_handover(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret,
                       const char **why)
{
    netd_managed_end(m);
    return 0;
}

static const struct row {
    request_fn fn;
    size_t size;
    int fds_min, fds_max;
} rows[] = {
    [NETD_CTL_NETWORK] = {do_network, sizeof(struct netd_ctl_network), 0, 0},
    [NETD_CTL_LISTEN] = {do_listen, sizeof(struct netd_ctl_listen), 0, 2},
    [NETD_CTL_PORT] = {do_port, sizeof(struct netd_ctl_port), 0, 0},
    [NETD_CTL_PORT_DROP] = {do_port_drop, sizeof(struct netd_ctl_id), 0, 0},
    [NETD_CTL_MAC_FIX] = {do_mac_fix, sizeof(struct netd_ctl_mac), 0, 0},
    [NETD_CTL_MAC_FORGET] = {do_mac_forget, sizeof(struct netd_ctl_mac), 0, 0},
    [NETD_CTL_GO] = {do_go, 0, 0, 0},
    [NETD_CTL_PORTS] = {do_ports, sizeof(struct netd_ctl_id), 0, 0},
    [NETD_CTL_MACS] = {do_macs, sizeof(struct netd_ctl_id), 0, 0},
    [NETD_CTL_HANDOVER] = {do_handover, 0, 0, 0},
};

static bool well_formed(const struct row *row, const struct netd_request *r)
{
    int fds = 0;

    while (fds < NETD_REQUEST_FDS && r->fds[fds] >= 0)
        fds++;
    return r->len == row->size && fds >= row->fds_min && fds <= row->fds_max;
}

void netd_request_do(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret)
{
    const struct row *row = r->type < UM_ARRAY_LEN(rows) ? &rows[r->type] : NULL;
    const char *why = NULL;
    int errnum;

    ret->len = 0;
    memset(&ret->reply, 0, sizeof(ret->reply));
    if (!row || !row->fn) {
        errnum = EOPNOTSUPP;
        why = "no such request";
    } else if (!well_formed(row, r)) {
        errnum = EINVAL;
        why = "not of the size it must have, or with other descriptors";
    } else {
        errnum = row->fn(m, r, ret, &why);
    }
    ret->reply.errnum = errnum;
    if (errnum && why)
        snprintf(ret->reply.text, sizeof(ret->reply.text), "%s", why);
}
