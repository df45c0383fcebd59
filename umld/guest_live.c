/*
 * The note in the run directory, one line each:
 *
 *   boot WORD          the kernel is executed with it, at each reboot in place again
 *   now PID WORD       it has it; PID: of the process that keeps the file, or 0
 *   wish NAME PID WORD it is being changed to this; no WORD: removed
 *
 * A wish is written before the kernel is told, and goes after the definition is committed. So a
 * wish that a new daemon finds is asked about: what took is stored, anything else is put back.
 */
#include "umld/guest_live.h"
#include "umld/events.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOTE_MAX = 256 * 1024 };

static const char *note_path(const struct guest *g, char buf[GUEST_PATH_SIZE + 16])
{
    char dir[GUEST_PATH_SIZE];

    snprintf(buf, GUEST_PATH_SIZE + 16, "%s/devices", guest_path(g, GUEST_PATH_DIR, dir));
    return buf;
}

/* ---- writing ---- */

static int hold_of(const struct guest_live *l, const struct device *v)
{
    return v->kind == DEVICE_UBD && v->index >= 0 ? l->hold[v->index] : 0;
}

/* Kernels do not outlive the host's life: nothing needs to reach a disk. */
static bool replace(const char *path, const struct um_buf *b)
{
    char fresh[GUEST_PATH_SIZE + 24];
    um_autofd fd = -1;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 && (b->len == 0 || um_fd_write_all(fd, b->data, b->len)) &&
           rename(fresh, path) == 0;
}

bool guest_live_save(struct guest *g)
{
    const struct guest_live *l = g->live;
    char path[GUEST_PATH_SIZE + 16], number[16];
    struct um_buf b = UM_BUF_INIT;
    bool ok;

    for (size_t i = 0; i < l->boot.device_count; i++) {
        um_buf_puts(&b, "boot ");
        um_buf_puts(&b, l->boot.devices[i].text);
        um_buf_puts(&b, "\n");
    }
    for (size_t i = 0; i < l->now.device_count; i++) {
        snprintf(number, sizeof(number), "now %d ", hold_of(l, &l->now.devices[i]));
        um_buf_puts(&b, number);
        um_buf_puts(&b, l->now.devices[i].text);
        um_buf_puts(&b, "\n");
    }
    for (size_t i = 0; i < l->wishes.n; i++) {
        um_buf_puts(&b, "wish ");
        um_buf_puts(&b, l->wishes.v[i]);
        um_buf_puts(&b, "\n");
    }
    ok = !b.failed && replace(note_path(g, path), &b);
    if (!ok)
        um_log(UM_LOG_ERROR, "guest %s: its devices cannot be noted: %s", g->def.name,
               b.failed ? "out of memory" : strerror(errno));
    um_buf_done(&b);
    return ok;
}

bool guest_live_wish(struct guest *g, const struct live_plan *p)
{
    struct guest_live *l = g->live;

    um_strv_done(&l->wishes);
    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];

        if (it->how == LIVE_NOW && !um_strv_addf(&l->wishes, "%s %d %s", it->name, it->fresh.hold,
                                                 it->fresh.there ? it->fresh.device.text : ""))
            return false;
    }
    return guest_live_save(g);
}

static void forget_wishes(struct guest *g)
{
    g->live->done = false;
    um_strv_done(&g->live->wishes);
    if (!guest_live_save(g))
        g->live->done = true; /* tried again next time */
}

