/*
 * A guest and its control groups: made right before a start, noted in R/g/NAME/cgroup, taken away
 * when it is proven dead. The note, because another umld may end what this one began.
 */
#include "umld/cgroup.h"
#include "umld/guest_ids.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/monitor/order.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DISKS_MAX = 2 * DEVICE_UBD_MAX, NOTE_MAX = 65536 };

static void note_path(const char *guest_dir, char *buf, size_t size)
{
    snprintf(buf, size, "%s/cgroup", guest_dir);
}

/* ---- the block devices of its files ---- */

/* Rates are held by whole disks: of a partition /sys names the directory above. */
static bool whole_disk(dev_t dev, dev_t *ret)
{
    char path[PATH_MAX], *text;
    unsigned a, b;
    bool ok;

    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%sdev", major(dev), minor(dev),
             access(path, F_OK) == 0 ? "../" : "");
    if (um_file_read(path, 64, &text, NULL, NULL))
        return false;
    ok = sscanf(text, "%u:%u", &a, &b) == 2;
    free(text);
    if (ok)
        *ret = makedev(a, b);
    return ok;
}

struct disks {
    dev_t list[DISKS_MAX];
    size_t count;
};

static enum um_code add_disk(struct disks *d, const char *path, struct um_error *err)
{
    struct stat st;
    dev_t disk;

    if (!path || stat(path, &st) < 0)
        return UM_OK; /* other checks have looked at it */
    if (!whole_disk(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, &disk)) {
        um_fail(err, UM_E_UNSUPPORTED, "limit:io", "limit:io",
                "the file system of %s is on no block device of its own, so its rate cannot be "
                "limited",
                path);
        return um_hint(err, "keep the file on a disk's own file system; or limit:io=none");
    }
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i] == disk)
            return UM_OK;
    d->list[d->count++] = disk;
    return UM_OK;
}

static enum um_code find_disks(const struct guest_definition *def, struct disks *ret,
                               struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 0; i < def->device_count && !code; i++) {
        const struct device *v = &def->devices[i];

        if (v->kind != DEVICE_UBD)
            continue;
        code = add_disk(ret, v->ubd.file, err);
        if (!code)
            code = add_disk(ret, v->ubd.backing, err);
    }
    return code;
}

/* ---- made ---- */

static uint64_t default_memory(uint64_t memory)
{
    return memory + memory / 4 + (UINT64_C(128) << 20);
}

static uint64_t default_pids(uint64_t memory)
{
    return memory / (64 << 10) + 256;
}

/*
 * In system mode no guest is without a limit on memory and processes, where the host can hold one:
 * whoever breaks out of a kernel must not take the host's. No guest that stays inside comes near.
 * Memory: the file in the sandbox's tmpfs is bounded (launch_child.c), page tables and the programs
 * come on top. Processes: each of the guest's is one, and its kernel allows one per 128 KiB.
 */
static const struct {
    enum guest_limit limit;
    uint64_t (*value)(uint64_t memory);
} defaults[] = {
    {LIMIT_MEMORY, default_memory},
    {LIMIT_PIDS, default_pids},
};

static bool find_limits(const struct guest *g, struct guest_limits *ret)
{
    const char *text;
    bool any = false;

    *ret = g->def.limits;
    for (size_t i = 0; g->umld->system && i < UM_ARRAY_LEN(defaults); i++) {
        enum guest_limit which = defaults[i].limit;

        if (!ret->value[which] && cgroups_hold(g->umld->cgroups, which, &text))
            ret->value[which] = defaults[i].value(guest_definition_memory(&g->def));
    }
    for (int i = 0; i < LIMIT_COUNT; i++)
        any = any || ret->value[i];
    return any;
}

static enum um_code write_note(const struct guest *g, const struct um_strv *dirs,
                               struct um_error *err)
{
    char dir[GUEST_PATH_SIZE], path[GUEST_PATH_SIZE + 16];
    struct um_buf text = UM_BUF_INIT;
    enum um_code code = UM_OK;
    um_autofd fd = -1;

