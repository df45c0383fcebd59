/*
 * The kernel's command line (reference §3, Appendix B), and what the other launch files share.
 *
 * The kernel appends `root=98:0` and `console=tty0` at the very end when they are absent; behind a
 * user's `--` they would become arguments of init. So both are always given, before the user's
 * words.
 */
#include "vmcore/guest/launch_internal.h"

#include "vmcore/base/fd.h"
#include "vmcore/guest/definition_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void launch_add(struct launch_words *w, const char *fmt, ...)
{
    um_autostr text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    if (!text || !um_strv_add(&w->list, text))
        w->failed = true;
}

void launch_add_list(struct launch_words *w, const char *const *words)
{
    for (; words && *words; words++)
        launch_add(w, "%s", *words);
}

enum um_code launch_finish(struct launch_words *w, struct um_strv *ret, struct um_error *err)
{
    if (w->failed) {
        um_strv_done(&w->list);
        return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    }
    *ret = w->list;
    return UM_OK;
}

const char *launch_object(const struct guest_definition *d, char *buf, size_t size)
{
    snprintf(buf, size, "guest \"%s\"", d->name ? d->name : "");
    return buf;
}

bool launch_console(const struct device *v)
{
    if ((v->kind != DEVICE_CON && v->kind != DEVICE_SSL) || v->index < 0 || v->line.pair)
        return false;
    if (v->kind == DEVICE_CON && v->index == 0)
        return false;
    return v->line.in.type == CHANNEL_MANAGED || v->line.in.type == CHANNEL_PTS;
}

const struct launch_disk *launch_disk_of(const struct launch_options *o, const struct device *v)
{
    static const struct launch_disk unknown;

    if (!o->disks || v->index < 0 || v->index >= DEVICE_UBD_MAX)
        return &unknown;
    return &o->disks->unit[v->index];
}

/* umld's own words. con0 is the pty on descriptors 0 to 2 unless the user said otherwise. */
static void add_base(struct launch_words *w, const struct guest_definition *d,
                     const struct launch_kernel *k, const struct launch_paths *p)
{
    const struct device *mem = guest_definition_find(d, "mem");
    char size[32];

    if (mem)
        launch_add(w, "%s", mem->text);
    else
        launch_add(w, "mem=%s", um_format_size(GUEST_MEMORY_DEFAULT, size, sizeof(size)));
    launch_add(w, "umid=" LAUNCH_UMID);
    launch_add(w, "uml_dir=%s/", p->inner_dir);
    launch_add(w, "mconsole=notify:%s/notify", p->inner_dir);
    if (k->lpj)
        launch_add(w, "lpj=%" PRIu64, k->lpj);
    if (!guest_definition_find(d, "con"))
        launch_add(w, "con=null");
    if (!guest_definition_find(d, "ssl"))
        launch_add(w, "ssl=null");
    if (!guest_definition_find(d, "con0"))
        launch_add(w, "con0=fd:0,fd:1");
    /*
     * uml(kernel): each of the 2 x 256 BSD terminals is announced by a process of its own, before
     * there is a root to execute anything from. That crowd reaches threads-max (417 with 64M); the
     * kernel then creates no worker for a second, and the disk waits for it (docs/performance.md).
     */
    launch_add(w, "pty.legacy_count=0"); /* the user's words come later: theirs would win */
}

/*
 * A raw image gets flag d, so that a COW header its guest writes into it opens no other file at the
 * next boot (reference §11.6). Name and flags are written anew: the kernel takes six letters at
 * most.
 */
const char *launch_disk_name(const struct device *v, const struct launch_disk *disk, char *buf,
                             size_t size)
{
    unsigned f = v->ubd.flags;

    if (!disk->known || disk->cow || v->ubd.backing || (f & UBD_DATA))
        snprintf(buf, size, "%.*s", (int)strcspn(v->text, "="), v->text);
    else
        snprintf(buf, size, "ubd%d%s%s%s%sd", v->index, f & UBD_READ_ONLY ? "r" : "",
                 f & UBD_SYNC ? "s" : "", f & UBD_SHARED ? "c" : "", f & UBD_NO_TRIM ? "t" : "");
    return buf;
}

static void add_disk(struct launch_words *w, const struct device *v, const struct launch_disk *disk)
{
    char name[32];

    launch_add(w, "%s%s", launch_disk_name(v, disk, name, sizeof(name)), strchr(v->text, '='));
}