bool guest_live_set(struct guest *g, const char *name, const struct live_side *side)
{
    struct guest_live *l = g->live;
    struct device copy;

    if (!side->there) {
        const struct device *v = guest_definition_find(&l->now, name);

        if (v && v->kind == DEVICE_UBD)
            l->hold[v->index] = 0;
        return !v || guest_definition_unset(&l->now, name);
    }
    if (!device_copy(&side->device, &copy))
        return false;
    if (!guest_definition_set(&l->now, &copy)) {
        device_done(&copy);
        return false;
    }
    if (side->device.kind == DEVICE_UBD)
        l->hold[side->device.index] = side->hold;
    return true;
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

void guest_live_end(struct guest *g)
{
    struct guest_live *l = g->live;

    if (!l)
        return;
    live_job_end(g);
    for (size_t i = 0; i < l->queued; i++)
        json_decref(l->queue[i].params);
    guest_definition_done(&l->boot);
    guest_definition_done(&l->now);
    um_strv_done(&l->wishes);
    free(l);
    g->live = NULL;
}

static bool take_word(struct guest_definition *d, const char *word, struct device *ret)
{
    struct um_error err;
    struct device v;

    if (device_parse(word, NULL, &v, &err))
        return false;
    if (ret)
        *ret = v;
    if (guest_definition_set(d, &v))
        return true;
    device_done(&v);
    return false;
}

static bool take_line(struct guest_live *l, const char *line)
{
    struct device v;
    int pid = 0, at = 0;

    if (um_str_starts(line, "boot "))
        return take_word(&l->boot, line + strlen("boot "), NULL);
    if (um_str_starts(line, "wish "))
        return um_strv_add(&l->wishes, line + strlen("wish "));
    if (sscanf(line, "now %d %n", &pid, &at) != 1 || !at || !take_word(&l->now, line + at, &v))
        return false;
    if (v.kind == DEVICE_UBD && v.index >= 0) /* the number outlives its struct */
        l->hold[v.index] = pid;
    return true;
}

void guest_live_load(struct guest *g)
{
    char path[GUEST_PATH_SIZE + 16], *text, *save = NULL;
    bool ok = true;

    guest_live_end(g);
    if (um_file_read(note_path(g, path), NOTE_MAX, &text, NULL, NULL))
        return;
    g->live = calloc(1, sizeof(*g->live));
    if (g->live) {
        g->live->boot = g->live->now = GUEST_DEFINITION_INIT;
        for (char *line = strtok_r(text, "\n", &save); line && ok;
             line = strtok_r(NULL, "\n", &save))
            ok = take_line(g->live, line);
        g->live->settle = g->live->wishes.n > 0;
        if (!ok) {
            um_log(UM_LOG_ERROR, "guest %s: %s cannot be understood", g->def.name, path);
            guest_live_end(g);
        }
    }
    free(text);
    if (g->live)
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

static bool take_wish(const char *wish, struct guest_definition *to, int hold[DEVICE_UBD_MAX])
{
    struct device v;
    char name[32];
    int pid = 0, at = 0;

    if (sscanf(wish, "%31s %d %n", name, &pid, &at) != 2 || !at)
        return false;
    if (!wish[at]) {
        if (guest_definition_find(to, name))
            return guest_definition_unset(to, name);
        return true;
    }
    if (!take_word(to, wish + at, &v))
        return false;
    if (v.kind == DEVICE_UBD && v.index >= 0)
        hold[v.index] = pid;
    return true;
}

/* From now to the wishes: the run looks first which of the two it is. */
static bool settle_plan(struct guest *g, struct live_plan *plan)
{
    struct guest_definition to;
    int hold[DEVICE_UBD_MAX];
    bool ok = guest_definition_copy(&g->live->now, &to);

    memcpy(hold, g->live->hold, sizeof(hold));
    for (size_t i = 0; ok && i < g->live->wishes.n; i++)
        ok = take_wish(g->live->wishes.v[i], &to, hold);
    ok = ok && live_plan_make(g, &g->live->now, &to, NULL, plan);
    for (size_t i = 0; ok && i < plan->count; i++) {
        struct live_item *it = &plan->items[i];
        char path[64];

        if (it->kind != DEVICE_UBD || !it->fresh.there || !it->fresh.needs_hold || !hold[it->index])
            continue;
        it->fresh.hold = hold[it->index];
        snprintf(path, sizeof(path), MON_HOLD_PATH, it->fresh.hold);
        live_side_held(&it->fresh, path);
    }
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

    if (l->queued == LIVE_QUEUE_MAX)
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
    if (g->state == GUEST_RUNNING && g->kernel_up) {
        if (g->live->settle)
            begin(g, true);
        else if (g->live->renewed)
            begin(g, false);
    }
    run_queue(g);
}
