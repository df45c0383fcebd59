/*
 * Texts of a UML kernel into facts, and the verdict. What `--help` and `--showconfig` look like in
 * each version: UML host-interface reference §17.
 */
#include "vmcore/guest/kernel.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options kept from --showconfig, and the transport that one stands for. */
static const struct config_row {
    const char *option;
    const char *transport;
} config_rows[] = {
    {"UML", NULL},
    {"HOSTFS", NULL},
    {"MCONSOLE", NULL},
    {"MAGIC_SYSRQ", NULL},
    {"BLK_DEV_UBD", NULL},
    {"BLK_DEV_INITRD", NULL},
    {"EXT4_FS", NULL},
    {"XFS_FS", NULL},
    {"BTRFS_FS", NULL},
    {"SQUASHFS", NULL},
    {"DEVTMPFS", NULL},
    {"TMPFS", NULL},
    {"MODULES", NULL},
    {"SMP", NULL},
    {"HZ", NULL},
    {"UML_WATCHDOG", NULL},
    {"UML_TIME_TRAVEL_SUPPORT", NULL},
    {"VIRTIO_UML", NULL},
    {"CON_ZERO_CHAN", NULL},
    {"CON_CHAN", NULL},
    {"SSL_CHAN", NULL},
    {"XTERM_CHAN_DEFAULT_EMULATOR", NULL},
    {"UML_NET", NULL},
    {"UML_NET_DAEMON", "daemon"},
    {"UML_NET_DAEMON_DEFAULT_SOCK", NULL},
    {"UML_NET_ETHERTAP", "ethertap"},
    {"UML_NET_TUNTAP", "tuntap"},
    {"UML_NET_MCAST", "mcast"},
    {"UML_NET_SLIP", "slip"},
    {"UML_NET_SLIRP", "slirp"},
    {"UML_NET_VDE", "vde"},
    {"UML_NET_PCAP", "pcap"},
    {"UML_NET_VECTOR", "vector"},
};

static const char *const xstate_names[KERNEL_XSTATE_COUNT] = {
    [KERNEL_XSTATE_UNKNOWN] = "unknown",
    [KERNEL_XSTATE_OK] = "ok",
    [KERNEL_XSTATE_GUARDED] = "guarded",
    [KERNEL_XSTATE_BROKEN] = "broken",
};

const char *kernel_xstate_name(enum kernel_xstate x)
{
    return (unsigned)x < KERNEL_XSTATE_COUNT ? xstate_names[x] : "?";
}

bool kernel_xstate_from_name(const char *name, enum kernel_xstate *ret)
{
    for (size_t i = 0; i < KERNEL_XSTATE_COUNT; i++)
        if (strcmp(xstate_names[i], name) == 0) {
            *ret = (enum kernel_xstate)i;
            return true;
        }
    return false;
}

void kernel_facts_done(struct kernel_facts *f)
{
    if (!f)
        return;
    um_strv_done(&f->transports);
    um_strv_done(&f->config);
    *f = KERNEL_FACTS_INIT;
}

bool kernel_facts_copy(const struct kernel_facts *from, struct kernel_facts *ret)
{
    struct kernel_facts f = *from;

    f.transports = f.config = (struct um_strv){NULL, 0};
    if (um_strv_copy(&from->transports, &f.transports) && um_strv_copy(&from->config, &f.config)) {
        *ret = f;
        return true;
    }
    kernel_facts_done(&f);
    return false;
}

static enum um_code not_a_kernel(const char *object, const char *option, struct um_error *err)
{
    um_fail(err, UM_E_INVALID, object, NULL, "its %s is not that of a user-mode Linux kernel",
            option);
    um_hint(err, "give the kernel's binary, for example /usr/bin/linux.uml of Debian's "
                 "user-mode-linux");
    return UM_E_INVALID;
}

