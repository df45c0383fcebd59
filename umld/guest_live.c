/*
 * The life of the lists: from the start of a kernel to its end, over reboots in place and deaths of
 * the daemon. What a new daemon finds half done is settled before anything else is.
 */
#include "umld/guest_live.h"
#include "umld/events.h"
#include "vmcore/base/log.h"

#include <stdlib.h>
#include <string.h>

static void forget_wishes(struct guest *g)
{
    g->live->done = false;
    guest_live_unwish(g->live);
    if (!guest_live_save(g))
        g->live->done = true; /* tried again next time */
}

bool guest_live_set(struct guest *g, const char *name, const struct live_side *side)
{
    struct guest_definition *now = &g->live->now;
    struct device copy;

    if (!side->there)
        return !guest_definition_find(now, name) || guest_definition_unset(now, name);
    if (!device_copy(&side->device, &copy))
        return false;
    if (guest_definition_set(now, &copy))
        return true;
    device_done(&copy);
    return false;
}

/* ---- beginning and end ---- */

void guest_live_begin(struct guest *g)
{
    guest_live_end(g);
    g->live = calloc(1, sizeof(*g->live));
    if (!g->live)
        return;
    if (!guest_definition_copy(&g->def, &g->live->boot) ||
        !guest_definition_copy(&g->def, &g->live->now) || !guest_live_save(g))
        guest_live_end(g); /* it starts all the same; nothing can be changed while it runs */
}

static void refuse_waiting(struct guest *g)
{
    struct um_error err;
    char object[96];

    um_fail(&err, UM_E_NOT_RUNNING, guest_object(g, object, sizeof(object)), NULL,
            "it ended before the change was begun");
    for (size_t i = 0; i < g->live->queued; i++) {
        struct api_call *call = api_call_find(g->umld->server, g->live->queue[i].call);

        if (call)
            api_reply_error(call, &err);
        json_decref(g->live->queue[i].params);
    }
    g->live->queued = 0;
}

void guest_live_end(struct guest *g)
{
    if (!g->live)
        return;
    live_job_end(g);
    refuse_waiting(g);
    guest_live_free(g->live);
    g->live = NULL;
}

void guest_live_load(struct guest *g)
{
    guest_live_end(g);
    guest_live_read(g);
    if (!g->live)
        return;
    g->live->settle = g->live->wish_count > 0;
    guest_effect(g, EFFECT_DEVICES);
}

/* ---- after a reboot in place, and after a daemon's death ---- */

void guest_live_tell(struct guest *g, const struct live_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];

        if (it->how == LIVE_NOW && !it->turned)
            events_emit(g->umld, "guest.device", g->def.name, "device", it->name, "action",
                        !it->fresh.there ? "removed"
                        : it->old.there  ? "changed"
                                         : "added",
                        "text", it->fresh.there ? it->fresh.device.text : "", NULL);
    }
}

/* The definition says what the kernel has, for devices a change of which was interrupted. */
static void store_settled(struct guest *g, const struct live_plan *p)
{
    struct guest_definition def;
    struct um_error err;
    bool changed = false;

    if (!guest_definition_copy(&g->def, &def))
        return;
    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];
        const struct device *v = guest_definition_find(&def, it->name);
        struct device copy;

        if (it->turned || it->how != LIVE_NOW ||
            (v && it->fresh.there && strcmp(v->text, it->fresh.device.text) == 0))
            continue;
        if (it->fresh.there)
            changed = device_copy(&it->fresh.device, &copy) && guest_definition_set(&def, &copy);
        else
            changed = guest_definition_unset(&def, it->name) || changed;
    }
    if (changed && guest_redefine(g, &def, &err))
        um_log(UM_LOG_ERROR, "guest %s: %s", g->def.name, err.message);
    guest_definition_done(&def);
}

static void settled(um_unused struct umld *umld, struct guest *g, struct live_plan *p,
                    const struct um_error *err, um_unused void *arg)
{
    if (!g || !g->live)
        return;
    if (err)
        um_log(UM_LOG_WARNING, "guest %s: an interrupted change of %s: %s", g->def.name, err->field,
               err->message);
    else
        store_settled(g, p);
    guest_live_tell(g, p);
    g->live->done = true;
    guest_effect(g, EFFECT_DEVICES);
}

static void renewed(um_unused struct umld *umld, struct guest *g, um_unused struct live_plan *p,
                    um_unused const struct um_error *err, um_unused void *arg)
{
    if (!g || !g->live)
        return;
    g->live->done = true;
    guest_effect(g, EFFECT_DEVICES);
}

/* From now to the wishes: the run looks first which of the two it is. */
static bool settle_plan(struct guest *g, struct live_plan *plan)
{
    struct guest_definition to;
    bool ok = guest_definition_copy(&g->live->now, &to);

    for (size_t i = 0; ok && i < g->live->wish_count; i++) {
        const struct live_wish *w = &g->live->wishes[i];
        struct device copy;

        if (w->there)
            ok = device_copy(&w->device, &copy) && guest_definition_set(&to, &copy);
        else if (guest_definition_find(&to, w->name))
            ok = guest_definition_unset(&to, w->name);
    }
    ok = ok && live_plan_make(g, &g->live->now, &to, NULL, plan);
    guest_definition_done(&to);
    return ok;
}

static void begin(struct guest *g, bool settle)
{
    struct live_plan *plan = calloc(1, sizeof(*plan));
    struct um_error err;
    bool ok = plan && (settle ? settle_plan(g, plan)
                              : live_plan_make(g, &g->live->boot, &g->live->now, NULL, plan));

    if (settle)
        g->live->settle = false;
    else
        g->live->renewed = false;
    if (ok && live_plan_any(plan) &&
        !live_run(g, plan, settle ? LIVE_SETTLE | LIVE_SINGLY : LIVE_SINGLY,
                  settle ? settled : renewed, NULL, &err))
        return;
    live_plan_done(plan);
    free(plan);
    if (settle)
        g->live->done = true;
}

void guest_live_renewed(struct guest *g)
{
    if (!g->live)
        return;
    g->live->renewed = true;
    guest_effect(g, EFFECT_DEVICES);
}

static void run_queue(struct guest *g)
{
    while (g->live && !g->live->job && g->live->queued > 0) {
        struct live_waiting w = g->live->queue[0];
        struct api_call *call = api_call_find(g->umld->server, w.call);

        memmove(g->live->queue, g->live->queue + 1, --g->live->queued * sizeof(w));
        if (call)
            w.run(g->umld, call, w.params);
        json_decref(w.params);
    }
}

bool guest_live_wait(struct guest *g, struct api_call *call, const json_t *params,
                     api_handler_fn run)
{
    struct guest_live *l = g->live;

    if (!l->queue)
        l->queue = calloc(LIVE_QUEUE_MAX, sizeof(*l->queue));
    if (!l->queue || l->queued == LIVE_QUEUE_MAX)
        return false;
    l->queue[l->queued++] = (struct live_waiting){api_call_id(call), json_deep_copy(params), run};
    return true;
}

void guest_live_look(struct guest *g)
{
    if (!g->live || g->live->job)
        return;
    if (g->live->done)
        forget_wishes(g);
    if (!g->live->wish_count)
        live_files_tidy(g);
    if (g->state == GUEST_RUNNING && g->kernel_up) {
        if (g->live->settle)
            begin(g, true);
        else if (g->live->renewed)
            begin(g, false);
    }
    run_queue(g);
}
