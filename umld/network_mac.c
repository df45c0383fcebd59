/*
 * Fixed addresses: those that belong to one port, whatever is seen elsewhere.
 */
#include "umld/db.h"
#include "umld/network_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool network_mac_parse(const char *text, uint8_t ret[6])
{
    unsigned v[6];
    char end;

    if (strlen(text) != NETWORK_MAC_SIZE - 1 ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &end) !=
            6)
        return false;
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)v[i];
    return true;
}

const char *network_mac_text(const uint8_t mac[6], char buf[NETWORK_MAC_SIZE])
{
    snprintf(buf, NETWORK_MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return buf;
}

struct network_mac *network_mac_find(struct network *n, const uint8_t mac[6], unsigned vlan)
{
    struct network_mac *m = n->macs;

    while (m && (memcmp(m->mac, mac, sizeof(m->mac)) != 0 || m->vlan != vlan))
        m = m->next;
    return m;
}

bool network_mac_add(struct network *n, const uint8_t mac[6], unsigned vlan, int64_t port)
{
    struct network_mac *m = network_mac_find(n, mac, vlan);

    if (!m) {
        m = calloc(1, sizeof(*m));
        if (!m)
            return false;
        memcpy(m->mac, mac, sizeof(m->mac));
        m->vlan = (uint16_t)vlan;
        m->next = n->macs;
        n->macs = m;
        n->mac_count++;
    }
    m->port = port;
    return true;
}

void network_mac_remove(struct network *n, const struct network_mac *m)
{
    struct network_mac **link = &n->macs;
    char text[NETWORK_MAC_SIZE];

    db_run(n->umld->db, DBQ_NETWORK_MAC_DELETE, n->id, network_mac_text(m->mac, text),
           (int64_t)m->vlan);
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
    n->mac_count--;
    free((void *)(uintptr_t)m);
}

void network_macs_of_port_go(struct network *n, int64_t port)
{
    struct network_mac *next;

    for (struct network_mac *m = n->macs; m; m = next) {
        next = m->next;
        if (m->port == port)
            network_mac_remove(n, m);
    }
}

void network_macs_free(struct network *n)
{
    while (n->macs) {
        struct network_mac *m = n->macs;

        n->macs = m->next;
        free(m);
    }
}
