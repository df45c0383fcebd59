#include "umld/guest_evidence.h"

#include "umld/console_log.h"
#include "umld/events.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_age(struct um_buf *b, const char *what, int64_t then_ns)
{
    if (then_ns)
        um_buf_printf(b, "%s: %" PRId64 " ms ago\n", what,
                      (um_clock_mono_ns() - then_ns) / UM_MS_NS);
    else
        um_buf_printf(b, "%s: never\n", what);
}

static void add_head(struct um_buf *b, const struct guest *g, const char *kind, const char *what)
{
    static const char *const lanes[MCONSOLE_LANE_COUNT] = {
        [MCONSOLE_LANE_QUERY] = "last answer to a question",
        [MCONSOLE_LANE_CONTROL] = "last answer to a command",
        [MCONSOLE_LANE_WATCH] = "last answer to a ping",
    };
    char now[UM_CLOCK_TEXT_SIZE];

    um_buf_printf(b, "guest: %s\nboot: %" PRIu64 "\nwhen: %s\n%s: %s\nstate: %s\n", g->def.name,
                  g->boot, um_clock_rfc3339(um_clock_wall_ns(), now), kind, what,
                  guest_state_info(g->state)->name);
    if (g->status)
        um_buf_printf(b, "status: %s\n", g->status);
    if (g->main_pid <= 0)
        return;
    um_buf_puts(b, "\n== mconsole ==\n");
    for (int i = 0; i < MCONSOLE_LANE_COUNT; i++)
        add_age(b, lanes[i], g->lanes[i] ? mconsole_lane_answered_ns(g->lanes[i]) : 0);
    add_age(b, "first ping without an answer", g->watch.waiting ? g->watch.waiting_ns : 0);
}

/* Text of the guest's or the kernel's: no escape sequences for whoever looks at it. */
static void add_clean(struct um_buf *b, char *text, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++)
        if (text[i] != '\r' && text[i] != '\0')
            text[kept++] = text[i] == '\t' ? ' ' : text[i];
    um_str_make_utf8(text, kept);
    um_buf_append(b, text, kept);
    if (kept == 0 || text[kept - 1] != '\n')
        um_buf_puts(b, "\n");
}

static void add_process(struct um_buf *b, pid_t pid)
{
    static const char *const files[] = {"status", "wchan", "stack", "stat", "schedstat", "syscall"};

    if (pid <= 0)
        return;
    for (size_t i = 0; i < UM_ARRAY_LEN(files); i++) {
        char path[64], text[4096];
        um_autofd fd = -1;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
        um_buf_printf(b, "\n== %s ==\n", path);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text));
        if (n >= 0)
            add_clean(b, text, (size_t)n);
        else
            um_buf_puts(b, "cannot be read\n");
    }
}

static void add_console(struct um_buf *b, const struct guest *g)
{
    struct console_log log = {NULL, 0};
    char dir[GUEST_PATH_SIZE], *text = malloc(EVIDENCE_CONSOLE_MAX);
    struct um_error err;
    int64_t n = -1, bytes;

    um_buf_puts(b, "\n== con0, the end ==\n");
    guest_path(g, GUEST_PATH_LOG, dir);
    if (text && console_log_scan(dir, "con0", (int64_t)g->boot, &log, &err) == UM_OK) {
        bytes = console_log_bytes(&log);
        n = console_log_read(dir, "con0", &log,
                             bytes > EVIDENCE_CONSOLE_MAX ? bytes - EVIDENCE_CONSOLE_MAX : 0, text,
                             EVIDENCE_CONSOLE_MAX);
    }
    if (n > 0)
        add_clean(b, text, (size_t)n);
    else
        um_buf_puts(b, "nothing\n");
    console_log_done(&log);
    free(text);
}

/* Boot number of `12-hang.txt`; -1: something else. */
static int64_t boot_of(const char *name)
{
    int64_t boot;
    int end = 0;

    return sscanf(name, "%" SCNd64 "-%*[a-z].txt%n", &boot, &end) == 1 && end > 0 && !name[end]
               ? boot
               : -1;
}

/* The files of the oldest boots go. */
static void prune(const char *dir)
{
    char oldest[300], path[GUEST_PATH_SIZE + 320];

    for (;;) {
        int64_t lowest = INT64_MAX;
        struct dirent *e;
        DIR *d = opendir(dir);
        int count = 0;

        while (d && (e = readdir(d))) {
            int64_t boot = boot_of(e->d_name);

            count += boot >= 0;
            if (boot >= 0 && boot < lowest) {
                lowest = boot;
                snprintf(oldest, sizeof(oldest), "%s", e->d_name);
            }
        }
        if (d)
            closedir(d);
        if (count <= EVIDENCE_FILES_MAX)
            return;
        snprintf(path, sizeof(path), "%s/%s", dir, oldest);
        if (unlink(path) < 0)
            return;
    }
}

bool guest_evidence_save(const struct guest *g, const char *kind, const char *what,
                         char ret_path[GUEST_PATH_SIZE + 64])
{
    struct um_buf b = UM_BUF_INIT;
    char dir[GUEST_PATH_SIZE];
    struct um_error err;
    enum um_code code;

    guest_path(g, GUEST_PATH_EVIDENCE, dir);
    snprintf(ret_path, GUEST_PATH_SIZE + 64, "%s/%" PRIu64 "-%s.txt", dir, g->boot, kind);
    add_head(&b, g, kind, what);
    add_process(&b, g->main_pid);
    add_console(&b, g);
    code = b.failed ? um_fail(&err, UM_E_NO_RESOURCES, ret_path, NULL, "out of memory")
                    : um_mkdir_parents(dir, 0700, &err);
    if (!code)
        code = um_file_replace(ret_path, b.data, b.len, 0600, &err);
    um_buf_done(&b);
    if (code) {
        um_log(UM_LOG_WARNING, "guest %s: evidence is not kept: %s: %s", g->def.name, ret_path,
               err.message);
        return false;
    }
    prune(dir);
    return true;
}

void guest_evidence_of_panic(struct guest *g)
{
    char path[GUEST_PATH_SIZE + 64], boot[24];

    if (!g->id || !guest_evidence_save(g, "panic", g->end.text ? g->end.text : "no text", path))
        return;
    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    events_emit(g->umld, "guest.evidence", g->def.name, "boot", boot, "kind", "panic", "path", path,
                NULL);
}
