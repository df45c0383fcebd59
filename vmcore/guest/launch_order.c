/*
 * The launch order umlmon reads, and the look at the disks before a start.
 */
#include "vmcore/guest/launch_internal.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"
#include "vmcore/guest/cow_peek.h"
#include "vmcore/monitor/order.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The whole environment. Without a sandbox TMPDIR is left out: the kernel then takes /dev/shm. */
static const char *const environment[] = {"PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp"};

static void add_consoles(struct um_buf *b, const struct guest_definition *d)
{
    char name[32];
    int consoles = 0;

    um_kv_add(b, ORDER_KEY_CONSOLE, "con0 managed 0");
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (launch_console(v))
            um_kv_addf(b, ORDER_KEY_CONSOLE, "%s %s %d", device_name(v, name, sizeof(name)),
                       device_channel_name(v->line.in.type), LAUNCH_CONSOLE_FD(consoles++));
    }
}

static void add_nics(struct um_buf *b, const struct guest_definition *d,
                     const struct launch_paths *p)
{
    char name[32], path[UM_SOCKET_PATH_MAX + 1];

    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (v->kind == DEVICE_NET)
            um_kv_addf(b, ORDER_KEY_NIC, "%s %s %s/%s/links",
                       launch_net_interface(v, name, sizeof(name)),
                       launch_net_socket(v, p->inner_dir, path, sizeof(path)), p->networks,
                       v->net->network);
    }
}

static void add_keys(struct um_buf *b, const struct guest_definition *d,
                     const struct launch_paths *p, const struct launch_options *o)
{
    um_kv_add(b, ORDER_KEY_VERSION, ORDER_VERSION);
    um_kv_add(b, ORDER_KEY_GUEST, d->name);
    um_kv_addf(b, ORDER_KEY_BOOT, "%" PRIu64, o->boot);
    um_kv_addf(b, ORDER_KEY_SOCKET, "%s/mon", p->guest_dir);
    um_kv_addf(b, ORDER_KEY_NOTIFY, "%s/notify", p->inner_dir);
    um_kv_add(b, ORDER_KEY_EXIT, p->exit_file);
    um_kv_add(b, ORDER_KEY_LOG_DIR, p->log_dir);
    um_kv_addf(b, ORDER_KEY_LOG_SIZE, "%" PRIu64, o->log_size);
    um_kv_addf(b, ORDER_KEY_LOG_PARTS, "%d", o->log_parts);
    if (o->uid)
        um_kv_addf(b, ORDER_KEY_UID, "%u", (unsigned)o->uid);
    for (const char *const *c = o->cgroups; c && *c; c++)
        um_kv_add(b, ORDER_KEY_CGROUP, *c);
    um_kv_add(b, ORDER_KEY_READY, guest_ready_name(d->ready));
    if (d->ready == READY_CONSOLE && d->ready_pattern)
        um_kv_add(b, ORDER_KEY_PATTERN, d->ready_pattern);
}

enum um_code launch_order(const struct guest_definition *d, const struct launch_kernel *k,
                          const struct launch_paths *p, const struct launch_options *o,
                          struct um_buf *ret, struct um_error *err)
{
    size_t env = d->sandbox ? UM_ARRAY_LEN(environment) : UM_ARRAY_LEN(environment) - 1;
    struct um_buf b = UM_BUF_INIT;
    struct um_strv argv = {NULL, 0};
    enum um_code code = launch_child_argv(d, k, p, o, &argv, err);

    if (code)
        return code;
    add_keys(&b, d, p, o);
    add_consoles(&b, d);
    add_nics(&b, d, p);
    for (size_t i = 0; i < argv.n; i++)
        um_kv_add(&b, ORDER_KEY_ARG, argv.v[i]);
    for (size_t i = 0; i < env; i++)
        um_kv_add(&b, ORDER_KEY_ENV, environment[i]);
    um_strv_done(&argv);
    if (b.failed) {
        um_buf_done(&b);
        return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    }
    *ret = b;
    return UM_OK;
}

static bool read_disk(const struct device *v, struct launch_disk *ret)
{
    enum cow_peek_result kind;
    struct cow_peek h;
    struct stat st;

    if (stat(v->ubd.file, &st) < 0)
        return true;
    ret->block = S_ISBLK(st.st_mode);
    if (v->ubd.flags & UBD_DATA || (v->ubd.origin && strcmp(v->ubd.origin, "raw") == 0)) {
        ret->known = true;
        return true;
    }
    kind = cow_peek_file(v->ubd.file, &h);
    if (kind == COW_PEEK_NONE && errno)
        return true;
    ret->known = true;
    ret->cow = kind == COW_PEEK_OK;
    /* With a backing file in the definition the kernel still looks at the header's, if it is there:
     * the backing file may have been moved. */
    if (!ret->cow || h.backing[0] != '/' || stat(h.backing, &st) < 0 ||
        (v->ubd.backing && strcmp(v->ubd.backing, h.backing) == 0))
        return true;
    ret->header_backing = strdup(h.backing);
    return ret->header_backing;
}

bool launch_disks_read(const struct guest_definition *d, struct launch_disks *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (v->kind == DEVICE_UBD && !read_disk(v, &ret->unit[v->index])) {
            launch_disks_done(ret);
            return false;
        }
    }
    return true;
}

void launch_disks_done(struct launch_disks *disks)
{
    if (!disks)
        return;
    for (size_t i = 0; i < DEVICE_UBD_MAX; i++)
        free(disks->unit[i].header_backing);
    memset(disks, 0, sizeof(*disks));
}