/* A decimal number of at most five digits. */
static bool take_number(const char **s, int *ret)
{
    int n = 0, digits = 0;

    for (; isdigit((unsigned char)**s) && digits < 5; (*s)++, digits++)
        n = n * 10 + (**s - '0');
    *ret = n;
    return digits > 0 && !isdigit((unsigned char)**s);
}

enum um_code kernel_parse_version(const char *text, const char *object, struct kernel_facts *f,
                                  struct um_error *err)
{
    size_t len = strcspn(text, "\n");
    const char *s = text;
    int major, minor, patch = 0;

    if (len == 0 || len >= sizeof(f->release) || (text[len] && text[len + 1]))
        return not_a_kernel(object, "--version", err);
    for (size_t i = 0; i < len; i++)
        if (!isgraph((unsigned char)text[i]))
            return not_a_kernel(object, "--version", err);
    if (!take_number(&s, &major) || *s++ != '.' || !take_number(&s, &minor))
        return not_a_kernel(object, "--version", err);
    if (*s == '.') {
        s++;
        if (!take_number(&s, &patch))
            return not_a_kernel(object, "--version", err);
    }
    memcpy(f->release, text, len);
    f->release[len] = '\0';
    f->major = major;
    f->minor = minor;
    f->patch = patch;
    f->guard = major < 6 || (major == 6 && minor < 13);
    f->kill_safe = !f->guard || (major == 6 && minor == 12 && patch >= 117);
    return UM_OK;
}

/* `CONFIG_<option>=` at the beginning of a line of len bytes? Sets the value without quotes. */
static bool config_value(const char *line, size_t len, const char *option, const char **ret_value,
                         size_t *ret_len)
{
    size_t n = strlen(option), head = strlen("CONFIG_");

    if (len <= head + n || strncmp(line, "CONFIG_", head) != 0 ||
        strncmp(line + head, option, n) != 0 || line[head + n] != '=')
        return false;
    line += head + n + 1;
    len -= head + n + 1;
    if (len >= 2 && line[0] == '"' && line[len - 1] == '"') {
        line++;
        len -= 2;
    }
    *ret_value = line;
    *ret_len = len < 256 ? len : 256;
    return true;
}

static bool take_config_line(struct kernel_facts *f, const char *line, size_t len)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(config_rows); i++) {
        const char *option = config_rows[i].option, *transport = config_rows[i].transport, *value;
        size_t n;

        if (!config_value(line, len, option, &value, &n))
            continue;
        if (kernel_config(f, option))
            return true;
        if (transport && n && *value == 'y' && !um_strv_add(&f->transports, transport))
            return false;
        if (strcmp(option, "UML") == 0)
            f->uml = n == 1 && *value == 'y';
        return um_strv_addf(&f->config, "%s=%.*s", option, (int)n, value);
    }
    return true;
}

enum um_code kernel_parse_config(const char *text, const char *object, struct kernel_facts *f,
                                 struct um_error *err)
{
    while (*text) {
        size_t len = strcspn(text, "\n");

        if (!take_config_line(f, text, len))
            return um_fail(err, UM_E_NO_RESOURCES, object, NULL, "out of memory");
        text += len + (text[len] == '\n');
    }
    return f->uml ? UM_OK : not_a_kernel(object, "--showconfig", err);
}

/* Does a line of the text begin with prefix? */
static bool has_line(const char *text, const char *prefix)
{
    for (const char *s = strstr(text, prefix); s; s = strstr(s + 1, prefix))
        if (s == text || s[-1] == '\n')
            return true;
    return false;
}

enum um_code kernel_parse_help(const char *text, const char *object, struct kernel_facts *f,
                               struct um_error *err)
{
    if (!has_line(text, "User Mode Linux v"))
        return not_a_kernel(object, "--help", err);
    f->seccomp = has_line(text, "seccomp=");
    f->smp = has_line(text, "ncpus=");
    f->legacy_net = has_line(text, "eth[0-9]+=");
    f->vector = has_line(text, "vec[0-9]+:");
    return UM_OK;
}

