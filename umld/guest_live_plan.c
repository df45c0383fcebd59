/*
 * What a change of devices comes to: for each the word its kernel is told, the answer that proves
 * it, and the reason where it has to wait for the next start.
 *
 * Disks: their files come into the sandbox at their own paths (guest_live_files.c). Consoles: their
 * terminals are descriptors that the kernel inherits at its start, so it has those or none.
 */
#include "umld/guest_live.h"
#include "vmcore/base/kv.h"
#include "vmcore/guest/launch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const how_names[LIVE_HOW_COUNT] = {
    [LIVE_NOW] = "live",
    [LIVE_NEXT_START] = "nextStart",
    [LIVE_REFUSED] = "refused",
    [LIVE_NONE] = "none",
};

const char *live_how_name(enum live_how how)
{
    return how_names[how];
}

static void um_format(2, 3) later(struct live_item *it, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(it->note, sizeof(it->note), fmt, ap);
    va_end(ap);
    it->how = LIVE_NEXT_START;
}

/* ---- memory ---- */

static void plan_memory(struct guest *g, const struct guest_definition *from,
                        const struct guest_definition *to, struct live_item *it)
{
    uint64_t boot = guest_definition_memory(&g->live->boot), old = guest_definition_memory(from),
             fresh = guest_definition_memory(to);
    char size[32];

    if (fresh > boot) {
        later(it, "its kernel was started with %s and takes no more than that",
              um_format_size(boot, size, sizeof(size)));
        return;
    }
    if (old == fresh) {
        it->how = LIVE_NONE;
        return;
    }
    snprintf(it->fresh.spec, sizeof(it->fresh.spec), "mem=%c%" PRIu64, fresh < old ? '-' : '+',
             fresh < old ? old - fresh : fresh - old);
    snprintf(it->old.spec, sizeof(it->old.spec), "mem=%c%" PRIu64, fresh < old ? '+' : '-',
             fresh < old ? old - fresh : fresh - old);
}

/* ---- consoles ---- */

/* Descriptor of the pty that umlmon opened for this console at the start; -1: it has none. */
static int console_fd(struct guest *g, const struct device *v, const char *name)
{
    const char *key, *value, *kind = device_channel_name(v->line.in.type);
    size_t len, pos = 0;
    const char *list = monitor_consoles(g, &len);
    um_autostr copy = list ? malloc(len + 1) : NULL;
    int fd = -1;

    if (!copy)
        return -1;
    memcpy(copy, list, len);
    /* con0 comes first and is descriptor 0; the others follow in the order of the start. */
    for (int i = -1; (key = um_kv_next(copy, len, &pos, &value)); i++)
        if (strcmp(key, name) == 0 && um_str_starts(value, kind) && value[strlen(kind)] == ' ')
            fd = i < 0 ? 0 : LAUNCH_CONSOLE_FD(i);
    return fd;
}

/* False: it needs a terminal, and the kernel has none for it. */
static bool line_side(struct guest *g, const char *name, struct live_side *s)
{
    const struct device *v = &s->device;
    const char *value = strchr(v->text, '=') + 1;
    int fd;

    if (v->line.in.type != CHANNEL_MANAGED && v->line.in.type != CHANNEL_PTS) {
        snprintf(s->spec, sizeof(s->spec), "%s=%s", name, value);
        snprintf(s->shown, sizeof(s->shown), "%.*s", (int)strcspn(value, ","), value);
        return true;
    }
    fd = v->line.pair ? -1 : console_fd(g, v, name);
    if (fd == 0)
        snprintf(s->spec, sizeof(s->spec), "%s=fd:0,fd:1", name);
    else
        snprintf(s->spec, sizeof(s->spec), "%s=fd:%d", name, fd);
    snprintf(s->shown, sizeof(s->shown), "fd:%d", fd);
    return fd >= 0;
}

/* What a line has that is not in the definition. */
static void line_default(const struct guest_definition *d, const char *name, struct live_side *s)
{
    char kind[4];
    const struct device *all;

    snprintf(kind, sizeof(kind), "%.3s", name);
    all = guest_definition_find(d, kind);
    snprintf(s->spec, sizeof(s->spec), "%s=%s", name,
             all ? strchr(all->text, '=') + 1 : device_channel_name(CHANNEL_NULL));
    snprintf(s->shown, sizeof(s->shown), "%s", strchr(s->spec, '=') + 1);
    s->shown[strcspn(s->shown, ",")] = '\0';
}

/*
 * uml(kernel): a line is put on a terminal by the number of a descriptor of the kernel's process
 * (`fd:N`), and no descriptor can be handed to a process that does not receive it.
 */
static void no_terminal(struct live_item *it)
{
    later(it,
          "its kernel has terminals as descriptors only, and those it was started with: none is "
          "left for %s",
          it->name);
    it->how = LIVE_REFUSED;
}

static void plan_line(struct guest *g, struct live_item *it)
{
    if (it->index < 0) {
        later(it, "what all lines have is read at the start: name one");
        return;
    }
    if (!it->old.there)
        line_default(&g->live->boot, it->name, &it->old);
    if (!it->fresh.there)
        line_default(&g->live->boot, it->name, &it->fresh);
    if (it->fresh.there && !line_side(g, it->name, &it->fresh))
        no_terminal(it);
    else if (it->old.there && !line_side(g, it->name, &it->old))
        later(it, "what it has now could not be put back");
}

