/*
 * What umlnetd is told: its configuration as a whole, and single changes behind it.
 */
#include "umld/network_private.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of a part without which the rest means nothing. */
static void needed(struct network *n, const struct netd_ctl_reply *r, um_unused const char *data,
                   um_unused size_t len, um_unused void *arg)
{
    if (!r->errnum || r->errnum == ECONNRESET)
        return;
    network_condemn(n, "umlnetd (pid %d) refused its configuration: %s", (int)n->pid, r->text);
}

/* A port that is refused (more than there may be) is told to who waits; the others work. */
static void port_told(struct network *n, const struct netd_ctl_reply *r, um_unused const char *data,
                      um_unused size_t len, void *arg)
{
    if (r->errnum == ECONNRESET)
        return; /* the next umlnetd is told, too */
    if (r->errnum)
        um_log(UM_LOG_WARNING, "network %s: umlnetd refused a port: %s", n->def.name, r->text);
    network_port_answer(n->umld, (int64_t)(intptr_t)arg, r->errnum, r->text);
}

static void told(struct network *n, const struct netd_ctl_reply *r, um_unused const char *data,
                 um_unused size_t len, um_unused void *arg)
{
    if (r->errnum && r->errnum != ECONNRESET)
        um_log(UM_LOG_WARNING, "network %s: umlnetd refused a change: %s", n->def.name, r->text);
}

static void must(struct network *n, bool queued)
{
    if (!queued)
        network_condemn(n, "out of memory for its configuration");
}

void network_tell_port(struct network *n, const struct network_port *p)
{
    struct netd_ctl_port m = {.id = (uint32_t)p->id, .policy = p->policy};

    if (!n->told)
        return;
    snprintf(m.guest, sizeof(m.guest), "%s", p->guest);
    /* As the guest's kernel calls it, and umlmon offers it: net0 is vec0. */
    snprintf(m.device, sizeof(m.device), "vec%s", p->device + strlen("net"));
    must(n, network_ask(n, NETD_CTL_PORT, &m, sizeof(m), -1, port_told, (void *)(intptr_t)p->id));
}

void network_tell_drop(struct network *n, int64_t port)
{
    const struct netd_ctl_id m = {.id = (uint32_t)port};

    if (n->told)
        must(n, network_ask(n, NETD_CTL_PORT_DROP, &m, sizeof(m), -1, told, NULL));
}

void network_tell_mac(struct network *n, const struct network_mac *mac)
{
    struct netd_ctl_mac m = {.vlan = mac->vlan, .port = (uint32_t)mac->port};

    if (!n->told)
        return;
    memcpy(m.mac, mac->mac, sizeof(mac->mac));
    must(n, network_ask(n, NETD_CTL_MAC_FIX, &m, sizeof(m), -1, told, NULL));
}

void network_configure(struct network *n)
{
    struct netd_ctl_network m;

    network_definition_tell(&n->def, &m);
    n->told = true;
    must(n, network_ask(n, NETD_CTL_NETWORK, &m, sizeof(m), -1, needed, NULL));
    for (const struct network_port *p = n->umld->networks->ports; p; p = p->next)
        if (p->network == n)
            network_tell_port(n, p);
    for (const struct network_mac *mac = n->macs; mac; mac = mac->next)
        network_tell_mac(n, mac);
    must(n, network_ask(n, NETD_CTL_GO, NULL, 0, -1, needed, NULL));
}
