/*
 * io.umld.Guest: changes of a definition, in the running kernel too where that can be, and what
 * differs between the two.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_MAX = 16 };

/* What a call wants; all of it is the call's. */
struct change {
    const json_t *set, *unset, *cmdline;
    const char *cwd;
    bool stored, detach;
};

/*
 * What a file was is known from the time before the guest had it. While it has it, the same file
 * defined once more is not looked at again.
 */
static bool keep_origins(const struct guest *g, struct guest_definition *def)
{
    return !g->live || (guest_definition_keep_origins(def, &g->live->now) &&
                        guest_definition_keep_origins(def, &g->live->boot));
}

/* Its kernel may have what is not stored, when something could not be put back. */
static const struct device *live_device(const struct guest *g, const char *name)
{
    return g->live ? guest_definition_find(&g->live->now, name) : NULL;
}

/* words NULL: they stay. False: no memory. */
static bool change_cmdline(struct guest_definition *def, const json_t *words)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(words))
        return true;
    um_strv_done(&def->cmdline);
    json_array_foreach(words, i,
                       item) if (!um_strv_add(&def->cmdline, json_string_value(item))) return false;
    return true;
}

static size_t apply_changes(const struct guest *g, struct guest_definition *def,
                            const struct change *c, struct um_error *errors)
{
    const json_t *item;
    size_t i, count = 0;

    json_array_foreach(c->unset, i,
                       item) if (!guest_definition_unapply(def, json_string_value(item)) &&
                                 !live_device(g, json_string_value(item)) && count < PROBLEMS_MAX)
        um_fail(&errors[count++], UM_E_NOT_FOUND, NULL, json_string_value(item),
                "there is no \"%s\" to take away", json_string_value(item));
    json_array_foreach(c->set, i, item) if (count < PROBLEMS_MAX &&
                                            guest_definition_apply(def, json_string_value(item),
                                                                   c->cwd, &errors[count])) count++;
    if (!count && !(change_cmdline(def, c->cmdline) && keep_origins(g, def)))
        um_fail(&errors[count++], UM_E_NO_RESOURCES, "definition", NULL, "out of memory");
    if (!count)
        guest_definition_check(def, errors, PROBLEMS_MAX, &count);
    if (!count)
        guest_definition_check_around(g->umld, def, &g->def, errors, PROBLEMS_MAX, &count);
    return count;
}

static bool same_definition(const struct guest_definition *a, const struct guest_definition *b)
{
    json_t *ja = guest_definition_json(a), *jb = guest_definition_json(b);
    bool same = json_equal(ja, jb);

    json_decref(ja);
    json_decref(jb);
    return same;
}

/* ---- what comes of it ---- */

static json_t *applied_json(const struct live_plan *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];
        json_t *json = json_pack("{s:s,s:s}", "device", it->name, "how", live_how_name(it->how));

        if (it->note[0])
            json_object_set_new(json, "note", json_string(it->note));
        json_array_append_new(list, json);
    }
    return list;
}

static void reply(struct api_call *call, const struct guest *g, bool changed, bool detach,
                  const struct live_plan *p)
{
    json_t *json = json_pack("{s:b,s:o}", "changed", changed, "applied", applied_json(p));

    if (!detach) {
        json_t *warnings = guest_definition_warnings(g->umld, &g->def);

        json_object_set_new(json, "guest", guest_json(g));
        if (warnings)
            json_object_set_new(json, "warnings", warnings);
    }
    api_reply(call, json);
}

static void refuse(struct api_call *call, const struct guest *g, const struct um_error *err)
{
    struct um_error named = *err;

    guest_object(g, named.object, sizeof(named.object));
    api_reply_error(call, &named);
}

/* Devices the call names, and those it changes without naming them. */
static bool names_of(const struct guest *g, const struct change *c,
                     const struct guest_definition *def, struct um_strv *ret)
{
    const struct guest_definition *both[] = {def, &g->def};
    const json_t *item;
    char name[32];
    size_t i;

    for (int k = 0; k < 2; k++)
        for (size_t n = 0; n < both[k]->device_count; n++) {
            const struct device *v = &both[k]->devices[n], *other;
            bool named = false;

            device_name(v, name, sizeof(name));
            other = guest_definition_find(both[1 - k], name);
            json_array_foreach(c->set, i, item) named =
                named || (um_str_starts(json_string_value(item), name) &&
                          !strchr("0123456789", json_string_value(item)[strlen(name)]));
            if ((named || !other || strcmp(other->text, v->text) != 0) &&
                !um_strv_contains(ret, name) && !um_strv_add(ret, name))
                return false;
        }
    json_array_foreach(c->unset, i, item)
    {
        const struct device *v = live_device(g, json_string_value(item));

        if (v && !um_strv_contains(ret, device_name(v, name, sizeof(name))) &&
            !um_strv_add(ret, name))
            return false;
    }
    return true;
}

static bool make_plan(struct guest *g, const struct change *c, const struct guest_definition *def,
                      struct live_plan *ret)
{
    struct um_strv names = {NULL, 0};
    bool ok = names_of(g, c, def, &names) &&
              live_plan_make(g, g->live ? &g->live->now : &g->def, def, &names, ret);

    um_strv_done(&names);
    for (size_t i = 0; ok && i < ret->count; i++) {
        struct live_item *it = &ret->items[i];

        if (c->stored && it->how != LIVE_NONE) {
            it->how = LIVE_NEXT_START;
            snprintf(it->note, sizeof(it->note), "as asked for");
        } else if (!guest_state_info(g->state)->has_process) {
            it->note[0] = '\0'; /* it does not run: nothing else was to be expected */
        }
    }
    return ok;
}