const char *kernel_config(const struct kernel_facts *f, const char *option)
{
    size_t n = strlen(option);

    for (size_t i = 0; i < f->config.n; i++)
        if (strncmp(f->config.v[i], option, n) == 0 && f->config.v[i][n] == '=')
            return f->config.v[i] + n + 1;
    return NULL;
}

int kernel_version_compare(const struct kernel_facts *a, const struct kernel_facts *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    return a->patch < b->patch ? -1 : a->patch > b->patch;
}

/* A decimal value up to a blank or the end. */
static bool probe_number(const char *s, uint64_t *ret)
{
    size_t digits = strspn(s, "0123456789");

    if (!digits || digits > 18 || (s[digits] && !isspace((unsigned char)s[digits])))
        return false;
    *ret = strtoull(s, NULL, 10);
    return true;
}

bool kernel_probe_parse(const char *text, struct kernel_probe *ret)
{
    struct kernel_probe p = {.ran = true};
    bool avx = false, threads = false, pthread = false;
    const char *s = text;

    if (!um_str_starts(text, "PROBE "))
        return false;
    for (s += strcspn(s, " "); *s; s += strcspn(s, " \n")) {
        s += strspn(s, " \n");
        if (um_str_starts(s, "avx="))
            avx = probe_number(s + strlen("avx="), &p.avx_wrong);
        else if (um_str_starts(s, "threads="))
            threads = probe_number(s + strlen("threads="), &p.threads_wrong);
        else if (um_str_starts(s, "lpj=") && !probe_number(s + strlen("lpj="), &p.lpj))
            p.lpj = 0;
        else if (um_str_starts(s, "pthread=")) {
            pthread = true;
            p.pthread_ok = um_str_starts(s, "pthread=ok");
        }
    }
    if (!avx || !threads || !pthread)
        return false;
    *ret = p;
    return true;
}

static void set_problem(struct kernel_verdict *v, const char *problem, const char *hint)
{
    v->usable = false;
    snprintf(v->problem, sizeof(v->problem), "%s", problem);
    snprintf(v->hint, sizeof(v->hint), "%s", hint);
}

static const char *broken_hint(const struct kernel_facts *f, bool dynamic)
{
    if (!f->guard)
        return "this kernel cannot be used on this host; use another one";
    return dynamic ? "use a kernel from 6.13 on"
                   : "the fix can only be preloaded into a dynamically linked kernel; use one, or "
                     "a kernel from 6.13 on";
}

void kernel_judge(const struct kernel_facts *f, bool dynamic, const struct kernel_probe *p,
                  bool guarded, const char *failure, struct kernel_verdict *ret)
{
    struct kernel_verdict v = {.usable = true, .guard = f->guard && dynamic};
    char text[256];

    if (!f->uml) {
        set_problem(&v, "it is no user-mode Linux kernel", "");
    } else if (!p->ran) {
        /* Before 6.13 this is how the register bug shows: init dies at its first return. */
        v.xstate = f->guard ? KERNEL_XSTATE_BROKEN : KERNEL_XSTATE_UNKNOWN;
        snprintf(text, sizeof(text), "its probe guest did not finish%s%s", failure ? ": " : "",
                 failure ? failure : "");
        set_problem(&v, text,
                    f->guard ? broken_hint(f, dynamic) : "umlctl kernel probe tries again");
    } else if (p->avx_wrong || p->threads_wrong || !p->pthread_ok) {
        v.xstate = KERNEL_XSTATE_BROKEN;
        snprintf(text, sizeof(text),
                 "programs in its guests lose register contents on this host (%" PRIu64
                 " wrong after page faults, %" PRIu64 " between threads%s)",
                 p->avx_wrong, p->threads_wrong, p->pthread_ok ? "" : ", threads fail");
        set_problem(&v, text, broken_hint(f, dynamic));
    } else {
        v.xstate = guarded ? KERNEL_XSTATE_GUARDED : KERNEL_XSTATE_OK;
    }
    *ret = v;
}
