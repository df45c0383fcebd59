#include "mconsole/verbs.h"

#include "mconsole/wire.h"

#include <string.h>

#define BLANKS " \t"

/* Order of the kernel's own table, which it searches by prefix. */
static const struct mconsole_verb_info verbs[MCONSOLE_VERB_COUNT] = {
    [MCONSOLE_VERSION_CMD] = {.name = "version",
                              .lane = MCONSOLE_LANE_QUERY,
                              .timeout_ms = 5000,
                              .help = "kernel and host name of the guest"},
    [MCONSOLE_HALT] = {.name = "halt",
                       .lane = MCONSOLE_LANE_CONTROL,
                       .changes_guest = true,
                       .timeout_ms = 5000,
                       .help = "stop the kernel at once, without sync"},
    [MCONSOLE_REBOOT] = {.name = "reboot",
                         .lane = MCONSOLE_LANE_CONTROL,
                         .changes_guest = true,
                         .timeout_ms = 5000,
                         .help = "restart the kernel at once, without sync"},
    [MCONSOLE_CONFIG] = {.name = "config",
                         .argument = "DEV[=SPEC]",
                         .lane = MCONSOLE_LANE_CONTROL,
                         .changes_guest = true,
                         .timeout_ms = 15000, /* drivers may wait for a switch */
                         .help = "show a device's configuration or set it"},
    [MCONSOLE_REMOVE] = {.name = "remove",
                         .argument = "DEV",
                         .lane = MCONSOLE_LANE_CONTROL,
                         .changes_guest = true,
                         .timeout_ms = 15000,
                         .help = "remove a device that is not in use"},
    [MCONSOLE_SYSRQ] = {.name = "sysrq",
                        .argument = "[KEY]",
                        .lane = MCONSOLE_LANE_CONTROL,
                        .changes_guest = true,
                        .timeout_ms = 15000,
                        .help = "press a magic SysRq key; without key, list them"},
    [MCONSOLE_HELP] = {.name = "help",
                       .lane = MCONSOLE_LANE_QUERY,
                       .timeout_ms = 5000,
                       .help = "the kernel's own list of commands"},
    [MCONSOLE_CAD] = {.name = "cad",
                      .lane = MCONSOLE_LANE_CONTROL,
                      .changes_guest = true,
                      .timeout_ms = 5000,
                      .help = "press ctrl-alt-del: init shuts down or restarts the guest"},
    [MCONSOLE_STOP] = {.name = "stop",
                       .lane = MCONSOLE_LANE_CONTROL,
                       .changes_guest = true,
                       .timeout_ms = 5000,
                       .help = "freeze the guest"},
    [MCONSOLE_GO] = {.name = "go",
                     .lane = MCONSOLE_LANE_CONTROL,
                     .changes_guest = true,
                     .timeout_ms = 5000,
                     .help = "resume a frozen guest"},
    [MCONSOLE_LOG] = {.name = "log",
                      .argument = "TEXT",
                      .lane = MCONSOLE_LANE_CONTROL,
                      .changes_guest = true,
                      .timeout_ms = 5000,
                      .help = "write a line to the kernel's log"},
    [MCONSOLE_PROC] = {.name = "proc",
                       .argument = "PATH",
                       .lane = MCONSOLE_LANE_QUERY,
                       .timeout_ms = 10000,
                       .help = "read a file of the guest's /proc"},
    [MCONSOLE_STACK] = {.name = "stack",
                        .argument = "PID",
                        .lane = MCONSOLE_LANE_QUERY,
                        .timeout_ms = 10000,
                        .help = "kernel stack of a process of the guest"},
    [MCONSOLE_EXEC] = {.name = "exec",
                       .argument = "COMMAND",
                       .lane = MCONSOLE_LANE_CONTROL,
                       .changes_guest = true,
                       .timeout_ms = 30000, /* until the command ends */
                       .help = "run a command in the guest (patched kernels only)"},
};

/* What is known to do harm nobody would expect from the command's name. */
static const struct danger {
    enum mconsole_verb verb;
    const char *argument;
    const char *reason;
} dangers[] = {
    {MCONSOLE_SYSRQ, "t", "the list of all tasks crashes this kind of kernel"},
    {MCONSOLE_STACK, "0", "the stack of the idle task can crash the kernel"},
    {MCONSOLE_PROC, "kmsg", "reading it blocks every other command until the guest logs something"},
    {MCONSOLE_PROC, "kcore", "it is the guest's whole memory and is not text"},
};

const struct mconsole_verb_info *mconsole_verb_info(enum mconsole_verb v)
{
    return &verbs[(unsigned)v < MCONSOLE_VERB_COUNT ? v : MCONSOLE_VERSION_CMD];
}

static void hint_verbs(struct um_error *err)
{
    char list[160] = "";
    size_t len = 0;

    for (size_t i = 0; i < UM_ARRAY_LEN(verbs); i++) {
        if (i > 0)
            list[len++] = ' ';
        len = (size_t)(stpcpy(list + len, verbs[i].name) - list);
    }
    um_hint(err, "commands: %s", list);
}

static enum um_code unknown_verb(const char *word, size_t len, struct um_error *err)
{
    const char *near = NULL;

    for (size_t i = 0; i < UM_ARRAY_LEN(verbs) && !near; i++)
        if (strncmp(word, verbs[i].name, strlen(verbs[i].name)) == 0)
            near = verbs[i].name;
    if (near)
        um_fail(err, UM_E_INVALID, NULL, "command",
                "unknown mconsole command \"%.*s\", which the kernel would take for \"%s\"",
                (int)len, word, near);
    else
        um_fail(err, UM_E_INVALID, NULL, "command", "unknown mconsole command \"%.*s\"", (int)len,
                word);
    hint_verbs(err);
    return UM_E_INVALID;
}

