/*
 * Definitions of networks: rows of a table between struct, JSON and what umlnetd is told.
 */
#include "umld/network_private.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ETHERNET_HEADER = 14 };

static const struct number_row {
    const char *key; /* of io.umld.Network.Definition, whose limits are in the interface */
    size_t offset;
    int64_t initial;
} numbers[] = {
    {"mtu", offsetof(struct network_definition, mtu), 65534},
    {"macAge", offsetof(struct network_definition, mac_age), 100},
    {"macGuard", offsetof(struct network_definition, mac_guard), 0},
    {"maxPorts", offsetof(struct network_definition, max_ports), 1024},
    {"storm", offsetof(struct network_definition, storm), 0},
};

static int64_t *number_of(struct network_definition *def, const struct number_row *row)
{
    return (int64_t *)(void *)((char *)def + row->offset);
}

static bool take_list(const json_t *list, struct um_strv *ret)
{
    struct um_strv fresh = {NULL, 0};
    const json_t *word;
    size_t i;

    if (!json_is_array(list))
        return true;
    json_array_foreach(list, i, word)
    {
        if (!um_strv_add(&fresh, json_string_value(word))) {
            um_strv_done(&fresh);
            return false;
        }
    }
    um_strv_done(ret);
    *ret = fresh;
    return true;
}

bool network_definition_change(struct network_definition *def, const json_t *json)
{
    const char *mode = json_string_value(json_object_get(json, "mode"));
    const json_t *guard = json_object_get(json, "loopGuard");

    for (size_t i = 0; i < UM_ARRAY_LEN(numbers); i++) {
        const json_t *value = json_object_get(json, numbers[i].key);

        if (json_is_integer(value))
            *number_of(def, &numbers[i]) = json_integer_value(value);
    }
    if (mode)
        def->hub = strcmp(mode, "hub") == 0;
    if (json_is_boolean(guard))
        def->loop_guard = json_is_true(guard);
    return take_list(json_object_get(json, "listen"), &def->listen);
}

bool network_definition_from_json(const json_t *json, struct network_definition *ret)
{
    struct network_definition def = {.hub = false};
    const char *name = json_string_value(json_object_get(json, "name"));

    snprintf(def.name, sizeof(def.name), "%s", name ? name : "");
    for (size_t i = 0; i < UM_ARRAY_LEN(numbers); i++)
        *number_of(&def, &numbers[i]) = numbers[i].initial;
    if (!network_definition_change(&def, json)) {
        network_definition_done(&def);
        return false;
    }
    *ret = def;
    return true;
}

json_t *network_definition_json(const struct network_definition *def)
{
    json_t *json = json_pack("{s:s,s:s}", "name", def->name, "mode", def->hub ? "hub" : "switch");
    json_t *listen = json_array();

    for (size_t i = 0; i < UM_ARRAY_LEN(numbers); i++)
        json_object_set_new(
            json, numbers[i].key,
            json_integer(*number_of((struct network_definition *)(uintptr_t)def, &numbers[i])));
    json_object_set_new(json, "loopGuard", json_boolean(def->loop_guard));
    for (size_t i = 0; i < def->listen.n; i++)
        json_array_append_new(listen, json_string(def->listen.v[i]));
    json_object_set_new(json, "listen", listen);
    return json;
}

bool network_definition_copy(const struct network_definition *from, struct network_definition *ret)
{
    *ret = *from;
    ret->listen = (struct um_strv){NULL, 0};
    return um_strv_copy(&from->listen, &ret->listen);
}

void network_definition_done(struct network_definition *def)
{
    um_strv_done(&def->listen);
}

void network_definition_tell(const struct network_definition *def, struct netd_ctl_network *ret)
{
    enum { HOLD_MS = 200 }; /* docs/networks.md, Queues and push-back */

    *ret = (struct netd_ctl_network){.hub = def->hub,
                                     .frame_max = (uint32_t)def->mtu + ETHERNET_HEADER,
                                     .ports_max = (uint32_t)def->max_ports,
                                     .mac_age_s = (uint32_t)def->mac_age,
                                     .mac_guard_s = (uint32_t)def->mac_guard,
                                     .storm_rate = (uint32_t)def->storm,
                                     .hold_ms = HOLD_MS,
                                     .loop_guard = def->loop_guard};
}
