/*
 * What can be judged without touching the host. The surprise: UML looks for its own options in
 * every word of the command line by prefix, words after `--` included, so that an init argument
 * `console.sh` would configure a console (reference §3.1). Such words are refused.
 */
#include "vmcore/guest/definition_internal.h"

#include "vmcore/base/pattern.h"
#include "vmcore/guest/launch.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 256
/* What umld adds to a command line, generously. */
#define CMDLINE_RESERVE 640

void problems_init(struct problems *p, const struct guest_definition *d, struct um_error *errors,
                   size_t max)
{
    *p = (struct problems){.errors = errors, .max = max};
    if (d->name)
        snprintf(p->object, sizeof(p->object), "guest \"%s\"", d->name);
}

struct um_error *problem_add(struct problems *p, enum um_code code, const char *field,
                             const char *fmt, ...)
{
    char text[640];
    va_list ap;

    if (p->n >= p->max)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    um_fail(&p->errors[p->n], code, p->object, field, "%s", text);
    return &p->errors[p->n++];
}

bool path_within(const char *outer, const char *inner)
{
    size_t n = strlen(outer);

    while (n && outer[n - 1] == '/')
        n--;
    return strncmp(outer, inner, n) == 0 && (!inner[n] || inner[n] == '/');
}

const char *cmdline_find(const struct guest_definition *d, const char *prefix)
{
    for (size_t i = 0; i < d->cmdline.n; i++) {
        if (strcmp(d->cmdline.v[i], "--") == 0)
            return NULL;
        if (um_str_starts(d->cmdline.v[i], prefix))
            return d->cmdline.v[i];
    }
    return NULL;
}

static void check_names(struct problems *p, const struct guest_definition *d)
{
    if (!d->name || !um_name_valid(d->name))
        um_hint(problem_add(p, UM_E_INVALID, "name", "\"%.80s\" is no name for a guest",
                            d->name ? d->name : ""),
                UM_NAME_RULE);
    if (d->kernel && d->kernel[0] != '/' && !um_name_valid(d->kernel))
        um_hint(problem_add(p, UM_E_INVALID, "kernel",
                            "\"%.80s\" is neither a kernel's name nor an absolute path", d->kernel),
                "umlctl kernel list shows the names");
    for (size_t i = 0; i < d->labels.n; i++) {
        const char *eq = strchr(d->labels.v[i], '=');

        if (!eq || eq == d->labels.v[i] || strlen(d->labels.v[i]) > LABEL_MAX)
            problem_add(p, UM_E_INVALID, "labels", "\"%.80s\" is no key=value of at most %d bytes",
                        d->labels.v[i], LABEL_MAX);
    }
}

static void check_memory(struct problems *p, const struct guest_definition *d)
{
    uint64_t mem = guest_definition_memory(d);
    char given[32], min[32], max[32];

    if (mem >= GUEST_MEMORY_MIN && mem <= GUEST_MEMORY_MAX)
        return;
    um_hint(problem_add(p, UM_E_INVALID, "mem", "memory of %s is out of range, %s to %s",
                        um_format_size(mem, given, sizeof(given)),
                        um_format_size(GUEST_MEMORY_MIN, min, sizeof(min)),
                        um_format_size(GUEST_MEMORY_MAX, max, sizeof(max))),
            "for example mem=128M");
}

static bool chan_is_ours(const struct device_chan *c)
{
    return c->type == CHANNEL_MANAGED || c->type == CHANNEL_PTS;
}

static const char *chan_problem(const struct device *d, const struct device_chan *c)
{
    switch (c->type) {
    case CHANNEL_MANAGED:
    case CHANNEL_PTS:
        if (d->index < 0)
            return "a default cannot be managed or pts, because each console needs its own";
        if (c->type == CHANNEL_PTS && d->kind == DEVICE_CON && d->index == 0)
            return "con0 is always on umld's own terminal";
        return d->line.pair ? "pts is input and output at once" : NULL;
    case CHANNEL_FD:
        return c->number > 2 ? "a guest has only the descriptors 0, 1 and 2" : NULL;
    case CHANNEL_NULL:
    case CHANNEL_NONE:
        return NULL;
    case CHANNEL_PTY:
    case CHANNEL_TTY:
    case CHANNEL_PORT:
    case CHANNEL_XTERM:
    case CHANNEL_COUNT:
        break;
    }
    return "this channel is not in this version yet";
}

static void check_line(struct problems *p, const struct device *d)
{
    const char *problem = chan_problem(d, &d->line.in);
    char name[32];

    if (!problem && d->line.pair)
        problem = chan_problem(d, &d->line.out);
    if (!problem)
        return;
    device_name(d, name, sizeof(name));
    um_hint(problem_add(p, UM_E_UNSUPPORTED, name, "\"%.100s\": %s", d->text, problem),
            d->index < 0 ? "give each console its own word (con1=managed), defaults are null, none "
                           "and fd:0"
            : chan_is_ours(&d->line.in)
                ? "use %s=managed"
                : "channels that work: managed, pts, null, none, fd:0 to fd:2; try %s=managed",
            name);
}

