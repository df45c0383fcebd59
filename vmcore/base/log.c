#include "vmcore/base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int journal_priority; /* sd-daemon(3) */
} levels[UM_LOG_LEVEL_COUNT] = {
    [UM_LOG_ERROR] = {"error", 3},   [UM_LOG_WARNING] = {"warning", 4},
    [UM_LOG_NOTICE] = {"notice", 5}, [UM_LOG_INFO] = {"info", 6},
    [UM_LOG_DEBUG] = {"debug", 7},
};

static struct {
    const char *program;
    enum um_log_level level;
    bool journal; /* there may be one, at this device and inode */
    uintmax_t device, inode;
} state = {.program = "umld", .level = UM_LOG_INFO};

void um_log_init(const char *program)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char end;

    state.program = program;
    state.journal = stream && sscanf(stream, "%ju:%ju%c", &state.device, &state.inode, &end) == 2;
}

/*
 * The variable is inherited by everything that a service starts, its shells included: it counts
 * only for the stream that it names (systemd.exec(5)). Standard error may be another one by now.
 */
static bool goes_to_journal(void)
{
    struct stat st;

    return state.journal && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == state.device &&
           st.st_ino == state.inode;
}

void um_log_set_level(enum um_log_level level)
{
    state.level = level;
}

enum um_log_level um_log_get_level(void)
{
    return state.level;
}

const char *um_log_level_name(enum um_log_level level)
{
    return levels[(unsigned)level < UM_LOG_LEVEL_COUNT ? level : UM_LOG_DEBUG].name;
}

bool um_log_level_from_name(const char *name, enum um_log_level *ret_level)
{
    for (int i = 0; i < UM_LOG_LEVEL_COUNT; i++)
        if (strcmp(levels[i].name, name) == 0) {
            *ret_level = (enum um_log_level)i;
            return true;
        }
    return false;
}

void um_log(enum um_log_level level, const char *fmt, ...)
{
    char line[2048];
    int used;
    va_list ap;

    if (level > state.level)
        return;
    if (goes_to_journal()) {
        used = snprintf(line, sizeof(line), "<%d>", levels[level].journal_priority);
    } else {
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        used = snprintf(line, sizeof(line), "%02d:%02d:%02d.%03ld %s[%d] %s: ", tm.tm_hour,
                        tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000, state.program, (int)getpid(),
                        levels[level].name);
    }
    va_start(ap, fmt);
    used += vsnprintf(line + used, sizeof(line) - (size_t)used, fmt, ap);
    va_end(ap);
    if (used > (int)sizeof(line) - 2)
        used = (int)sizeof(line) - 2;
    /* Texts from users must not look like lines of their own. */
    for (char *p = line; p < line + used; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = '?';
    line[used] = '\n';
    /* One write per line so that lines of several processes do not mix; a full pipe loses it. */
    if (write(STDERR_FILENO, line, (size_t)used + 1) < 0)
        return;
}
