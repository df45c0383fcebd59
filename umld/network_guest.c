/*
 * What definitions of guests want of networks.
 */
#include "umld/guest.h"
#include "umld/network_private.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <string.h>

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

enum um_code network_check_devices(struct umld *umld, const struct guest_definition *def,
                                   struct um_error *err)
{
    char object[96], field[48];

    for (size_t i = 0; i < def->device_count; i++) {
        const char *name = network_of_device(&def->devices[i]);

        if (!name || network_find(umld, name))
            continue;
        snprintf(object, sizeof(object), "guest \"%s\"", def->name);
        snprintf(field, sizeof(field), "definition.devices[%zu]", i);
        return network_unknown(umld, name, object, field, err);
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
