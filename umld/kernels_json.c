/*
 * kernel_entry <-> JSON: the API's Kernel object is also what the cache stores.
 */
#include "umld/kernels.h"

#include "vmcore/base/clock.h"

#include <stdlib.h>
#include <string.h>

static json_t *config_json(const struct um_strv *config)
{
    json_t *map = json_object();

    for (size_t i = 0; i < config->n; i++) {
        char *copy = strdup(config->v[i]), *eq = copy ? strchr(copy, '=') : NULL;

        if (eq) {
            *eq = '\0';
            json_object_set_new(map, copy, json_string(eq + 1));
        }
        free(copy);
    }
    return map;
}

json_t *kernel_json(const struct kernel_entry *e)
{
    json_t *transports = json_array(), *k;
    char when[UM_CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < e->facts.transports.n; i++)
        json_array_append_new(transports, json_string(e->facts.transports.v[i]));
    k = json_pack("{s:s,s:s,s:s,s:b,s:b,s:s,s:b,s:I,s:o,s:o,s:b}", "name", e->name, "path", e->path,
                  "version", e->facts.release, "dynamic", e->elf.dynamic, "guard", e->verdict.guard,
                  "xstate", kernel_xstate_name(e->verdict.xstate), "killSafe", e->facts.kill_safe,
                  "lpj", (json_int_t)e->lpj, "transports", transports, "config",
                  config_json(&e->facts.config), "usable", e->probed_ns != 0 && e->verdict.usable);
    if (e->verdict.problem[0])
        json_object_set_new(k, "problem", json_string(e->verdict.problem));
    if (e->probed_ns)
        json_object_set_new(k, "probedAt", json_string(um_clock_rfc3339(e->probed_ns, when)));
    return k;
}

static bool strings_from_json(const json_t *json, struct um_strv *ret)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json, i, item) if (!json_is_string(item) ||
                                          !um_strv_add(ret, json_string_value(item))) return false;
    return true;
}

static bool config_from_json(json_t *json, struct um_strv *ret)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value) if (!json_is_string(value) ||
                                              !um_strv_addf(ret, "%s=%s", key,
                                                            json_string_value(value))) return false;
    return true;
}

static bool contains(const struct um_strv *l, const char *s)
{
    return um_strv_contains(l, s);
}

bool kernel_from_json(const json_t *json, struct kernel_entry *e)
{
    const char *version = json_string_value(json_object_get(json, "version"));
    const char *xstate = json_string_value(json_object_get(json, "xstate"));
    const char *problem = json_string_value(json_object_get(json, "problem"));
    struct um_error err;

    kernel_facts_done(&e->facts);
    e->facts = KERNEL_FACTS_INIT;
    if (!version || !xstate || kernel_parse_version(version, e->path, &e->facts, &err) ||
        !kernel_xstate_from_name(xstate, &e->verdict.xstate))
        return false;
    e->facts.uml = true;
    e->facts.kill_safe = json_is_true(json_object_get(json, "killSafe"));
    e->verdict.guard = json_is_true(json_object_get(json, "guard"));
    e->verdict.usable = json_is_true(json_object_get(json, "usable"));
    snprintf(e->verdict.problem, sizeof(e->verdict.problem), "%s", problem ? problem : "");
    e->lpj = (uint64_t)json_integer_value(json_object_get(json, "lpj"));
    if (!strings_from_json(json_object_get(json, "transports"), &e->facts.transports) ||
        !config_from_json(json_object_get(json, "config"), &e->facts.config))
        return false;
    e->facts.vector = contains(&e->facts.transports, "vector");
    e->facts.legacy_net = contains(&e->facts.transports, "daemon");
    return true;
}
