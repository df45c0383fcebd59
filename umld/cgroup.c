#include "umld/cgroup_private.h"

#include "vmcore/base/fd.h"

#include <dirent.h>
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

#define GROUP_PREFIX "guest-"
enum { CPU_PERIOD_US = 100000 };

/* ---- what is written where ---- */

struct setting {
    uint64_t value;
    bool v2;
    dev_t disk;
};

typedef void (*format_fn)(const struct setting *s, char *buf, size_t size);

static void put_number(const struct setting *s, char *buf, size_t size)
{
    snprintf(buf, size, "%" PRIu64, s->value);
}

static void put_zero(um_unused const struct setting *s, char *buf, size_t size)
{
    snprintf(buf, size, "0");
}

static void put_one(um_unused const struct setting *s, char *buf, size_t size)
{
    snprintf(buf, size, "1");
}

static void put_quota(const struct setting *s, char *buf, size_t size)
{
    uint64_t quota = s->value * CPU_PERIOD_US / 100;

    if (s->v2)
        snprintf(buf, size, "%" PRIu64 " %d", quota, CPU_PERIOD_US);
    else
        snprintf(buf, size, "%" PRIu64, quota);
}

static void put_rate(const struct setting *s, char *buf, size_t size)
{
    if (s->v2)
        snprintf(buf, size, "%u:%u rbps=%" PRIu64 " wbps=%" PRIu64, major(s->disk), minor(s->disk),
                 s->value, s->value);
    else
        snprintf(buf, size, "%u:%u %" PRIu64, major(s->disk), minor(s->disk), s->value);
}

/* In this order. NULL: that version has no such file. */
static const struct row {
    enum guest_limit limit;
    const char *v1, *v2;
    format_fn format;
    bool optional; /* depends on how the host's kernel was built or started */
} rows[] = {
    {LIMIT_MEMORY, "memory.limit_in_bytes", "memory.max", put_number, false},
    /* Memory and swap together: swap is no way around the limit. */
    {LIMIT_MEMORY, "memory.memsw.limit_in_bytes", NULL, put_number, true},
    {LIMIT_MEMORY, NULL, "memory.swap.max", put_zero, true},
    /* A guest that lost one of its processes is of no use. */
    {LIMIT_MEMORY, NULL, "memory.oom.group", put_one, true},
    {LIMIT_PIDS, "pids.max", "pids.max", put_number, false},
    {LIMIT_CPU, "cpu.cfs_quota_us", "cpu.max", put_quota, false},
    {LIMIT_IO, "blkio.throttle.read_bps_device", "io.max", put_rate, false},
    {LIMIT_IO, "blkio.throttle.write_bps_device", NULL, put_rate, false},
};

static void add_lines(const struct row *row, struct setting *s, const dev_t *disks,
                      size_t disk_count, struct cgroup_line *ret, size_t *count)
{
    const char *file = s->v2 ? row->v2 : row->v1;
    size_t times = row->limit == LIMIT_IO ? disk_count : 1;

    for (size_t i = 0; file && i < times && *count < CGROUP_LINES_MAX; i++) {
        struct cgroup_line *line = &ret[(*count)++];

        *line = (struct cgroup_line){.file = file, .optional = row->optional};
        s->disk = row->limit == LIMIT_IO ? disks[i] : 0;
        row->format(s, line->text, sizeof(line->text));
    }
}

size_t cgroup_lines(bool v2, const struct guest_limits *limits, const dev_t *disks,
                    size_t disk_count, struct cgroup_line ret[CGROUP_LINES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        struct setting s = {.value = limits->value[rows[i].limit], .v2 = v2};

        if (s.value)
            add_lines(&rows[i], &s, disks, disk_count, ret, &count);
    }
    return count;
}

int cgroup_write(const char *dir, const char *file, const char *text)
{
    char path[PATH_MAX + 64];
    um_autofd fd = -1;

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;
}

/* ---- one guest's ---- */

bool cgroup_remove(const char *dir)
{
    (void)cgroup_write(dir, "cgroup.kill", "1"); /* version 2, Linux 5.14 */
    return rmdir(dir) == 0 || errno == ENOENT;
}

/* `KEY NUMBER` lines: memory.events of version 2, memory.oom_control of version 1. */
uint64_t cgroup_starved(const char *dir)
{
    static const char *const files[] = {"memory.events", "memory.oom_control"};
    char path[PATH_MAX + 32], *text, *line;
    uint64_t n = 0;

    for (size_t i = 0; i < UM_ARRAY_LEN(files) && n == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        if (um_file_read(path, 4096, &text, NULL, NULL))
            continue;
        line = strstr(text, "oom_kill ");
        n = line ? strtoull(line + strlen("oom_kill "), NULL, 10) : 0;
        free(text);
    }
    return n;
}