/* ---- a change under way ---- */

struct under_way {
    uint64_t call;
    bool detach, changed;
    struct guest_definition def; /* stored when the kernel has taken it */
};

static void over(struct umld *umld, struct guest *g, struct live_plan *p,
                 const struct um_error *err, void *arg)
{
    struct under_way *u = arg;
    struct api_call *call = api_call_find(umld->server, u->call);
    struct um_error why;

    if (err)
        why = *err;
    else if (g && u->changed && guest_redefine(g, &u->def, &why))
        err = &why;
    if (call && err && g)
        refuse(call, g, &why);
    else if (call && g)
        reply(call, g, true, u->detach, p);
    if (g && g->live) {
        if (!err)
            guest_live_tell(g, p);
        g->live->done = true;
        guest_effect(g, EFFECT_DEVICES);
    }
    guest_definition_done(&u->def);
    free(u);
}

/* def and plan are taken over. False: with err. */
static bool begin(struct guest *g, struct api_call *call, const struct change *c, bool changed,
                  struct guest_definition *def, struct live_plan *plan, struct um_error *err)
{
    struct under_way *u = calloc(1, sizeof(*u));

    um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "the change cannot be noted");
    if (!u || !guest_live_wish(g, plan)) {
        free(u);
        return false;
    }
    *u = (struct under_way){api_call_id(call), c->detach, changed, *def};
    *def = GUEST_DEFINITION_INIT;
    if (!live_run(g, plan, 0, over, u, err))
        return true;
    *def = u->def;
    free(u);
    return false;
}

/* A disk another guest writes is refused before its kernel opens it. */
static enum um_code disks_free(const struct guest *g, const struct guest_definition *def,
                               struct um_error *err)
{
    struct guest would = *g;

    would.def = *def;
    return guest_disks_free(&would, g, err);
}

/* It is wanted now, cannot be had now, and is not stored for later without being asked to. */
static bool possible(const struct guest *g, const struct live_plan *p, struct um_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];

        if (it->how != LIVE_REFUSED)
            continue;
        um_fail(err, UM_E_UNSUPPORTED, NULL, it->name, "%s", it->note);
        um_hint(err, "to have it at its next start: umlctl config %s %s --stored", g->def.name,
                it->fresh.device.text);
        return false;
    }
    return true;
}

static void carry_out(struct guest *g, struct api_call *call, const struct change *c,
                      struct guest_definition *def)
{
    bool changed = !same_definition(def, &g->def), live, ok;
    struct live_plan *plan = calloc(1, sizeof(*plan));
    struct guest would = *g;
    struct um_error err;

    um_fail(&err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    ok = plan && guest_definition_note_origins(def) && make_plan(g, c, def, plan) &&
         possible(g, plan, &err);
    live = ok && live_plan_any(plan);
    ok = ok && (!live || !disks_free(g, def, &err));
    if (ok && api_call_dry(call)) {
        would.def = *def;
        would.revision += changed;
        reply(call, changed ? &would : g, changed || live, c->detach, plan);
    } else if (ok && live && begin(g, call, c, changed, def, plan, &err)) {
        return; /* the plan is the job's */
    } else if (ok && !live && (!changed || !guest_redefine(g, def, &err))) {
        reply(call, g, changed, c->detach, plan);
    } else {
        refuse(call, g, &err);
    }
    live_plan_done(plan);
    free(plan);
}

static void change(struct umld *umld, struct api_call *call, const json_t *params,
                   const struct change *c, api_handler_fn again)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error errors[PROBLEMS_MAX];
    size_t count;

    if (!g)
        return;
    if (g->live && g->live->job && !api_call_dry(call)) {
        if (guest_live_wait(g, call, params, again))
            return;
        um_fail(&errors[0], UM_E_BUSY, NULL, NULL, "%d changes of it are waiting already",
                LIVE_QUEUE_MAX);
        refuse(call, g, &errors[0]);
        return;
    }
    if (!guest_definition_copy(&g->def, &def)) {
        um_fail(&errors[0], UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
        refuse(call, g, &errors[0]);
        return;
    }
    count = apply_changes(g, &def, c, errors);
    if (count)
        guest_definition_refuse(call, g->def.name, errors, count);
    else
        carry_out(g, call, c, &def);
    guest_definition_done(&def);
}

void api_guest_update(struct umld *umld, struct api_call *call, const json_t *params)
{
    const struct change c = {.set = json_object_get(params, "set"),
                             .unset = json_object_get(params, "unset"),
                             .cmdline = json_object_get(params, "cmdline"),
                             .cwd = params_text(params, "cwd", NULL),
                             .stored = strcmp(params_text(params, "apply", "auto"), "stored") == 0};

    change(umld, call, params, &c, api_guest_update);
}

void api_guest_detach(struct umld *umld, struct api_call *call, const json_t *params)
{
    json_t *devices = json_pack("[O]", json_object_get(params, "device"));
    const json_t *item;
    struct change c = {.unset = devices, .detach = true};
    size_t i;

    json_array_foreach(json_object_get(params, "others"), i, item)
        json_array_append(devices, (json_t *)(uintptr_t)item);
    change(umld, call, params, &c, api_guest_detach);
    json_decref(devices);
}
