/*
 * io.umld.Network: what networks there are, and their definitions. What umlnetd has to be asked for
 * is in api_network_ask.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/db.h"
#include "umld/events.h"
#include "umld/network_private.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <string.h>

json_t *network_json(const struct network *n)
{
    char created[UM_CLOCK_TEXT_SIZE], started[UM_CLOCK_TEXT_SIZE];
    json_t *runtime =
        json_pack("{s:s,s:b,s:i,s:i,s:o}", "state", network_state_info(n->state)->name, "kept",
                  n->kept, "restarts", (int)n->restarts, "ports", n->port_count, "guests",
                  network_guests(n->umld, n->def.name));

    if (n->pid) {
        json_object_set_new(runtime, "pid", json_integer(n->pid));
        json_object_set_new(runtime, "startedAt",
                            json_string(um_clock_rfc3339(n->started_ns, started)));
    }
    if (n->cause)
        json_object_set_new(runtime, "cause", json_string(n->cause));
    return json_pack("{s:o,s:o,s:I,s:s}", "definition", network_definition_json(&n->def), "runtime",
                     runtime, "revision", (json_int_t)n->revision, "createdAt",
                     um_clock_rfc3339(n->created_ns, created));
}

struct network *network_of_call(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = params_text(params, "name", "");
    struct network *n = network_find(umld, name);
    const json_t *wanted = json_object_get(params, "ifRevision");
    struct um_error err;
    char object[96];

    network_object(name, object);
    if (!n) {
        network_unknown(umld, name, object, "name", &err);
        api_reply_error(call, &err);
        return NULL;
    }
    if (!json_is_integer(wanted) || json_integer_value(wanted) == n->revision)
        return n;
    um_fail(&err, UM_E_CONFLICT, object, "ifRevision", "its revision is %lld by now",
            (long long)n->revision);
    um_hint(&err, "read it again and repeat the change");
    api_reply_error(call, &err);
    return NULL;
}

void api_network_list(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    json_t *list = json_array();

    for (const struct network *n = umld->networks->list; n; n = n->next)
        if (!n->removed)
            json_array_append_new(list, network_json(n));
    api_reply(call, json_pack("{s:o}", "networks", list));
}

void api_network_get(struct umld *umld, struct api_call *call, const json_t *params)
{
    const struct network *n = network_of_call(umld, call, params);

    if (n)
        api_reply(call, json_pack("{s:o}", "network", network_json(n)));
}

static enum um_code may_create(struct umld *umld, const char *name, struct um_error *err)
{
    const struct network *n = network_find_any(umld, name);
    char object[96];

    network_object(name, object);
    if (n && n->removed) {
        um_fail(err, UM_E_BUSY, object, "name", "the one of this name is just being removed");
        return um_hint(err, "try again");
    }
    if (n) {
        um_fail(err, UM_E_EXISTS, object, "name", "the name is taken");
        return um_hint(err, "choose another name, or remove it: umlctl net rm %s", name);
    }
    if (umld->networks->count >= NETWORKS_MAX) {
        um_fail(err, UM_E_NO_RESOURCES, object, NULL, "there are %d networks already",
                NETWORKS_MAX);
        return um_hint(err, "remove some: umlctl net list");
    }
    return network_paths_fit(umld, name, err);
}

static void reply_network(struct api_call *call, json_t *network, bool changed)
{
    api_reply(call, json_pack("{s:o,s:b}", "network", network, "changed", changed));
}

void api_network_create(struct umld *umld, struct api_call *call, const json_t *params)
{
    const json_t *json = json_object_get(params, "definition");
    struct network_definition def;
    struct um_error err;
    struct network *n;

    if (may_create(umld, params_text(json, "name", ""), &err)) {
        api_reply_error(call, &err);
        return;
    }
    network_definition_from_json(json, &def);
    if (api_call_dry(call)) {
        /* As it would be: a network that is nowhere. */
        const struct network would = {.umld = umld, .def = def};

        reply_network(call, network_json(&would), true);
    } else if (network_create(umld, &def, &n, &err)) {
        api_reply_error(call, &err);
    } else {
        reply_network(call, network_json(n), true);
    }
}

static bool same(const struct network_definition *a, const struct network_definition *b)
{
    json_t *x = network_definition_json(a), *y = network_definition_json(b);
    bool equal = json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return equal;
}

void api_network_update(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct network *n = network_of_call(umld, call, params);
    struct network_definition def;
    struct um_error err;
    bool changed;

    if (!n)
        return;
    def = n->def;
    network_definition_change(&def, json_object_get(params, "change"));
    changed = !same(&n->def, &def);
    if (changed && api_call_dry(call)) {
        struct network would = *n;

        would.def = def;
        reply_network(call, network_json(&would), true);
    } else if (changed && network_redefine(n, &def, &err)) {
        api_reply_error(call, &err);
    } else {
        reply_network(call, network_json(n), changed);
    }
}

