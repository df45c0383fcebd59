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

void network_definition_change(struct network_definition *def, const json_t *json)
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
}

void network_definition_from_json(const json_t *json, struct network_definition *ret)
{
    const char *name = json_string_value(json_object_get(json, "name"));

    *ret = (struct network_definition){.hub = false};
    snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
    for (size_t i = 0; i < UM_ARRAY_LEN(numbers); i++)
        *number_of(ret, &numbers[i]) = numbers[i].initial;
    network_definition_change(ret, json);
}

json_t *network_definition_json(const struct network_definition *def)
{
    json_t *json = json_pack("{s:s,s:s}", "name", def->name, "mode", def->hub ? "hub" : "switch");

    for (size_t i = 0; i < UM_ARRAY_LEN(numbers); i++)
        json_object_set_new(
            json, numbers[i].key,
            json_integer(*number_of((struct network_definition *)(uintptr_t)def, &numbers[i])));
    json_object_set_new(json, "loopGuard", json_boolean(def->loop_guard));
    return json;
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
