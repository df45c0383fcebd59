#include "umld/console_log.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void console_log_done(struct console_log *log)
{
    free(log->parts);
    *log = (struct console_log){NULL, 0};
}

static int by_age(const void *a, const void *b)
{
    const struct console_part *x = a, *y = b;

    if (x->boot != y->boot)
        return x->boot < y->boot ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

/* `con0.12.3.log` -> boot 12, part 3. */
static bool parse_name(const char *name, const char *device, struct console_part *ret)
{
    size_t n = strlen(device);
    int end = 0;

    return strncmp(name, device, n) == 0 && name[n] == '.' &&
           sscanf(name + n, ".%" SCNd64 ".%" SCNd64 ".log%n", &ret->boot, &ret->part, &end) == 2 &&
           end > 0 && name[n + (size_t)end] == '\0';
}

static bool add(struct console_log *log, const struct console_part *part)
{
    struct console_part *parts = realloc(log->parts, (log->count + 1) * sizeof(*parts));

    if (!parts)
        return false;
    parts[log->count++] = *part;
    log->parts = parts;
    return true;
}

enum um_code console_log_scan(const char *dir, const char *device, int64_t boot,
                              struct console_log *ret, struct um_error *err)
{
    struct console_log log = {NULL, 0};
    struct dirent *e;
    DIR *d = opendir(dir);

    if (!d && errno != ENOENT)
        return um_fail_errno(err, errno, dir, "cannot be read");
    while (d && (e = readdir(d))) {
        struct console_part part;
        struct stat st;

        if (!parse_name(e->d_name, device, &part) || (boot >= 0 && part.boot != boot) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        part.bytes = st.st_size;
        if (!add(&log, &part)) {
            closedir(d);
            console_log_done(&log);
            return um_fail(err, UM_E_NO_RESOURCES, dir, NULL, "out of memory");
        }
    }
    if (d)
        closedir(d);
    if (log.count)
        qsort(log.parts, log.count, sizeof(*log.parts), by_age);
    *ret = log;
    return UM_OK;
}

int64_t console_log_bytes(const struct console_log *log)
{
    int64_t sum = 0;

    for (size_t i = 0; i < log->count; i++)
        sum += log->parts[i].bytes;
    return sum;
}

int64_t console_log_read(const char *dir, const char *device, const struct console_log *log,
                         int64_t offset, char *ret, size_t len)
{
    size_t got = 0;

    for (size_t i = 0; i < log->count && got < len; i++) {
        const struct console_part *p = &log->parts[i];
        um_autofd fd = -1;
        char path[800];
        ssize_t n;

        if (offset >= p->bytes) {
            offset -= p->bytes;
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s.%" PRId64 ".%" PRId64 ".log", dir, device, p->boot,
                 p->part);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return -1;
        n = pread(fd, ret + got, len - got, (off_t)offset);
        if (n < 0)
            return -1;
        got += (size_t)n;
        offset = 0;
        if (n == 0)
            break;
    }
    return (int64_t)got;
}
