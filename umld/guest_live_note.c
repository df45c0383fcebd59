/*
 * The note in the run directory, a record of key=value (vmcore/base/kv.h), since paths are any
 * bytes:
 *
 *   boot=WORD           the kernel is executed with it, at each reboot in place again
 *   now=WORD            it has it
 *   mount=ro|rw PATH    the file was brought into the sandbox, or was about to be
 *   wish=NAME           it is being changed, to the word that follows, or else removed
 *   word=WORD
 *   origin=TEXT         of the disk in the word before (struct device): its guest can write into
 *                       the file, so it is never looked for there again
 *
 * A wish is written before the kernel is told, and goes after the definition is committed. So a
 * wish that a new daemon finds is asked about: what took is stored, anything else is put back.
 */
#include "umld/guest_live.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"
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

static void add_device(struct um_buf *b, const char *key, const struct device *v)
{
    um_kv_add(b, key, v->text);
    if (v->kind == DEVICE_UBD && v->ubd.origin)
        um_kv_add(b, "origin", v->ubd.origin);
}

static void add_devices(struct um_buf *b, const char *key, const struct guest_definition *d)
{
    for (size_t i = 0; i < d->device_count; i++)
        add_device(b, key, &d->devices[i]);
}

bool guest_live_save(struct guest *g)
{
    const struct guest_live *l = g->live;
    char path[GUEST_PATH_SIZE + 16];
    struct um_buf b = UM_BUF_INIT;
    bool ok;

    add_devices(&b, "boot", &l->boot);
    add_devices(&b, "now", &l->now);
    for (size_t i = 0; i < l->mount_count; i++)
        um_kv_addf(&b, "mount", "%s %s", l->mounts[i].read_only ? "ro" : "rw", l->mounts[i].path);
    for (size_t i = 0; i < l->wish_count; i++) {
        um_kv_add(&b, "wish", l->wishes[i].name);
        if (l->wishes[i].there)
            add_device(&b, "word", &l->wishes[i].device);
    }
    ok = !b.failed && replace(note_path(g, path), &b);
    if (!ok)
        um_log(UM_LOG_ERROR, "guest %s: its devices cannot be noted: %s", g->def.name,
               b.failed ? "out of memory" : strerror(errno));
    um_buf_done(&b);
    return ok;
}

void guest_live_unwish(struct guest_live *l)
{
    for (size_t i = 0; i < l->wish_count; i++)
        device_done(&l->wishes[i].device);
    free(l->wishes);
    l->wishes = NULL;
    l->wish_count = 0;
}

/* The next of at most LIVE_ITEMS_MAX. */
static struct live_wish *add_wish(struct guest_live *l, const char *name)
{
    struct live_wish *w;

    if (!l->wishes)
        l->wishes = calloc(LIVE_ITEMS_MAX, sizeof(*l->wishes));
    if (!l->wishes || l->wish_count == LIVE_ITEMS_MAX)
        return NULL;
    w = &l->wishes[l->wish_count++];
    snprintf(w->name, sizeof(w->name), "%s", name);
    return w;
}

bool guest_live_wish(struct guest *g, const struct live_plan *p)
{
    guest_live_unwish(g->live);
    for (size_t i = 0; i < p->count; i++) {
        const struct live_item *it = &p->items[i];
        struct live_wish *w;

        if (it->how != LIVE_NOW)
            continue;
        w = add_wish(g->live, it->name);
        if (!w)
            return false;
        w->there = it->fresh.there && device_copy(&it->fresh.device, &w->device);
        if (w->there != it->fresh.there)
            return false;
    }
    return guest_live_save(g);
}

/* ---- reading ---- */

/* What an origin that follows is about: the word before it, in a list or in the last wish. */
struct reading {
    struct guest_live *live;
    struct guest_definition *list;
};

static bool take_device(struct reading *r, struct guest_definition *d, const char *word)
{
    struct device v;

    if (device_parse(word, NULL, &v, NULL))
        return false;
    r->list = d;
    if (guest_definition_set(d, &v))
        return true;
    device_done(&v);
    return false;
}

static bool take_boot(struct reading *r, const char *value)
{
    return take_device(r, &r->live->boot, value);
}

static bool take_now(struct reading *r, const char *value)
{
    return take_device(r, &r->live->now, value);
}

static bool take_wish(struct reading *r, const char *value)
{
    return add_wish(r->live, value);
}

static bool take_word(struct reading *r, const char *value)
{
    struct live_wish *w = r->live->wish_count ? &r->live->wishes[r->live->wish_count - 1] : NULL;

    r->list = NULL;
    if (!w || w->there)
        return false;
    w->there = !device_parse(value, NULL, &w->device, NULL);
    return w->there;
}

static bool take_mount(struct reading *r, const char *value)
{
    const char *blank = strchr(value, ' ');
    struct live_mount *m = blank ? guest_live_add_mount(r->live, blank + 1) : NULL;

    if (m)
        m->read_only = um_str_starts(value, "ro ");
    return m;
}

/* The device of the word before. */
static struct device *last_device(const struct reading *r)
{
    if (r->list)
        return &r->list->devices[r->list->device_count - 1];
    return r->live->wish_count ? &r->live->wishes[r->live->wish_count - 1].device : NULL;
}

static bool take_origin(struct reading *r, const char *value)
{
    struct device *v = last_device(r);

    if (!v || v->kind != DEVICE_UBD || v->ubd.origin)
        return false;
    v->ubd.origin = strdup(value);
    return v->ubd.origin;
}

static const struct {
    const char *key;
    bool (*take)(struct reading *r, const char *value);
} rows[] = {
    {"boot", take_boot}, {"now", take_now},     {"wish", take_wish},
    {"word", take_word}, {"mount", take_mount}, {"origin", take_origin},
};

static bool take(struct reading *r, const char *key, const char *value)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].key, key) == 0)
            return rows[i].take(r, value);
    return false;
}

void guest_live_read(struct guest *g)
{
    char path[GUEST_PATH_SIZE + 16], *text;
    struct reading r = {.live = NULL};
    const char *key, *value;
    size_t len, pos = 0;
    bool ok = true;

    if (um_file_read(note_path(g, path), NOTE_MAX, &text, &len, NULL))
        return;
    r.live = calloc(1, sizeof(*r.live));
    if (r.live) {
        r.live->boot = r.live->now = GUEST_DEFINITION_INIT;
        while (ok && (key = um_kv_next(text, len, &pos, &value)))
            ok = take(&r, key, value);
        if (!ok || pos < len) {
            um_log(UM_LOG_ERROR, "guest %s: %s cannot be understood", g->def.name, path);
            guest_live_free(r.live);
            r.live = NULL;
        }
    }
    free(text);
    g->live = r.live;
}

struct live_mount *guest_live_add_mount(struct guest_live *l, const char *path)
{
    struct live_mount *m;

    if (!l->mounts)
        l->mounts = calloc(LIVE_MOUNTS_MAX, sizeof(*l->mounts));
    if (!l->mounts || l->mount_count == LIVE_MOUNTS_MAX)
        return NULL;
    m = &l->mounts[l->mount_count];
    *m = (struct live_mount){.path = strdup(path)};
    if (!m->path)
        return NULL;
    l->mount_count++;
    return m;
}

void guest_live_free(struct guest_live *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->mount_count; i++)
        free(l->mounts[i].path);
    free(l->mounts);
    free(l->queue);
    guest_live_unwish(l);
    guest_definition_done(&l->boot);
    guest_definition_done(&l->now);
    free(l);
}
