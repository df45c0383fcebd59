/*
 * io.umld.Guest: what guests there are, and their definitions. The verbs are in api_verbs.c.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest.h"
#include "umld/guest_ids.h"
#include "umld/guest_order.h"
#include "umld/kernels.h"
#include "umld/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_MAX = 16 };

struct guest *guest_of_call(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = params_text(params, "name", NULL);
    struct guest *g = guest_find(umld, name);
    struct um_error err;
    char object[96];

    if (g)
        return guest_revision_fits(g, call, params) ? g : NULL;
    snprintf(object, sizeof(object), "guest \"%.63s\"", name);
    um_fail(&err, UM_E_NOT_FOUND, object, "name", "there is no such guest");
    um_hint(&err, "see: umlctl list");
    api_reply_error(call, &err);
    return NULL;
}

bool guest_revision_fits(struct guest *g, struct api_call *call, const json_t *params)
{
    const json_t *wanted = json_object_get(params, "ifRevision");
    struct um_error err;
    char object[96];

    if (!json_is_integer(wanted) || json_integer_value(wanted) == g->revision)
        return true;
    um_fail(&err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), "ifRevision",
            "its revision is %lld by now", (long long)g->revision);
    um_hint(&err, "read it again and repeat the change");
    api_reply_error(call, &err);
    return false;
}

static void list_one(struct guest *g, void *arg)
{
    guest_json_text(g, arg);
}

void api_guest_list(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    struct um_buf text = UM_BUF_INIT;

    um_buf_puts(&text, "{\"guests\":[");
    guest_each(umld, list_one, &text);
    um_buf_puts(&text, "]}");
    api_reply_text(call, &text);
}

void api_guest_get(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);

    if (g)
        api_reply(call, json_pack("{s:o}", "guest", guest_json(g)));
}

/* The name becomes part of socket paths; say so now and not at the start. */
static bool paths_fit(struct umld *umld, const char *name, struct um_error *err)
{
    size_t len = strlen(umld->paths.run_dir) + strlen("/g//in/uml/mconsole") + strlen(name);

    if (len <= 107)
        return true;
    um_fail(err, UM_E_INVALID, NULL, "name",
            "its socket path %s/g/%s/in/uml/mconsole would be %zu bytes long, the limit is 107",
            umld->paths.run_dir, name, len);
    um_hint(err, "use a name %zu bytes shorter, or a shorter run directory", len - 107);
    return false;
}

/* The deeper checks know names, too, but are not made when there are other problems. */
static void check_name(struct umld *umld, const char *name, struct um_error *errors, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(errors[i].field, "name") == 0)
            return;
    if (*count == PROBLEMS_MAX)
        return;
    if (!um_name_valid(name)) {
        um_fail(&errors[*count], UM_E_INVALID, NULL, "name", "\"%.80s\" is no name for a guest",
                name);
        um_hint(&errors[(*count)++], UM_NAME_RULE);
    } else if (!paths_fit(umld, name, &errors[*count])) {
        ++*count;
    }
}

void guest_definition_refuse(struct api_call *call, const char *name, struct um_error *errors,
                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!errors[i].object[0])
            snprintf(errors[i].object, sizeof(errors[i].object), "guest \"%.63s\"", name);
    api_reply_errors(call, errors, count);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void guest_definition_check_around(struct umld *umld, const struct guest_definition *def,
                                   const struct guest_definition *old, struct um_error *errors,
                                   size_t max, size_t *count)
{
    guest_definition_check_files(def, guest_ids_any(umld), errors, max, count);
    if (*count < max && !(old && same_text(old->kernel, def->kernel)) &&
        kernels_check(umld, def->kernel, &errors[*count]))
        ++*count;
    if (*count < max && guest_order_check(umld, def, &errors[*count]))
        ++*count;
    if (*count < max && network_check_devices(umld, def, &errors[*count]))
        ++*count;
}

json_t *guest_definition_warnings(struct umld *umld, const struct guest_definition *def)
{
    json_t *list = json_array();

    guest_order_warn(umld, def, list);
    if (!guest_definition_has_root(def))
        json_array_append_new(list, json_string("it has nothing to boot from (ubd0=, initrd=, or "
                                                "root= after --): its kernel panics, unless an "
                                                "initramfs is built into it"));
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

/* warnings may be NULL and stays the caller's. */
static json_t *defined_reply(const struct guest *g, bool changed, json_t *warnings)
{
    return json_pack("{s:o,s:b,s:O*}", "guest", guest_json(g), "changed", changed, "warnings",
                     warnings);
}

void api_guest_create(struct umld *umld, struct api_call *call, const json_t *params)
{
    const json_t *json = json_object_get(params, "definition");
    const char *name = params_text(json, "name", NULL);
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error errors[PROBLEMS_MAX];
    size_t count = 0;
    json_t *warnings = NULL;
    struct guest *g = NULL;
    bool whole = guest_definition_from_json(json, params_text(params, "cwd", NULL),
                                            api_call_uid(call), &def, errors, PROBLEMS_MAX, &count);

    check_name(umld, name, errors, &count);
    if (!whole || count) {
        guest_definition_refuse(call, name, errors, count);
    } else {
        guest_definition_check_around(umld, &def, NULL, errors, PROBLEMS_MAX, &count);
        warnings = guest_definition_warnings(umld, &def);
        if (count) {
            guest_definition_refuse(call, name, errors, count);
        } else if (api_call_dry(call) && !guest_find(umld, def.name)) {
            /* As it would be: a guest that is nowhere. */
            struct guest would = {.def = def, .wait_status = -1, .cpu = -1, .asked = ""};

            api_reply(call, defined_reply(&would, true, warnings));
        } else if (guest_create(umld, &def, &g, &errors[0])) {
            api_reply_error(call, &errors[0]);
        } else {
            api_reply(call, defined_reply(g, true, warnings));
        }
    }
    json_decref(warnings);
    guest_definition_done(&def);
}