/* Does writing through device a disturb device b? */
static const char *shared_file(const struct device *a, const struct device *b)
{
    const char *const theirs[] = {b->ubd.file, b->ubd.backing};

    if (a->ubd.flags & UBD_READ_ONLY)
        return NULL;
    for (size_t i = 0; i < UM_ARRAY_LEN(theirs); i++) {
        um_autostr mine = um_path_absolute("/", a->ubd.file);
        um_autostr other = theirs[i] ? um_path_absolute("/", theirs[i]) : NULL;

        if (mine && other && strcmp(mine, other) == 0 &&
            !(i == 0 && (a->ubd.flags & b->ubd.flags & UBD_SHARED)))
            return a->ubd.file;
    }
    return NULL;
}

static void check_disk(struct problems *p, const struct guest_definition *d, size_t i)
{
    const struct device *a = &d->devices[i];
    char name[32], other[32];

    device_name(a, name, sizeof(name));
    if (a->ubd.backing && !(a->ubd.flags & UBD_READ_ONLY) &&
        strcmp(a->ubd.file, a->ubd.backing) == 0)
        problem_add(p, UM_E_INVALID, name, "COW file and backing file are the same, %s",
                    a->ubd.file);
    for (size_t j = 0; j < d->device_count; j++) {
        const struct device *b = &d->devices[j];
        /* Two writers of one file are reported once, by the later. */
        const char *file = j != i && b->kind == DEVICE_UBD ? shared_file(a, b) : NULL;

        if (!file || (i < j && shared_file(b, a)))
            continue;
        um_hint(problem_add(p, UM_E_INVALID, name, "%s writes %s, which %s uses too", name, file,
                            device_name(b, other, sizeof(other))),
                "give each its own file: two COW files may share a backing file");
    }
}

/* Places inside the sandbox a share must not cover. */
static const char *const kept_paths[] = {"/proc", "/dev", "/tmp", "/sys", "/run/umld"};

static void check_share_path(struct problems *p, const char *name, const char *path)
{
    um_autostr clean = um_path_absolute("/", path);

    if (!clean)
        return;
    if (path[0] != '/' || strcmp(clean, path) != 0)
        um_hint(problem_add(p, UM_E_INVALID, name, "%s is no plain absolute path", path),
                "without `.`, `..`, `//` and a `/` at the end: %s", clean);
    else if (!path[1])
        um_hint(problem_add(p, UM_E_INVALID, name, "the whole of / cannot be shared"),
                "share the directories the guest needs");
    for (size_t i = 0; i < UM_ARRAY_LEN(kept_paths); i++)
        if (path_within(kept_paths[i], clean))
            um_hint(problem_add(p, UM_E_INVALID, name, "%s is used by the sandbox itself", clean),
                    "give another place: shareN=HOSTDIR:/srv/NAME");
}

static void check_share(struct problems *p, const struct guest_definition *d, size_t i)
{
    const struct device *a = &d->devices[i];
    char name[32], other[32];

    device_name(a, name, sizeof(name));
    check_share_path(p, name, a->share.path);
    if (!d->sandbox && (strcmp(a->share.dir, a->share.path) != 0 || a->share.read_only))
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "without the sandbox a share has no path and no `ro` of its own"),
                "sandbox=on, or %s=%s", name, a->share.dir);
    for (size_t j = 0; j < i; j++) {
        const struct device *b = &d->devices[j];

        if (b->kind == DEVICE_SHARE && (path_within(a->share.path, b->share.path) ||
                                        path_within(b->share.path, a->share.path)))
            problem_add(p, UM_E_INVALID, name, "%s and the path of %s, %s, are inside each other",
                        a->share.path, device_name(b, other, sizeof(other)), b->share.path);
    }
}

/* vecN: and ethN= are given to the kernel as they are; netN= is its vecN, too. */
static void check_nic(struct problems *p, const struct guest_definition *d, const struct device *v)
{
    char name[32], net[32];

    device_name(v, name, sizeof(name));
    snprintf(net, sizeof(net), "net%d", v->index);
    if (v->kind == DEVICE_VEC && guest_definition_find(d, net))
        um_hint(problem_add(p, UM_E_INVALID, name, "%s is the guest's name for %s", name, net),
                "use another number for one of them");
    if (d->sandbox)
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "\"%.100s\": the sandbox has no network of the host's", v->text),
                "use %s=NETWORK (umlctl net create NETWORK), or sandbox=off", net);
}