    for (size_t i = 0; i < dirs->n; i++)
        um_buf_printf(&text, "%s\n", dirs->v[i]);
    note_path(guest_path(g, GUEST_PATH_DIR, dir), path, sizeof(path));
    /* Groups do not outlive the host's life: nothing needs to reach a disk. */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (text.failed)
        code = um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    else if (fd < 0 || !um_fd_write_all(fd, text.data ? text.data : "", text.len))
        code = um_fail_errno(err, errno, path, "cannot write");
    um_buf_done(&text);
    return code;
}

enum um_code guest_cgroup_make(struct guest *g, struct um_strv *ret, struct um_error *err)
{
    struct cgroups *c = g->umld->cgroups;
    struct disks disks = {.count = 0};
    struct guest_limits limits;
    enum um_code code = UM_OK;

    if (!find_limits(g, &limits))
        return UM_OK;
    cgroups_prepare(c, geteuid(), getegid());
    if (limits.value[LIMIT_IO])
        code = find_disks(&g->def, &disks, err);
    if (!code)
        code = cgroup_make(c, g->def.name, g->boot + 1, &limits, disks.list, disks.count, ret, err);
    if (!code)
        code = write_note(g, ret, err);
    if (!code && cgroups_gate(c) >= 0 && !um_strv_add(ret, ORDER_CGROUP_GATE))
        code = um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    return code;
}

/* ---- taken away ---- */

static void sweep_later(struct umld *umld);

static void each_group(const char *guest_dir, void (*fn)(const char *dir, void *arg), void *arg)
{
    char path[GUEST_PATH_SIZE + 300], *text, *save = NULL;

    note_path(guest_dir, path, sizeof(path));
    if (um_file_read(path, NOTE_MAX, &text, NULL, NULL))
        return;
    for (char *dir = strtok_r(text, "\n", &save); dir; dir = strtok_r(NULL, "\n", &save))
        fn(dir, arg);
    free(text);
}

static void remove_one(const char *dir, void *arg)
{
    *(int *)arg += !cgroup_remove(dir);
}

void guest_cgroup_remove(struct umld *umld, const char *guest_dir)
{
    int left = 0;

    each_group(guest_dir, remove_one, &left);
    if (left)
        sweep_later(umld);
}

static void count_starved(const char *dir, void *arg)
{
    *(uint64_t *)arg += cgroup_starved(dir);
}

bool guest_cgroup_starved(const struct guest *g)
{
    char dir[GUEST_PATH_SIZE];
    uint64_t n = 0;

    each_group(guest_path(g, GUEST_PATH_DIR, dir), count_starved, &n);
    return n > 0;
}

/* ---- what could not be removed at once ---- */

enum { SWEEP_MS = 500, SWEEPS_MAX = 120 };

struct search {
    const char *dir;
    bool found;
};

static void compare(const char *dir, void *arg)
{
    struct search *s = arg;

    s->found = s->found || strcmp(dir, s->dir) == 0;
}

/* Noted in a run directory: it is in use, or will be taken away with it. */
static bool is_noted(const char *guest, const char *dir, void *arg)
{
    const struct umld *umld = arg;
    struct search s = {.dir = dir};
    char path[GUEST_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/g/%s", umld->paths.run_dir, guest);
    each_group(path, compare, &s);
    return s.found;
}

static void sweep(void *arg)
{
    struct umld *umld = arg;
    int left = cgroups_sweep(umld->cgroups, is_noted, umld);

    if (left && ++umld->sweeps < SWEEPS_MAX)
        um_timer_arm(umld->sweep, SWEEP_MS * UM_MS_NS);
    else if (left)
        um_log(UM_LOG_WARNING, "%d control groups of dead guests cannot be removed", left);
}

/*
 * A dead process is in its group until its parent reaps it. umlmon does so before it ends; when
 * umlmon was killed, the host's init does it some time.
 */
static void sweep_later(struct umld *umld)
{
    umld->sweeps = 0;
    if (!umld->sweep)
        umld->sweep = um_timer_new(umld->loop, sweep, umld);
    if (umld->sweep)
        um_timer_arm(umld->sweep, SWEEP_MS * UM_MS_NS);
}

void guest_cgroups_sweep(struct umld *umld)
{
    if (cgroups_sweep(umld->cgroups, is_noted, umld))
        sweep_later(umld);
}
