/*
 * Disks of a running guest: their files are mounted into its sandbox at their own paths, as the
 * start does (vmcore/base/nsmount.h), and opened to its user (guest_files.c). Only files that the
 * definition names are: what a COW header says is the guest's to write, once it has had the file.
 *
 * What is mounted is noted before, so a mount whose daemon died is taken away by the next.
 */
#include "umld/guest_ids.h"
#include "umld/guest_live.h"
#include "umld/process.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"
#include "vmcore/base/nsmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the files of a disk ---- */

struct file {
    const char *path;
    bool read_only;
};

enum { FILES_MAX = 3 };

static size_t files_of(const struct device *v, struct file ret[FILES_MAX])
{
    size_t n = 0;

    if (v->kind != DEVICE_UBD)
        return 0;
    ret[n++] = (struct file){v->ubd.file, v->ubd.flags & UBD_READ_ONLY};
    if (v->ubd.backing)
        ret[n++] = (struct file){v->ubd.backing, true};
    return n;
}

/* Those of a start: there the backing file that only the header names counts as well. */
static size_t files_of_start(const struct device *v, struct file ret[FILES_MAX])
{
    size_t n = files_of(v, ret);

    if (v->kind == DEVICE_INITRD)
        ret[n++] = (struct file){v->initrd, true};
    else if (v->kind == DEVICE_UBD && v->ubd.origin && v->ubd.origin[0] == '/')
        ret[n++] = (struct file){v->ubd.origin, true};
    return n;
}

/* The sandbox's since the start? */
static bool of_start(const struct guest *g, const char *path, bool *ret_read_only)
{
    const struct guest_definition *boot = &g->live->boot;
    struct file files[FILES_MAX];

    for (size_t i = 0; i < boot->device_count; i++)
        for (size_t n = files_of_start(&boot->devices[i], files), k = 0; k < n; k++)
            if (strcmp(files[k].path, path) == 0) {
                *ret_read_only = files[k].read_only;
                return true;
            }
    return false;
}

static struct live_mount *mount_of(struct guest_live *l, const char *path)
{
    for (size_t i = 0; i < l->mount_count; i++)
        if (strcmp(l->mounts[i].path, path) == 0)
            return &l->mounts[i];
    return NULL;
}

static bool needed(const struct guest_live *l, const char *path)
{
    struct file files[FILES_MAX];

    for (size_t i = 0; i < l->now.device_count; i++)
        for (size_t n = files_of(&l->now.devices[i], files), k = 0; k < n; k++)
            if (strcmp(files[k].path, path) == 0)
                return true;
    return false;
}

const char *live_files_why_not(const struct guest *g, const struct device *v)
{
    struct file files[FILES_MAX];
    size_t n = files_of(v, files);
    bool read_only;

    for (size_t i = 0; i < n && g->def.sandbox; i++)
        if (of_start(g, files[i].path, &read_only) && read_only != files[i].read_only)
            return read_only ? "one of its files is in the sandbox read-only since the start"
                             : "one of its files is in the sandbox for writing since the start";
    return NULL;
}

/* ---- in a child ---- */

struct order {
    int ns;
    const char *path;
    bool add;
    unsigned flags;
};

static int obey(void *arg)
{
    const struct order *o = arg;

    return o->add ? um_nsmount_add(o->ns, o->path, o->flags) : um_nsmount_remove(o->ns, o->path);
}

/*
 * The mount namespace of the sandbox, by umlinit: it is the parent of the kernel's main process,
 * whose own could be one that a guest has made. -1 with errno.
 */
static int open_namespace(const struct guest *g)
{
    pid_t init = g->main_pid > 0 ? process_parent(g->main_pid) : 0;
    char path[48];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)init);
    fd = init > 1 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    /* It still was when the file was opened. */
    if (fd >= 0 && process_parent(g->main_pid) == init &&
        um_clock_process_start(g->main_pid) == g->main_start)
        return fd;
    if (fd >= 0) {
        close(fd);
        errno = ESRCH;
    }
    return -1;
}

static int run(const struct guest *g, struct order *o)
{
    int errnum;

    o->ns = open_namespace(g);
    if (o->ns < 0)
        return errno;
    errnum = guest_ids_run(g->umld, obey, o);
    close(o->ns);
    return errnum;
}

/* ---- into the sandbox ---- */

static unsigned flags_of(const struct file *f)
{
    unsigned flags = f->read_only ? UM_NSMOUNT_READ_ONLY : 0;
    struct stat st;

    return stat(f->path, &st) == 0 && S_ISBLK(st.st_mode) ? flags | UM_NSMOUNT_DEVICE : flags;
}

/* Noted before it is done. */
static struct live_mount *note(struct guest *g, const struct file *f)
{
    struct guest_live *l = g->live;
    struct live_mount *m = mount_of(l, f->path);

    if (!m)
        m = guest_live_add_mount(l, f->path);
    if (!m)
        return NULL;
    m->read_only = f->read_only;
    m->there = false;
    return guest_live_save(g) ? m : NULL;
}

static enum um_code show(struct guest *g, const struct file *f, struct um_error *err)
{
    struct order away = {.path = f->path},
                 here = {.path = f->path, .add = true, .flags = flags_of(f)};
    struct live_mount *m = mount_of(g->live, f->path);
    bool read_only;
    int errnum;

    if (of_start(g, f->path, &read_only) || (m && m->there && m->read_only == f->read_only))
        return UM_OK;
    errnum = m ? run(g, &away) : 0;
    m = note(g, f);
    if (!m)
        return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "the change cannot be noted");
    if (!errnum)
        errnum = run(g, &here);
    m->there = errnum == 0;
    if (!errnum)
        return UM_OK;
    um_fail(err, UM_E_UNSUPPORTED, NULL, NULL, "%s cannot be brought into its sandbox: %s", f->path,
            errnum == EXDEV ? "a directory or file that it was given is in the way"
                            : strerror(errnum));
    return um_hint(err, "umlctl config %s ... --stored: at its next start", g->def.name);
}

enum um_code live_files_show(struct guest *g, const struct device *v, struct um_error *err)
{
    struct file files[FILES_MAX];
    size_t n = files_of(v, files);
    enum um_code code = g->uid ? guest_files_add(g, v, err) : UM_OK;

    for (size_t i = 0; !code && i < n && g->def.sandbox; i++)
        code = show(g, &files[i], err);
    return code;
}

/* ---- out of it ---- */

void live_files_tidy(struct guest *g)
{
    struct guest_live *l = g->live;
    size_t left = 0;

    for (size_t i = 0; i < l->mount_count; i++) {
        struct order away = {.path = l->mounts[i].path};
        int errnum = 0;

        if (needed(l, l->mounts[i].path)) {
            l->mounts[left++] = l->mounts[i];
            continue;
        }
        errnum = run(g, &away);
        if (errnum)
            um_log(UM_LOG_WARNING, "guest %s: %s stays in its sandbox: %s", g->def.name,
                   l->mounts[i].path, strerror(errnum));
        guest_files_drop(g, l->mounts[i].path);
        free(l->mounts[i].path);
    }
    if (left == l->mount_count)
        return;
    l->mount_count = left;
    if (!guest_live_save(g))
        um_log(UM_LOG_WARNING, "guest %s: its note names files that are gone", g->def.name);
}
