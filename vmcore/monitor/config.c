#include "vmcore/monitor/config.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"
#include "vmcore/base/pattern.h"
#include "vmcore/monitor/order.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Which orders a key goes with. */
enum row_order { ROW_ANY, ROW_CHILD, ROW_STRANGER };

struct row;
typedef const char *(*row_fn)(const struct row *row, const char *value, struct mon_config *c);

/* One key: how it is read, where it goes, its limits, how often it may come. */
struct row {
    const char *key;
    row_fn read;
    size_t offset;
    int64_t min, max;
    bool optional, repeated;
    enum row_order order;
};

static const char *read_version(const struct row *row, const char *value, struct mon_config *c)
{
    return strcmp(value, ORDER_VERSION) == 0 ? NULL : "is not version " ORDER_VERSION;
}

static const char *read_text(const struct row *row, const char *value, struct mon_config *c)
{
    if ((int64_t)strlen(value) > row->max)
        return "is too long";
    *(const char **)((char *)c + row->offset) = value;
    return NULL;
}

static const char *read_name(const struct row *row, const char *value, struct mon_config *c)
{
    return um_name_valid(value) ? read_text(row, value, c) : "is not a valid name";
}

static const char *read_path(const struct row *row, const char *value, struct mon_config *c)
{
    return value[0] == '/' ? read_text(row, value, c) : "is not an absolute path";
}

static const char *read_number(const struct row *row, const char *value, struct mon_config *c)
{
    int64_t number;

    if (!um_parse_int(value, row->min, row->max, &number))
        return "is not a number within its limits";
    memcpy((char *)c + row->offset, &number, sizeof(number));
    return NULL;
}

static const char *read_ready(const struct row *row, const char *value, struct mon_config *c)
{
    static const char *const names[MON_READY_COUNT] = {
        [MON_READY_NOTIFY] = "notify",
        [MON_READY_KERNEL] = "kernel",
        [MON_READY_CONSOLE] = "console",
    };

    for (int i = 0; i < MON_READY_COUNT; i++) {
        if (strcmp(names[i], value) != 0)
            continue;
        c->ready = (enum mon_ready)i;
        return NULL;
    }
    return "is not notify, kernel or console";
}

static const char *read_cgroup(const struct row *row, const char *value, struct mon_config *c)
{
    if (strcmp(value, ORDER_CGROUP_GATE) == 0) {
        c->cgroup_gate = true;
        return NULL;
    }
    if (value[0] != '/' || c->cgroups.n == MON_CGROUP_MAX)
        return "is not an absolute path, or one too many";
    return um_strv_add(&c->cgroups, value) ? NULL : "needs more memory";
}

static const char *read_word(const struct row *row, const char *value, struct mon_config *c)
{
    return um_strv_add((struct um_strv *)((char *)c + row->offset), value) ? NULL
                                                                           : "needs more memory";
}

static const char *read_stranger(const struct row *row, const char *value, struct mon_config *c)
{
    char pid[16], start[24];
    int end = 0;

    if (sscanf(value, "%15s %23s%n", pid, start, &end) != 2 || value[end] ||
        !um_parse_int(pid, 1, INT32_MAX, &c->stranger_pid) ||
        !um_parse_int(start, 1, INT64_MAX, &c->stranger_start))
        return "is not `<pid> <start>`";
    c->ready = MON_READY_KERNEL; /* there is nothing else to go by */
    return NULL;
}

/* Device names become file names: `con` or `ssl` and one or two digits, nothing else. */
static bool device_valid(const char *name)
{
    size_t digits;

    if (!um_str_starts(name, "con") && !um_str_starts(name, "ssl"))
        return false;
    digits = strspn(name + 3, "0123456789");
    return digits >= 1 && digits <= 2 && name[3 + digits] == '\0';
}

static bool console_clashes(const struct mon_config *c, const struct mon_config_console *new)
{
    for (size_t i = 0; i < c->console_count; i++)
        if (strcmp(c->consoles[i].device, new->device) == 0 || c->consoles[i].fd == new->fd)
            return true;
    return false;
}