/* ---- disks ---- */

/* NULL: it can be given to a running kernel. */
static const char *why_not(const struct guest *g, const struct device *v,
                           const struct launch_disk *disk)
{
    if (!disk->known)
        return "its file cannot be read";
    if (disk->cow && !v->ubd.backing)
        return "only files that are named are brought to a running guest, and its backing file is "
               "not (or: ubdN=COW,BACKING)";
    return live_files_why_not(g, v);
}

static const char *disk_side(const struct guest *g, const struct launch_disk *disk,
                             struct live_side *s)
{
    char name[32];
    int n = snprintf(s->spec, sizeof(s->spec), "%s%s",
                     launch_disk_name(&s->device, disk, name, sizeof(name)),
                     strchr(s->device.text, '='));

    snprintf(s->shown, sizeof(s->shown), "%s", s->device.ubd.file);
    if (n >= (int)sizeof(s->spec))
        return "its paths are too long for one command of mconsole";
    return why_not(g, &s->device, disk);
}

static bool plan_disk(struct guest *g, const struct guest_definition *from,
                      const struct guest_definition *to, struct live_item *it)
{
    struct launch_disks old, fresh;
    const char *why = NULL, *why_old = NULL;

    if (!launch_disks_read(from, &old))
        return false;
    if (!launch_disks_read(to, &fresh)) {
        launch_disks_done(&old);
        return false;
    }
    if (it->fresh.there)
        why = disk_side(g, &fresh.unit[it->index], &it->fresh);
    if (it->old.there)
        why_old = disk_side(g, &old.unit[it->index], &it->old);
    if (why)
        later(it, "%s", why);
    else if (why_old && it->fresh.there)
        later(it, "what it has now could not be put back: %s", why_old);
    else if (!it->old.there && it->index == 0)
        later(it, "every kernel has the name root_fs for ubd0 until it is started with another");
    else if (it->old.there && it->fresh.there && strcmp(it->old.shown, it->fresh.shown) == 0)
        later(it, "the kernel names both alike, so it could not be checked (or: detach it, then "
                  "add it)");
    launch_disks_done(&old);
    launch_disks_done(&fresh);
    return true;
}

/* ---- all ---- */

static const char *not_now(const struct guest *g)
{
    if (!g->live)
        return "what it was started with is not known";
    if (g->state != GUEST_RUNNING)
        return "its kernel takes changes while it is running only";
    return NULL;
}

static bool take_side(const struct device *v, struct live_side *s)
{
    s->there = v && device_copy(v, &s->device);
    return !v || s->there;
}

static bool plan_one(struct guest *g, const struct guest_definition *from,
                     const struct guest_definition *to, const char *name, struct live_plan *p)
{
    struct live_item *it = &p->items[p->count];
    const struct device *old = guest_definition_find(from, name),
                        *fresh = guest_definition_find(to, name), *any = fresh ? fresh : old;

    if (!any)
        return true;
    if (p->count == LIVE_ITEMS_MAX)
        return false;
    *it = (struct live_item){.kind = any->kind, .index = any->index, .how = LIVE_NOW};
    p->count++;
    snprintf(it->name, sizeof(it->name), "%s", name);
    if (!take_side(old, &it->old) || !take_side(fresh, &it->fresh))
        return false;
    if (old && fresh && strcmp(old->text, fresh->text) == 0)
        it->how = LIVE_NONE;
    else if (not_now(g))
        later(it, "%s", not_now(g));
    else if (it->kind == DEVICE_MEM)
        plan_memory(g, from, to, it);
    else if (it->kind == DEVICE_CON || it->kind == DEVICE_SSL)
        plan_line(g, it);
    else if (it->kind == DEVICE_UBD)
        return plan_disk(g, from, to, it);
    else
        later(it, "the sandbox and the kernel's command line are made at the start");
    return true;
}

static bool add_names(const struct guest_definition *d, struct um_strv *names)
{
    char name[32];

    for (size_t i = 0; i < d->device_count; i++)
        if (!um_strv_contains(names, device_name(&d->devices[i], name, sizeof(name))) &&
            !um_strv_add(names, name))
            return false;
    return true;
}

bool live_plan_make(struct guest *g, const struct guest_definition *from,
                    const struct guest_definition *to, const struct um_strv *names,
                    struct live_plan *ret)
{
    struct um_strv all = {NULL, 0};
    bool ok = names || (add_names(from, &all) && add_names(to, &all));
    const struct um_strv *list = names ? names : &all;

    *ret = (struct live_plan){.count = 0};
    for (size_t i = 0; ok && i < list->n; i++)
        ok = plan_one(g, from, to, list->v[i], ret);
    um_strv_done(&all);
    if (!ok)
        live_plan_done(ret);
    return ok;
}

void live_plan_done(struct live_plan *p)
{
    for (size_t i = 0; p && i < p->count; i++) {
        device_done(&p->items[i].old.device);
        device_done(&p->items[i].fresh.device);
    }
    if (p)
        p->count = 0;
}

bool live_plan_any(const struct live_plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].how == LIVE_NOW)
            return true;
    return false;
}
