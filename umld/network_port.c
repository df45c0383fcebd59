/*
 * Ports: net devices of guests. A row of the database gives each its number, from when a definition
 * first names it; where it is and what it may says the definition.
 */
#include "umld/db.h"
#include "umld/guest.h"
#include "umld/network_private.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network_waiter {
    network_done_fn done;
    void *arg;
    struct network_waiter *next;
};

static void answer(struct umld *umld, struct network_port *p, int errnum, const char *text)
{
    struct network_waiter *list = p->waiters;

    p->waiters = NULL;
    while (list) {
        struct network_waiter *w = list;

        list = w->next;
        w->done(umld, errnum, text, w->arg);
        free(w);
    }
}

void network_port_answer(struct umld *umld, int64_t id, int errnum, const char *text)
{
    struct network_port *p = network_port_by_id(umld, id);

    if (p)
        answer(umld, p, errnum, text);
}

void network_ports_answer(struct network *n, int errnum, const char *text)
{
    for (struct network_port *p = n->umld->networks->ports; p; p = p->next)
        if (p->network == n)
            answer(n->umld, p, errnum, text);
}

struct network_port *network_port_by_id(struct umld *umld, int64_t id)
{
    struct network_port *p = umld->networks->ports;

    while (p && p->id != id)
        p = p->next;
    return p;
}

struct network_port *network_port_named(struct network *n, const char *name)
{
    char own[NETD_NAME_MAX + NETD_DEVICE_MAX + 1];

    for (struct network_port *p = n->umld->networks->ports; p; p = p->next) {
        snprintf(own, sizeof(own), "%s/%s", p->guest, p->device);
        if (p->network == n && strcmp(own, name) == 0)
            return p;
    }
    return NULL;
}

static struct network_port *find(struct umld *umld, int64_t guest, const char *device)
{
    struct network_port *p = umld->networks->ports;

    while (p && (p->guest_id != guest || strcmp(p->device, device) != 0))
        p = p->next;
    return p;
}

bool network_port_load(struct umld *umld, int64_t id, int64_t guest, const char *device)
{
    struct network_port *p = calloc(1, sizeof(*p));

    if (!p)
        return false;
    p->id = id;
    p->guest_id = guest;
    snprintf(p->device, sizeof(p->device), "%s", device);
    p->next = umld->networks->ports;
    umld->networks->ports = p;
    return true;
}

void network_ports_free(struct umld *umld)
{
    while (umld->networks->ports) {
        struct network_port *p = umld->networks->ports;

        umld->networks->ports = p->next;
        answer(umld, p, ECONNRESET, "umld ends");
        free(p);
    }
}

static void leave(struct network_port *p)
{
    struct network *n = p->network;

    if (!n)
        return;
    p->network = NULL;
    n->port_count--;
    network_macs_of_port_go(n, p->id);
    network_tell_drop(n, p->id);
}

/* A row for it, if there is none yet. NULL: it cannot be stored. */
static struct network_port *port_of(struct guest *g, const char *device)
{
    struct network_port *p = find(g->umld, g->id, device);

    if (p || !db_run(g->umld->db, DBQ_PORT_INSERT, g->id, device) ||
        !network_port_load(g->umld, db_last_id(g->umld->db), g->id, device))
        return p;
    return find(g->umld, g->id, device);
}

static enum um_code join(struct network_port *p, struct network *n, struct um_error *err)
{
    char object[96];

    if (p->network == n)
        return UM_OK;
    if (n->port_count >= n->def.max_ports) {
        um_fail(err, UM_E_NO_RESOURCES, network_object(n->def.name, object), NULL,
                "has %d ports already, as many as it may have", n->port_count);
        return um_hint(err, "umlctl net edit %s ports=N", n->def.name);
    }
    leave(p);
    p->network = n;
    n->port_count++;
    return UM_OK;
}

static bool wait_for(struct network_port *p, network_done_fn done, void *arg)
{
    struct network_waiter *w = done ? malloc(sizeof(*w)) : NULL;

    if (!done)
        return true;
    if (!w)
        return false;
    *w = (struct network_waiter){done, arg, p->waiters};
    p->waiters = w;
    return true;
}

enum um_code network_port_set(struct guest *g, const struct device *d, network_done_fn done,
                              void *arg, struct um_error *err)
{
    const char *name = network_of_device(d);
    struct network *n = name ? network_find(g->umld, name) : NULL;
    char device[32], object[96];
    struct network_port *p;
    enum um_code code;

    device_name(d, device, sizeof(device));
    guest_object(g, object, sizeof(object));
    if (!n)
        return network_unknown(g->umld, name ? name : "", object, device, err);
    if (n->state == NETWORK_FAILED && done) {
        um_fail(err, UM_E_WRONG_STATE, object, device, "network %s failed: %s", n->def.name,
                n->cause ? n->cause : "");
        return um_hint(err, "see the daemon's log; then: umlctl net restart %s", n->def.name);
    }
    p = port_of(g, device);
    if (!p)
        return um_fail(err, UM_E_NO_RESOURCES, object, device,
                       "its port cannot be stored (see the daemon's log)");
    code = join(p, n, err);
    if (code)
        return code;
    if (!wait_for(p, done, arg))
        return um_fail(err, UM_E_NO_RESOURCES, object, device, "out of memory");
    snprintf(p->guest, sizeof(p->guest), "%s", g->def.name);
    network_policy(d, &p->policy);
    network_tell_port(n, p);
    return UM_OK;
}

static void forget(struct umld *umld, struct network_port *p)
{
    struct network_port **link = &umld->networks->ports;

    leave(p);
    answer(umld, p, ENOENT, "the port was taken away");
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    free(p);
}

void network_port_drop(struct guest *g, const char *device)
{
    struct network_port *p = find(g->umld, g->id, device);

    if (!p)
        return;
    db_run(g->umld->db, DBQ_PORT_DELETE, p->id);
    forget(g->umld, p);
}

void network_guest_removed(struct guest *g)
{
    struct network_port *next;

    /* Their rows go with the guest's. */
    for (struct network_port *p = g->umld->networks->ports; p; p = next) {
        next = p->next;
        if (p->guest_id == g->id)
            forget(g->umld, p);
    }
}