static const char *read_console(const struct row *row, const char *value, struct mon_config *c)
{
    struct mon_config_console new = {.fd = -1};
    char kind[8], number[8];
    int64_t fd;
    int end = 0;

    if (c->console_count == MON_CONSOLE_MAX)
        return "is one console too many";
    if (sscanf(value, "%15s %7s %7s%n", new.device, kind, number, &end) != 3 || value[end] ||
        !um_parse_int(number, 0, MON_CONSOLE_FD_MAX, &fd))
        return "is not `<dev> <managed|pts> <fd>`";
    new.fd = (int)fd;
    new.pts = strcmp(kind, "pts") == 0;
    if (!device_valid(new.device) || (!new.pts &&strcmp(kind, "managed") != 0))
        return "names no console device or an unknown kind";
    if (c->console_count == 0 && (strcmp(new.device, "con0") != 0 || new.pts || new.fd != 0))
        return "must be `con0 managed 0` first";
    if (c->console_count > 0 && (new.fd < MON_CONSOLE_FD_MIN || console_clashes(c, &new)))
        return "reuses a device or descriptor, or takes one below 10";
    c->consoles[c->console_count++] = new;
    return NULL;
}

const char *mon_config_nic(const char *value, struct mon_config_nic *ret)
{
    struct mon_config_nic n;
    int64_t unit;
    int end = 0;

    if (sscanf(value, "%15s %107s %107s%n", n.device, n.path, n.links, &end) != 3 || value[end] ||
        n.path[0] != '/' || n.links[0] != '/')
        return "is not `<interface> <listen path> <links path>`";
    if (!um_str_starts(n.device, "vec") || !um_parse_int(n.device + 3, 0, MON_NIC_MAX - 1, &unit))
        return "is not about vec0 to vec15";
    *ret = n;
    return NULL;
}

static const char *read_nic(const struct row *row, const char *value, struct mon_config *c)
{
    struct mon_config_nic *n = &c->nics[c->nic_count];
    const char *why;

    if (c->nic_count == MON_NIC_MAX)
        return "is one interface too many";
    why = mon_config_nic(value, n);
    for (size_t i = 0; !why && i < c->nic_count; i++)
        if (strcmp(c->nics[i].device, n->device) == 0 || strcmp(c->nics[i].path, n->path) == 0)
            why = "reuses an interface or a path";
    c->nic_count += !why;
    return why;
}

#define AT(field) offsetof(struct mon_config, field)

static const struct row rows[] = {
    {ORDER_KEY_VERSION, read_version, 0, 0, 0, false, false, ROW_ANY},
    {ORDER_KEY_GUEST, read_name, AT(guest), 0, 63, false, false, ROW_ANY},
    {ORDER_KEY_BOOT, read_number, AT(boot), 0, INT64_MAX, false, false, ROW_ANY},
    {ORDER_KEY_SOCKET, read_path, AT(socket), 0, UM_SOCKET_PATH_MAX, false, false, ROW_ANY},
    {ORDER_KEY_NOTIFY, read_path, AT(notify), 0, UM_SOCKET_PATH_MAX, false, false, ROW_CHILD},
    {ORDER_KEY_EXIT, read_path, AT(exit), 0, PATH_MAX - 32, false, false, ROW_ANY},
    {ORDER_KEY_LOG_DIR, read_path, AT(log_dir), 0, PATH_MAX - 32, false, false, ROW_CHILD},
    {ORDER_KEY_LOG_SIZE, read_number, AT(log_size), 1024, INT64_C(1) << 40, false, false,
     ROW_CHILD},
    {ORDER_KEY_LOG_PARTS, read_number, AT(log_parts), 1, MON_LOG_PARTS_MAX, false, false,
     ROW_CHILD},
    {ORDER_KEY_READY, read_ready, 0, 0, 0, false, false, ROW_CHILD},
    {ORDER_KEY_PATTERN, read_text, AT(pattern), 0, 512, true, false, ROW_CHILD},
    {ORDER_KEY_UID, read_number, AT(uid), 1, INT32_MAX, true, false, ROW_CHILD},
    {ORDER_KEY_CGROUP, read_cgroup, 0, 0, 0, true, true, ROW_CHILD},
    {ORDER_KEY_CONSOLE, read_console, 0, 0, 0, false, true, ROW_CHILD},
    {ORDER_KEY_NIC, read_nic, 0, 0, 0, true, true, ROW_CHILD},
    {ORDER_KEY_ARG, read_word, AT(argv), 0, 0, false, true, ROW_CHILD},
    {ORDER_KEY_ENV, read_word, AT(env), 0, 0, true, true, ROW_CHILD},
    {ORDER_KEY_STRANGER, read_stranger, 0, 0, 0, false, false, ROW_STRANGER},
    {ORDER_KEY_MCONSOLE, read_path, AT(mconsole), 0, PATH_MAX - 32, false, false, ROW_STRANGER},
};

