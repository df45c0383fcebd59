#include "vmcore/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * UM_SEC_NS + ts.tv_nsec;
}

int64_t um_clock_mono_ns(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t um_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

const char *um_clock_rfc3339(int64_t wall_ns, char buf[UM_CLOCK_TEXT_SIZE])
{
    int64_t part = wall_ns % UM_SEC_NS, floor = part < 0 ? part + UM_SEC_NS : part;
    time_t sec = (time_t)((wall_ns - floor) / UM_SEC_NS);
    long usec = (long)(floor / 1000);
    struct tm tm;
    char date[24];

    gmtime_r(&sec, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf, UM_CLOCK_TEXT_SIZE, "%s.%06ldZ", date, usec);
    return buf;
}

/* `.5` and the like, up to nanoseconds; further digits are dropped. Moves *at behind them. */
static int64_t parse_fraction(const char **at)
{
    int64_t ns = 0, unit = UM_SEC_NS / 10;

    if (**at != '.')
        return 0;
    for (++*at; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
        ns += (**at - '0') * unit;
    return ns;
}

static bool parse_zone(const char *text, int64_t *ret_offset)
{
    int hours, minutes, end = 0;

    *ret_offset = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if ((text[0] != '+' && text[0] != '-') ||
        sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || end != 5 || text[6] ||
        hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_offset = (hours * 60 + minutes) * 60 * (text[0] == '-' ? -1 : 1);
    return true;
}

bool um_clock_from_rfc3339(const char *text, int64_t *ret_wall_ns)
{
    struct tm tm = {.tm_isdst = 0};
    int64_t fraction, offset;
    const char *rest;

    /* strptime(3) takes shorter numbers and blanks; the fixed width rules them out. */
    if (strlen(text) < 20 || (text[10] != 'T' && text[10] != ' ') ||
        strspn(text, "0123456789-") != 10)
        return false;
    rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest != text + 10)
        return false;
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (rest != text + 19)
        return false;
    fraction = parse_fraction(&rest);
    if (!parse_zone(rest, &offset))
        return false;
    if (tm.tm_year + 1900 < 1700 || tm.tm_year + 1900 > 2200)
        return false; /* nanoseconds since 1970 have no room for much more */
    *ret_wall_ns = ((int64_t)timegm(&tm) - offset) * UM_SEC_NS + fraction;
    return true;
}

static ssize_t read_small_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, buf, size - 1);
    close(fd);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

int64_t um_clock_process_start(int pid)
{
    char path[64], text[1024];
    char *p;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (read_small_file(path, text, sizeof(text)) <= 0)
        return -1;
    /* proc(5): the command name may itself contain blanks and parentheses, so count from its end.
     */
    p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p, ' ');
        if (p)
            p++;
    }
    return p ? strtoll(p, NULL, 10) : -1;
}

const char *um_clock_boot_id(void)
{
    static char id[48];

    if (!id[0]) {
        if (read_small_file("/proc/sys/kernel/random/boot_id", id, sizeof(id)) <= 0)
            snprintf(id, sizeof(id), "unknown");
        id[strcspn(id, "\n")] = '\0';
    }
    return id;
}