/* Is a guest's definition in the way of its removal? */
static enum um_code check_unused(struct umld *umld, const struct network *n, struct um_error *err)
{
    json_t *guests = network_guests(umld, n->def.name);
    char names[300] = "", object[96];
    const json_t *name;
    size_t i, count = json_array_size(guests);

    json_array_foreach(guests, i, name)
    {
        size_t used = strlen(names);

        if (used < sizeof(names) - 80)
            snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                     json_string_value(name));
    }
    json_decref(guests);
    if (!count)
        return UM_OK;
    um_fail(err, UM_E_BUSY, network_object(n->def.name, object), "name",
            "definitions of %zu guests name it: %s", count, names);
    return um_hint(err, "take it out of them first: umlctl detach GUEST netN");
}

static void reply_changed(struct api_call *call, bool changed)
{
    api_reply(call, json_pack("{s:b}", "changed", changed));
}

void api_network_remove(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = params_text(params, "name", "");
    struct network *n = network_find_any(umld, name);
    struct um_error err;

    if (!n || n->removed) {
        /* A goal that is reached, or just being reached. */
        if (!n || api_call_dry(call) || !network_wait(n, call))
            reply_changed(call, false);
        return;
    }
    n = network_of_call(umld, call, params);
    if (!n)
        return;
    if (check_unused(umld, n, &err)) {
        api_reply_error(call, &err);
    } else if (api_call_dry(call)) {
        reply_changed(call, true);
    } else if (!network_wait(n, call)) {
        um_fail(&err, UM_E_NO_RESOURCES, "networks", NULL, "out of memory");
        api_reply_error(call, &err);
    } else {
        network_remove(n);
    }
}

void api_network_restart(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct network *n = network_of_call(umld, call, params);
    struct um_error err;

    if (!n)
        return;
    if (api_call_dry(call)) {
        reply_network(call, network_json(n), true);
    } else if (!network_wait(n, call)) {
        um_fail(&err, UM_E_NO_RESOURCES, "networks", NULL, "out of memory");
        api_reply_error(call, &err);
    } else {
        network_post(n, NETWORK_U_RESTART);
    }
}

/* The address of a call; false after the error. */
bool network_mac_of_call(struct api_call *call, const struct network *n, const json_t *params,
                         uint8_t ret[6])
{
    const char *text = params_text(params, "mac", "");
    struct um_error err;
    char object[96];

    if (network_mac_parse(text, ret) && !(ret[0] & 1))
        return true;
    um_fail(&err, UM_E_INVALID, network_object(n->def.name, object), "mac",
            "\"%.40s\" is no address of a device", text);
    um_hint(&err, "six bytes as 02:00:00:00:00:05, the first one even");
    api_reply_error(call, &err);
    return false;
}

static enum um_code fix(struct network *n, const uint8_t mac[6], unsigned vlan,
                        const struct network_port *p, struct um_error *err)
{
    char object[96], text[NETWORK_MAC_SIZE];

    if (n->mac_count >= NETWORK_MACS_MAX && !network_mac_find(n, mac, vlan)) {
        um_fail(err, UM_E_NO_RESOURCES, network_object(n->def.name, object), NULL,
                "has %d fixed addresses already", NETWORK_MACS_MAX);
        return um_hint(err, "forget some: umlctl net macs %s --forget MAC", n->def.name);
    }
    if (!network_mac_add(n, mac, vlan, p->id))
        return um_fail(err, UM_E_NO_RESOURCES, network_object(n->def.name, object), NULL,
                       "out of memory");
    db_run(n->umld->db, DBQ_NETWORK_MAC_PUT, n->id, network_mac_text(mac, text), (int64_t)vlan,
           p->id);
    network_tell_mac(n, network_mac_find(n, mac, vlan));
    return UM_OK;
}

void api_network_fix_mac(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct network *n = network_of_call(umld, call, params);
    const char *port = params_text(params, "port", "");
    unsigned vlan = (unsigned)params_int(params, "vlan", 0);
    const struct network_port *p;
    const struct network_mac *known;
    struct um_error err;
    char object[96];
    uint8_t mac[6];

    if (!n || !network_mac_of_call(call, n, params, mac))
        return;
    p = network_port_named(n, port);
    if (!p) {
        um_fail(&err, UM_E_NOT_FOUND, network_object(n->def.name, object), "port",
                "no guest has a port \"%.80s\" in it", port);
        um_hint(&err, "GUEST/netN, see: umlctl net ports %s", n->def.name);
        api_reply_error(call, &err);
        return;
    }
    known = network_mac_find(n, mac, vlan);
    if (known && known->port == p->id)
        reply_changed(call, false);
    else if (api_call_dry(call))
        reply_changed(call, true);
    else if (fix(n, mac, vlan, p, &err))
        api_reply_error(call, &err);
    else
        reply_changed(call, true);
}
