#include "vmcore/monitor/conlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 80 };

static const char *part_name(const struct mon_log *l, uint64_t boot, uint32_t part,
                             char buf[NAME_SIZE])
{
    snprintf(buf, NAME_SIZE, "%s.%" PRIu64 ".%u.log", l->device, boot, part);
    return buf;
}

/* Only names that part_name() itself would make: no leading zeros, no signs. */
static bool parse_name(const struct mon_log *l, const char *name, struct mon_log_part *ret)
{
    size_t prefix = strlen(l->device);
    char again[NAME_SIZE];
    uint64_t boot;
    unsigned part;

    if (strncmp(name, l->device, prefix) != 0 || name[prefix] != '.' ||
        sscanf(name + prefix, ".%" SCNu64 ".%u.log", &boot, &part) != 2 ||
        strcmp(part_name(l, boot, part, again), name) != 0)
        return false;
    *ret = (struct mon_log_part){.boot = boot, .part = part};
    return true;
}

static bool add_part(struct mon_log *l, const struct mon_log_part *p)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        struct mon_log_part *parts = realloc(l->parts, cap * sizeof(*parts));

        if (!parts)
            return false;
        l->parts = parts;
        l->cap = cap;
    }
    l->parts[l->count++] = *p;
    return true;
}

static void remove_surplus(struct mon_log *l)
{
    char name[NAME_SIZE];
    size_t surplus = l->count > l->part_max ? l->count - l->part_max : 0;

    for (size_t i = 0; i < surplus; i++)
        unlinkat(l->dir, part_name(l, l->parts[i].boot, l->parts[i].part, name), 0);
    if (surplus > 0)
        memmove(l->parts, l->parts + surplus, (l->count - surplus) * sizeof(*l->parts));
    l->count -= surplus;
}

static int compare_parts(const void *va, const void *vb)
{
    const struct mon_log_part *a = va, *b = vb;

    if (a->boot != b->boot)
        return a->boot < b->boot ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part;
}

static bool scan(struct mon_log *l)
{
    int copy = openat(l->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    struct mon_log_part p;
    struct dirent *de;
    struct stat st;
    bool ok = true;

    if (!d) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    while (ok && (de = readdir(d))) {
        if (!parse_name(l, de->d_name, &p) ||
            fstatat(l->dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            continue;
        p.size = st.st_size;
        ok = add_part(l, &p);
    }
    closedir(d);
    return ok;
}

int64_t mon_log_end(const struct mon_log *l)
{
    const struct mon_log_part *last = l->count > 0 ? &l->parts[l->count - 1] : NULL;

    return last ? last->start + last->size : 0;
}

/* Begin the next part; on failure l->fd is -1 and later appends try again. */
static bool begin_part(struct mon_log *l)
{
    struct mon_log_part p = {.boot = l->boot, .start = mon_log_end(l)};
    char name[NAME_SIZE];
    int fd;

    for (size_t i = 0; i < l->count; i++)
        if (l->parts[i].boot == l->boot && l->parts[i].part >= p.part)
            p.part = l->parts[i].part + 1;
    part_name(l, p.boot, p.part, name);
    fd = openat(l->dir, name, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    if (fd < 0)
        return false;
    if (!add_part(l, &p)) {
        close(fd);
        unlinkat(l->dir, name, 0);
        l->fd = -1;
        return false;
    }
    remove_surplus(l);
    return true;
}

enum um_code mon_log_init(struct mon_log *l, int dir, const char *device, int64_t part_size,
                          size_t part_max, uint64_t boot, struct um_error *err)
{
    int64_t at = 0;

    *l = (struct mon_log){.dir = dir,
                          .part_size = part_size,
                          .part_max = part_max,
                          .boot = boot,
                          .fd = -1,
                          .write = write};
    snprintf(l->device, sizeof(l->device), "%s", device);
    if (!scan(l))
        return um_fail_errno(err, errno, "console log", "cannot read the log directory");
    if (l->count > 1)
        qsort(l->parts, l->count, sizeof(*l->parts), compare_parts);
    remove_surplus(l);
    for (size_t i = 0; i < l->count; i++) {
        l->parts[i].start = at;
        at += l->parts[i].size;
    }
    if (!begin_part(l))
        return um_fail_errno(err, errno, "console log", "cannot create %s.%" PRIu64 ".*.log",
                             device, boot);
    return UM_OK;
}

void mon_log_done(struct mon_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    free(l->parts);
    l->parts = NULL;
    l->count = l->cap = 0;
}

/* How many bytes reached the last part. */
static size_t write_some(struct mon_log *l, const char *data, size_t len)
{
    struct mon_log_part *last = l->count > 0 ? &l->parts[l->count - 1] : NULL;
    ssize_t n;

    if (l->fd < 0 || !last)
        return 0;
    do
        n = l->write(l->fd, data, len);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    last->size += n;
    return (size_t)n;
}

static void write_note(struct mon_log *l)
{
    char text[96];
    int len =
        snprintf(text, sizeof(text),
                 "\r\n[... %" PRId64 " bytes lost: the log could not be written ...]\r\n", l->lost);

    if (write_some(l, text, (size_t)len) == (size_t)len)
        l->lost = 0;
}

void mon_log_append(struct mon_log *l, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        int64_t room;
        size_t take, done;

        if ((l->fd < 0 || l->parts[l->count - 1].size >= l->part_size) && !begin_part(l))
            break;
        if (l->lost > 0)
            write_note(l);
        room = l->part_size - l->parts[l->count - 1].size;
        if (room <= 0)
            continue;
        take = (int64_t)len < room ? len : (size_t)room;
        done = l->lost > 0 ? 0 : write_some(l, p, take);
        if (done == 0)
            break;
        p += done;
        len -= done;
    }
    l->lost += (int64_t)len;
}

void mon_log_new_boot(struct mon_log *l, uint64_t boot)
{
    l->boot = boot;
    /* A failure shows as lost bytes later; appends try again. */
    if (!begin_part(l))
        return;
}