static void check_devices(struct problems *p, const struct guest_definition *d)
{
    char name[32];

    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        device_name(v, name, sizeof(name));
        if (guest_definition_find(d, name) != v)
            problem_add(p, UM_E_INVALID, name, "%s is given twice", name);
        if (v->kind == DEVICE_CON || v->kind == DEVICE_SSL)
            check_line(p, v);
        else if (v->kind == DEVICE_UBD)
            check_disk(p, d, i);
        else if (v->kind == DEVICE_SHARE)
            check_share(p, d, i);
        else if (v->kind == DEVICE_HOSTFS)
            check_share_path(p, name, v->hostfs.dir);
        else if (v->kind == DEVICE_VEC || v->kind == DEVICE_ETH)
            check_nic(p, d, v);
    }
}

/* Prefixes the kernel takes for itself, with the exceptions that are fine. First match wins. */
static const struct {
    const char *prefix;
    const char *why; /* NULL: allowed */
} reserved[] = {
    {"console=", NULL},
    {"ssl-non-raw", NULL},
    {"con", "UML takes every word that begins with con for a console"},
    {"ssl", "UML takes every word that begins with ssl for a serial line"},
    {"ubd", "disks are devices: give it before `--`"},
    {"udb", "this is a typing error for ubd"},
    {"umid", "umld names the kernel's directory itself"},
    {"uml_dir", "umld names the kernel's directory itself"},
    {"mconsole", "umld owns the management console"},
    {"mem=", "memory is a device: give it before `--`"},
    {"initrd=", "the initrd is a device: give it before `--`"},
    {"hostfs=", "hostfs is a device: give it before `--`"},
    {"lpj=", "umld learns and sets lpj itself"},
    {"--help", "the kernel would print something and end"},
    {"--version", "the kernel would print something and end"},
    {"--showconfig", "the kernel would print something and end"},
};

static const char *reserved_reason(const char *word)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(reserved); i++)
        if (um_str_starts(word, reserved[i].prefix))
            return reserved[i].why;
    return device_word_known(word) ? "this is a device: give it before `--`" : NULL;
}

static void check_cmdline(struct problems *p, const struct guest_definition *d)
{
    size_t total = CMDLINE_RESERVE;

    for (size_t i = 0; i < d->cmdline.n; i++) {
        const char *word = d->cmdline.v[i], *why = reserved_reason(word);
        bool bad = !*word;

        for (const char *c = word; *c; c++)
            bad = bad || isspace((unsigned char)*c) || iscntrl((unsigned char)*c);
        total += strlen(word) + 1;
        if (bad)
            um_hint(problem_add(p, UM_E_INVALID, "cmdline",
                                "word %zu is empty or holds blanks or control characters", i + 1),
                    "the kernel splits at blanks and knows no quoting");
        else if (why)
            problem_add(p, UM_E_INVALID, "cmdline", "\"%.100s\": %s", word, why);
        else if (um_str_starts(word, "seccomp=") && strcmp(word, "seccomp=off") != 0 && !d->trusted)
            um_hint(problem_add(p, UM_E_INVALID, "cmdline",
                                "\"%.40s\" does not isolate the guest's own users from its kernel",
                                word),
                    "it is for guests marked trusted=yes only");
    }
    for (size_t i = 0; i < d->device_count; i++)
        total += strlen(d->devices[i].text) + 2;
    if (total >= LAUNCH_CMDLINE_MAX)
        problem_add(p, UM_E_INVALID, "cmdline",
                    "devices and words make a kernel command line of about %zu bytes, the limit is "
                    "%d",
                    total, LAUNCH_CMDLINE_MAX);
}

static void check_ready(struct problems *p, const struct guest_definition *d)
{
    struct um_pattern *pattern;
    struct um_error err;

    if (d->ready != READY_CONSOLE) {
        if (d->ready_pattern)
            problem_add(p, UM_E_INVALID, "readyPattern", "a pattern needs ready=console");
        return;
    }
    if (!d->ready_pattern || !*d->ready_pattern) {
        um_hint(problem_add(p, UM_E_INVALID, "readyPattern", "ready=console needs a pattern"),
                "for example ready=console:'login:'");
        return;
    }
    if (um_pattern_new(d->ready_pattern, NULL, "readyPattern", &pattern, &err))
        um_hint(problem_add(p, UM_E_INVALID, "readyPattern", "%s", err.message), "%s", err.hint);
    else
        um_pattern_free(pattern);
}

void guest_definition_check(const struct guest_definition *d, struct um_error *errors, size_t max,
                            size_t *ret_count)
{
    struct problems p;

    problems_init(&p, d, errors, max);
    check_names(&p, d);
    check_memory(&p, d);
    check_devices(&p, d);
    check_cmdline(&p, d);
    check_ready(&p, d);
    check_policies(&p, d);
    *ret_count = p.n;
}