static enum um_code read_pairs(struct mon_config *c, size_t len, bool *seen, struct um_error *err)
{
    const char *key, *value = NULL, *why;
    size_t pos = 0, i;

    while ((key = um_kv_next(c->record, len, &pos, &value))) {
        for (i = 0; i < UM_ARRAY_LEN(rows); i++)
            if (strcmp(rows[i].key, key) == 0)
                break;
        if (i == UM_ARRAY_LEN(rows))
            return um_fail(err, UM_E_INVALID, "launch order", key, "key \"%s\" is unknown", key);
        if (seen[i] && !rows[i].repeated)
            return um_fail(err, UM_E_INVALID, "launch order", key, "key \"%s\" comes twice", key);
        seen[i] = true;
        why = rows[i].read(&rows[i], value, c);
        if (why)
            return um_fail(err, UM_E_INVALID, "launch order", key, "%s=\"%.200s\" %s", key, value,
                           why);
    }
    if (pos < len)
        return um_fail(err, UM_E_INVALID, "launch order", NULL, "malformed at byte %zu", pos);
    return UM_OK;
}

static enum um_code check_keys(const struct mon_config *c, const bool *seen, struct um_error *err)
{
    enum row_order order = c->stranger_pid ? ROW_STRANGER : ROW_CHILD;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        bool fits = rows[i].order == ROW_ANY || rows[i].order == order;

        if (fits && !seen[i] && !rows[i].optional)
            return um_fail(err, UM_E_INVALID, "launch order", rows[i].key, "key \"%s\" is missing",
                           rows[i].key);
        if (!fits && seen[i])
            return um_fail(err, UM_E_INVALID, "launch order", rows[i].key,
                           "key \"%s\" does not go with %s", rows[i].key,
                           c->stranger_pid ? ORDER_KEY_STRANGER : "a kernel of our own");
    }
    return UM_OK;
}

static enum um_code check_whole(const struct mon_config *c, const bool *seen, struct um_error *err)
{
    const char *program = c->argv.n ? c->argv.v[0] : "";
    struct um_pattern *pattern;
    enum um_code code = check_keys(c, seen, err);

    if (code || c->stranger_pid)
        return code;
    if (program[0] != '/')
        return um_fail(err, UM_E_INVALID, "launch order", ORDER_KEY_ARG,
                       "the program \"%s\" is not an absolute path", program);
    if (c->ready != MON_READY_CONSOLE)
        return UM_OK;
    if (!c->pattern)
        return um_fail(err, UM_E_INVALID, "launch order", ORDER_KEY_PATTERN,
                       "ready=console needs a pattern that is an extended regular expression");
    code = um_pattern_new(c->pattern, "launch order", ORDER_KEY_PATTERN, &pattern, err);
    if (!code)
        um_pattern_free(pattern);
    return code;
}

enum um_code mon_config_parse(char *record, size_t len, struct mon_config *ret,
                              struct um_error *err)
{
    bool seen[UM_ARRAY_LEN(rows)] = {false};
    struct mon_config c = {.record = record};
    enum um_code code = read_pairs(&c, len, seen, err);

    if (code == UM_OK)
        code = check_whole(&c, seen, err);
    if (code == UM_OK && !c.env.v && !um_strv_add(&c.env, "PATH=/usr/bin:/bin"))
        code = um_fail_errno(err, ENOMEM, "launch order", "cannot read");
    if (code)
        mon_config_done(&c);
    else
        *ret = c;
    return code;
}

void mon_config_done(struct mon_config *c)
{
    um_strv_done(&c->argv);
    um_strv_done(&c->env);
    um_strv_done(&c->cgroups);
    free(c->record);
    c->record = NULL;
}

enum um_code mon_config_read(int fd, struct mon_config *ret, struct um_error *err)
{
    struct um_buf b = UM_BUF_INIT;
    char chunk[1024];
    size_t len;
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || b.failed || b.len > MON_ORDER_MAX) {
            um_fail_errno(err, n < 0 ? errno : E2BIG, "launch order", "cannot read descriptor %d",
                          fd);
            um_buf_done(&b);
            return UM_E_INVALID;
        }
        um_buf_append(&b, chunk, (size_t)n);
    }
    if (b.failed || b.len == 0) {
        um_buf_done(&b);
        return um_fail(err, UM_E_INVALID, "launch order", NULL, "descriptor %d is empty", fd);
    }
    len = b.len;
    return mon_config_parse(um_buf_take(&b), len, ret, err);
}
