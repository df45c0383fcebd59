/*
 * Guests come, change and go: each is a row of the database before it is anything else.
 */
#include "umld/db.h"
#include "umld/events.h"
#include "umld/guest.h"
#include "umld/guest_ids.h"
#include "umld/guest_order.h"
#include "umld/network.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>

/* Net devices without an address get theirs, for good. False: no memory. */
static bool give_addresses(struct guest_definition *def, int64_t id, bool *ret_changed)
{
    uint8_t mac[6];

    *ret_changed = false;
    for (size_t i = 0; i < def->device_count; i++) {
        struct device *v = &def->devices[i];

        if (v->kind != DEVICE_NET || device_net_has_mac(v))
            continue;
        device_net_mac(id, v->index, mac);
        if (!device_net_set_mac(v, mac))
            return false;
        *ret_changed = true;
    }
    return true;
}

/* A new row, whose number its addresses are made of. */
static bool store_new(struct guest *g)
{
    bool changed;

    return guest_store_definition(g, true) && give_addresses(&g->def, g->id, &changed) &&
           (!changed || guest_store_definition(g, false));
}

enum um_code guest_create(struct umld *umld, struct guest_definition *def, struct guest **ret,
                          struct um_error *err)
{
    char object[96];
    enum um_code code;
    struct guest *g;

    snprintf(object, sizeof(object), "guest \"%s\"", def->name);
    if (guest_find(umld, def->name)) {
        um_fail(err, UM_E_EXISTS, object, "name", "the name is taken");
        return um_hint(err, "choose another name, or remove it: umlctl remove %s", def->name);
    }
    g = guest_definition_note_origins(def) ? guest_new(umld, def) : NULL;
    if (!g || !guests_add(umld->guests, g))
        return um_fail(err, UM_E_NO_RESOURCES, object, NULL, "out of memory");
    g->revision = 1;
    g->created_ns = um_clock_wall_ns();
    code = store_new(g) ? guest_ids_give(g, err)
                        : um_fail(err, UM_E_NO_RESOURCES, object, NULL,
                                  "cannot be stored (see the daemon's log)");
    if (code) {
        if (g->id)
            db_run(umld->db, DBQ_GUEST_DELETE, g->id);
        guests_discard(g);
        return code;
    }
    guest_touch(g); /* also says in which life of the host it was made */
    network_guest_defined(g);
    events_emit(umld, "guest.defined", g->def.name, NULL);
    um_log(UM_LOG_INFO, "guest %s: defined", g->def.name);
    *ret = g;
    return UM_OK;
}

enum um_code guest_create_internal(struct umld *umld, struct guest_definition *def,
                                   struct guest **ret, struct um_error *err)
{
    struct guest *g = guest_new(umld, def);
    enum um_code code;

    if (!g)
        return um_fail(err, UM_E_NO_RESOURCES, "probe guest", NULL, "out of memory");
    code = guest_ids_give(g, err);
    if (code) {
        guests_discard(g);
        return code;
    }
    guests_add_internal(umld->guests, g);
    *ret = g;
    return UM_OK;
}

enum um_code guest_redefine(struct guest *g, struct guest_definition *def, struct um_error *err)
{
    struct guest_definition old = g->def;
    char object[96], revision[24];
    bool changed;

    if (!guest_definition_note_origins(def) || !give_addresses(def, g->id, &changed))
        return um_fail(err, UM_E_NO_RESOURCES, guest_object(g, object, sizeof(object)), NULL,
                       "out of memory");
    g->def = *def;
    g->revision++;
    if (!guest_store_definition(g, false)) {
        g->def = old;
        g->revision--;
        return um_fail(err, UM_E_NO_RESOURCES, guest_object(g, object, sizeof(object)), NULL,
                       "cannot be stored (see the daemon's log)");
    }
    guest_definition_done(&old);
    *def = GUEST_DEFINITION_INIT;
    guest_stranger_redefined(g);
    network_guest_defined(g);
    guest_order_defined(g);
    snprintf(revision, sizeof(revision), "%" PRId64, g->revision);
    events_emit(g->umld, "guest.changed", g->def.name, "revision", revision, NULL);
    guest_watch_update(g);
    return UM_OK;
}

void guest_remove(struct guest *g)
{
    if (g->removed)
        return;
    if (g->id) {
        network_guest_removed(g);
        db_run(g->umld->db, DBQ_GUEST_DELETE, g->id);
        events_emit(g->umld, "guest.removed", g->def.name, NULL);
        um_log(UM_LOG_INFO, "guest %s: removed", g->def.name);
    }
    g->removed = true;
    guest_order_changed(g);
    guest_effect(g, 0); /* the after-phase frees it */
}