static bool find_verb(const char *word, size_t len, enum mconsole_verb *ret)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(verbs); i++)
        if (strlen(verbs[i].name) == len && memcmp(word, verbs[i].name, len) == 0) {
            *ret = (enum mconsole_verb)i;
            return true;
        }
    return false;
}

static enum um_code usage(const struct mconsole_verb_info *info, const char *what,
                          struct um_error *err)
{
    um_fail(err, UM_E_INVALID, NULL, "command", "\"%s\" %s", info->name, what);
    um_hint(err, "usage: %s%s%s", info->name, info->argument ? " " : "",
            info->argument ? info->argument : "");
    return UM_E_INVALID;
}

/* Blanks inside the argument belong to it only where the kernel takes the rest of the line. */
static bool takes_blanks(enum mconsole_verb v)
{
    return v == MCONSOLE_LOG || v == MCONSOLE_CONFIG || v == MCONSOLE_EXEC;
}

static enum um_code check_argument(enum mconsole_verb v, const char *arg, size_t len,
                                   struct um_error *err)
{
    const struct mconsole_verb_info *info = &verbs[v];

    if (!info->argument)
        return len == 0 ? UM_OK : usage(info, "takes no argument", err);
    if (len == 0)
        return info->argument[0] == '[' ? UM_OK : usage(info, "needs an argument", err);
    if (!takes_blanks(v) && strcspn(arg, BLANKS) < len)
        return usage(info, "takes one argument", err);
    if (v == MCONSOLE_SYSRQ && len != 1)
        return usage(info, "takes one letter or digit", err);
    if (v == MCONSOLE_STACK && strspn(arg, "0123456789") < len)
        return usage(info, "takes a process id", err);
    return UM_OK;
}

static enum um_code check_danger(enum mconsole_verb v, const char *arg, size_t len,
                                 struct um_error *err)
{
    /* The kernel skips these as well. */
    size_t skip = v == MCONSOLE_PROC    ? strspn(arg, "/")
                  : v == MCONSOLE_STACK ? strspn(arg, "0")
                                        : 0;

    if (v == MCONSOLE_STACK && skip == len && len > 0)
        skip--;
    for (size_t i = 0; i < UM_ARRAY_LEN(dangers); i++) {
        const struct danger *d = &dangers[i];

        if (d->verb != v || strlen(d->argument) != len - skip ||
            memcmp(arg + skip, d->argument, len - skip) != 0)
            continue;
        um_fail(err, UM_E_INVALID, NULL, "command", "\"%s %s\" is refused: %s", verbs[v].name,
                d->argument, d->reason);
        um_hint(err, "--force sends it all the same");
        return UM_E_INVALID;
    }
    return UM_OK;
}

static bool is_piece_of_file(const char *line)
{
    size_t len = strlen(line);

    return um_str_starts(line, "log ") && len > strlen("log ") && line[len - 1] == '\n';
}

static bool has_control_characters(const char *s)
{
    bool lines = is_piece_of_file(s);

    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t' && !(lines && *s == '\n')) || *s == 0x7f)
            return true;
    return false;
}

static enum um_code put_command(enum mconsole_verb v, const char *arg, size_t len,
                                struct um_buf *ret, struct um_error *err)
{
    struct um_buf b = UM_BUF_INIT;

    um_buf_puts(&b, verbs[v].name);
    if (len > 0) {
        um_buf_puts(&b, " ");
        um_buf_append(&b, arg, len);
    }
    /* mconsole(kernel): log adds no newline, and printk shows an unfinished line only when the next
     * message ends it. */
    if (v == MCONSOLE_LOG && !(len > 0 && arg[len - 1] == '\n'))
        um_buf_puts(&b, "\n");
    if (b.failed) {
        um_buf_done(&b);
        return um_fail(err, UM_E_NO_RESOURCES, NULL, "command", "out of memory");
    }
    if (b.len > MCONSOLE_COMMAND_MAX) {
        um_fail(err, UM_E_INVALID, NULL, "command",
                "the command is %zu bytes long, the kernel takes at most %d", b.len,
                MCONSOLE_COMMAND_MAX);
        um_buf_done(&b);
        return UM_E_INVALID;
    }
    um_buf_done(ret);
    *ret = b;
    return UM_OK;
}

enum um_code mconsole_command_check(const char *line, bool force, struct um_buf *ret_command,
                                    enum mconsole_verb *ret_verb, struct um_error *err)
{
    const char *word = line + strspn(line, BLANKS);
    size_t word_len = strcspn(word, BLANKS), len;
    const char *arg = word + word_len + strspn(word + word_len, BLANKS);
    enum mconsole_verb v;
    enum um_code code;

    if (is_piece_of_file(line))
        arg = line + strlen("log ");
    len = strlen(arg);
    while (len > 0 && strchr(BLANKS, arg[len - 1]))
        len--;
    if (has_control_characters(line))
        return um_fail(err, UM_E_INVALID, NULL, "command",
                       "control characters are not allowed in a command");
    if (word_len == 0) {
        um_fail(err, UM_E_INVALID, NULL, "command", "the mconsole command is empty");
        hint_verbs(err);
        return UM_E_INVALID;
    }
    if (!find_verb(word, word_len, &v))
        return unknown_verb(word, word_len, err);
    code = check_argument(v, arg, len, err);
    if (code == UM_OK && !force)
        code = check_danger(v, arg, len, err);
    if (code == UM_OK)
        code = put_command(v, arg, len, ret_command, err);
    if (code == UM_OK)
        *ret_verb = v;
    return code;
}