static enum um_code apply(const struct cgroups *c, int place, const char *dir,
                          const struct guest_limits *limits, const dev_t *disks, size_t disk_count,
                          struct um_error *err)
{
    struct cgroup_line lines[CGROUP_LINES_MAX];
    struct guest_limits held = *limits;
    size_t count;

    for (int i = 0; i < LIMIT_COUNT; i++)
        if (c->at[i] != place)
            held.value[i] = 0;
    count = cgroup_lines(place == PLACE_V2, &held, disks, disk_count, lines);
    for (size_t i = 0; i < count; i++) {
        const struct cgroup_line *l = &lines[i];
        int errnum = cgroup_write(dir, l->file, l->text);

        if (errnum && !(l->optional && (errnum == ENOENT || errnum == EOPNOTSUPP)))
            return um_fail_errno(err, errnum, "limit", "%s cannot be written to %s/%s", l->text,
                                 dir, l->file);
    }
    return UM_OK;
}

static enum um_code make_one(struct cgroups *c, int place, const char *guest, uint64_t life,
                             struct um_strv *ret, struct um_error *err)
{
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s/" GROUP_PREFIX "%s.%" PRIu64, c->places[place].dir, guest, life);
    if (mkdir(dir, 0755) < 0)
        return um_fail_errno(err, errno, dir, "cannot make the control group");
    if (um_strv_add(ret, dir))
        return UM_OK;
    rmdir(dir);
    return um_fail(err, UM_E_NO_RESOURCES, dir, NULL, "out of memory");
}

static enum um_code check_held(const struct cgroups *c, const struct guest_limits *limits,
                               struct um_error *err)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        char name[32];

        if (!limits->value[i] || c->at[i] >= 0)
            continue;
        snprintf(name, sizeof(name), "limit:%s", guest_limit_name((enum guest_limit)i));
        um_fail(err, UM_E_UNSUPPORTED, name, name, "cannot be held: %s", c->text[i]);
        return um_hint(err,
                       "in system mode umld can make control groups wherever the host has the "
                       "controller; or take the limit away: %s=none",
                       name);
    }
    return UM_OK;
}

static bool wanted(const struct cgroups *c, int place, const struct guest_limits *limits)
{
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (limits->value[i] && c->at[i] == place)
            return true;
    return false;
}

enum um_code cgroup_make(struct cgroups *c, const char *guest, uint64_t life,
                         const struct guest_limits *limits, const dev_t *disks, size_t disk_count,
                         struct um_strv *ret, struct um_error *err)
{
    enum um_code code = check_held(c, limits, err);

    for (int i = 0; i < PLACE_COUNT && !code; i++) {
        if (!wanted(c, i, limits))
            continue;
        code = make_one(c, i, guest, life, ret, err);
        if (!code)
            code = apply(c, i, ret->v[ret->n - 1], limits, disks, disk_count, err);
    }
    for (size_t i = 0; code && i < ret->n; i++)
        (void)cgroup_remove(ret->v[i]);
    return code;
}

/* `guest-NAME.LIFE`; false: something else. */
static bool guest_of(const char *entry, char *ret, size_t size)
{
    const char *dot = strrchr(entry, '.');

    if (!um_str_starts(entry, GROUP_PREFIX) || !dot)
        return false;
    entry += strlen(GROUP_PREFIX);
    return dot > entry && (size_t)snprintf(ret, size, "%.*s", (int)(dot - entry), entry) < size;
}

int cgroups_sweep(const struct cgroups *c,
                  bool (*keep)(const char *guest, const char *dir, void *arg), void *arg)
{
    int left = 0;

    for (size_t i = 0; i < PLACE_COUNT; i++) {
        DIR *d = c->places[i].dir ? opendir(c->places[i].dir) : NULL;
        char dir[PATH_MAX + 260], guest[256];
        struct dirent *e;

        while (d && (e = readdir(d))) {
            snprintf(dir, sizeof(dir), "%s/%s", c->places[i].dir, e->d_name);
            if (guest_of(e->d_name, guest, sizeof(guest)) && !keep(guest, dir, arg))
                left += !cgroup_remove(dir);
        }
        if (d)
            closedir(d);
    }
    return left;
}