static void add_devices(struct launch_words *w, const struct guest_definition *d,
                        const char *inner_dir, const struct launch_options *o)
{
    char name[32], nic[LAUNCH_NIC_SIZE];
    int consoles = 0;

    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        device_name(v, name, sizeof(name));
        switch (v->kind) {
        case DEVICE_CON:
        case DEVICE_SSL:
            if (launch_console(v))
                launch_add(w, "%s=fd:%d", name, LAUNCH_CONSOLE_FD(consoles++));
            else if (v->line.in.type == CHANNEL_MANAGED)
                launch_add(w, "%s=fd:0,fd:1", name);
            else
                launch_add(w, "%s", v->text);
            break;
        case DEVICE_UBD:
            add_disk(w, v, launch_disk_of(o, v));
            break;
        case DEVICE_NET:
            launch_add(w, "%s", launch_net_word(v, inner_dir, nic));
            break;
        case DEVICE_HOSTFS:
        case DEVICE_INITRD:
        case DEVICE_VEC:
        case DEVICE_ETH:
            launch_add(w, "%s", v->text);
            break;
        case DEVICE_MEM:   /* came first */
        case DEVICE_SHARE: /* is the sandbox's affair */
        case DEVICE_UMID:  /* the kernel's umid is always ours */
        case DEVICE_KIND_COUNT:
            break;
        }
    }
}

static bool has_word(const struct guest_definition *d, const char *word)
{
    const char *found = cmdline_find(d, word);

    return found && strcmp(found, word) == 0;
}

static void add_defaults(struct launch_words *w, const struct guest_definition *d)
{
    const struct device *root = guest_definition_find(d, "ubd0");

    if (!cmdline_find(d, "root=")) {
        if (root) {
            launch_add(w, "root=/dev/ubda");
            if (!has_word(d, "rw") && !has_word(d, "ro"))
                launch_add(w, "%s", root->ubd.flags & UBD_READ_ONLY ? "ro" : "rw");
        } else if (um_strv_contains(&d->cmdline, "--")) {
            launch_add(w, "root=98:0"); /* what the kernel itself would put behind the `--` */
        }
    }
    if (!cmdline_find(d, "console="))
        launch_add(w, "console=tty0");
}

static enum um_code check_paths(const struct guest_definition *d, const struct launch_paths *p,
                                struct um_error *err)
{
    size_t len = strlen(p->inner_dir) + strlen("/" LAUNCH_UMID "/mconsole");
    char object[96];

    for (const char *c = p->inner_dir; *c; c++)
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c) || *c == ',' || *c == '=')
            return um_fail(err, UM_E_BAD_CONFIG, launch_object(d, object, sizeof(object)), NULL,
                           "the run directory %s contains blanks, `,` or `=`, which the kernel "
                           "cannot have",
                           p->inner_dir);
    if (len <= UM_SOCKET_PATH_MAX)
        return UM_OK;
    um_fail(err, UM_E_BAD_CONFIG, launch_object(d, object, sizeof(object)), NULL,
            "the path of its mconsole socket has %zu bytes, the limit is %d", len,
            UM_SOCKET_PATH_MAX);
    um_hint(err, "give the guest a shorter name, or umld a shorter run directory");
    return UM_E_BAD_CONFIG;
}

static enum um_code check_length(const struct guest_definition *d, const struct um_strv *words,
                                 struct um_error *err)
{
    size_t total = 0;
    char object[96];

    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): the caller filled it */
    for (size_t i = 1; i < words->n; i++)
        total += strlen(words->v[i]) + 1;
    if (total < LAUNCH_CMDLINE_MAX)
        return UM_OK;
    return um_fail(err, UM_E_INVALID, launch_object(d, object, sizeof(object)), "cmdline",
                   "the kernel command line has %zu bytes, the limit is %d", total,
                   LAUNCH_CMDLINE_MAX - 1);
}

enum um_code launch_kernel_argv(const struct guest_definition *d, const struct launch_kernel *k,
                                const struct launch_paths *p, const struct launch_options *o,
                                struct um_strv *ret, struct um_error *err)
{
    struct launch_words w = {.failed = false};
    struct um_strv words;
    enum um_code code = check_paths(d, p, err);

    if (!code)
        code = launch_check_nics(d, k, err);
    if (code)
        return code;
    launch_add(&w, "%s", k->path);
    add_base(&w, d, k, p);
    add_devices(&w, d, p->inner_dir, o);
    add_defaults(&w, d);
    launch_add_list(&w, o->extra_cmdline);
    launch_add_list(&w, (const char *const *)d->cmdline.v);
    code = launch_finish(&w, &words, err);
    if (code)
        return code;
    code = check_length(d, &words, err);
    if (code)
        um_strv_done(&words);
    else
        *ret = words;
    return code;
}
