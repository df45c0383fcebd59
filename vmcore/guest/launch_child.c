/*
 * The sandbox around the kernel: bubblewrap, then umlinit, then the kernel's words.
 *
 * Directories of the user (shares, hostfs) are bound before everything else, so that nothing of
 * umld's is hidden by them; and a share at another place than its own must not contain such a path,
 * because bubblewrap would then make the mount point inside the user's directory.
 */
#include "vmcore/guest/launch_internal.h"

#include "vmcore/guest/definition_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const sandbox_words[] = {"--unshare-pid",
                                            "--unshare-ipc",
                                            "--unshare-uts",
                                            "--hostname",
                                            "guest",
                                            "--unshare-net",
                                            "--unshare-cgroup-try",
                                            "--die-with-parent",
                                            "--as-pid-1",
                                            "--cap-drop",
                                            "ALL",
                                            "--proc",
                                            "/proc",
                                            NULL};

/*
 * All that a kernel opens there: con0=null and the like, and its random numbers. Each device of
 * bubblewrap's own --dev, which are nine, takes 0.15 ms.
 */
static const char *const device_words[] = {"--dir",       "/dev",        "--dev-bind",
                                           "/dev/null",   "/dev/null",   "--dev-bind",
                                           "/dev/random", "/dev/random", NULL};

/*
 * A guest with a uid of its own is started in a user namespace in which umld's user is 0
 * (vmcore/monitor/identity.c): bubblewrap needs no other one, and umlinit what it takes to become
 * the guest. Nothing of that is left when the kernel starts.
 */
static const char *const own_uid_words[] = {"--cap-add", "CAP_SETUID",  "--cap-add", "CAP_SETGID",
                                            "--cap-add", "CAP_SETPCAP", NULL};

/*
 * /proc as well: files like /proc/sys/kernel/core_pattern ask for the host's uid 0 and for no
 * capability, so a guest of a umld run by root could write them through hostfs.
 */
static const char *const closing_words[] = {"--remount-ro", "/proc", "--remount-ro", "/", NULL};

/*
 * The kernel's memory is an unlinked file in /tmp of the sandbox: all of mem=, and the rest for
 * what a kernel leaves there.
 */
static uint64_t tmp_size(const struct guest_definition *d)
{
    uint64_t memory = guest_definition_memory(d);

    return memory + memory / 4 + (UINT64_C(64) << 20);
}

static bool is_bind(const char *word)
{
    return strcmp(word, "--bind") == 0 || strcmp(word, "--ro-bind") == 0 ||
           strcmp(word, "--dev-bind") == 0;
}

/* Bind once per place: several disks may stand on one backing file. */
static void add_bind(struct launch_words *w, const char *how, const char *from, const char *to)
{
    for (size_t i = 0; i + 2 < w->list.n; i++)
        if (is_bind(w->list.v[i]) && strcmp(w->list.v[i + 2], to) == 0)
            return;
    launch_add(w, "%s", how);
    launch_add(w, "%s", from);
    launch_add(w, "%s", to);
}

static void add_read_only(struct launch_words *w, const char *path)
{
    add_bind(w, "--ro-bind", path, path);
}

static void add_directories(struct launch_words *w, const struct guest_definition *d)
{
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (v->kind == DEVICE_SHARE)
            add_bind(w, v->share.read_only ? "--ro-bind" : "--bind", v->share.dir, v->share.path);
    }
    /* After the shares: one that covers the same directory read-only wins. */
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (v->kind == DEVICE_HOSTFS)
            add_bind(w, "--bind", v->hostfs.dir, v->hostfs.dir);
    }
}

static void add_programs(struct launch_words *w, const struct launch_kernel *k,
                         const struct launch_paths *p)
{
    add_bind(w, "--bind", p->inner_dir, p->inner_dir);
    add_read_only(w, k->path);
    for (const char *const *lib = k->libs; lib && *lib; lib++)
        add_read_only(w, *lib);
    if (k->guard)
        add_read_only(w, p->guard);
    add_read_only(w, p->umlinit);
    add_bind(w, "--ro-bind", p->watchdog, LAUNCH_WATCHDOG_PATH);
}

/*
 * Disks at their own paths. A COW file that does not exist yet is refused by the file checks: to
 * let the kernel make it, its whole directory would have to be writable in here.
 */
static void add_disks(struct launch_words *w, const struct guest_definition *d,
                      const struct launch_options *o)
{
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (v->kind == DEVICE_INITRD)
            add_read_only(w, v->initrd);
        if (v->kind != DEVICE_UBD)
            continue;
        if (launch_disk_of(o, v)->block) /* a plain bind is `nodev` */
            add_bind(w, "--dev-bind", v->ubd.file, v->ubd.file);
        else
            add_bind(w, v->ubd.flags & UBD_READ_ONLY ? "--ro-bind" : "--bind", v->ubd.file,
                     v->ubd.file);
        if (v->ubd.backing)
            add_read_only(w, v->ubd.backing);
        if (launch_disk_of(o, v)->header_backing)
            add_read_only(w, launch_disk_of(o, v)->header_backing);
    }
}

static enum um_code refuse_directory(const struct guest_definition *d, const struct device *v,
                                     struct um_error *err, const char *fmt, const char *a,
                                     const char *b)
{
    char object[96], name[32], text[640];

    /* The format comes from the two callers below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), fmt, a, b);
#pragma GCC diagnostic pop
    return um_fail(err, UM_E_INVALID, launch_object(d, object, sizeof(object)),
                   device_name(v, name, sizeof(name)), "%s", text);
}

/* Directories that must not be given away, and places that must not be covered. */
static enum um_code check_directories(const struct guest_definition *d,
                                      const struct launch_paths *p, const struct launch_words *w,
                                      struct um_error *err)
{
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];
        const char *dir = v->kind == DEVICE_SHARE    ? v->share.dir
                          : v->kind == DEVICE_HOSTFS ? v->hostfs.dir
                                                     : NULL;

        if (!dir)
            continue;
        if (path_within(dir, p->guest_dir) || path_within(p->guest_dir, dir))
            return refuse_directory(d, v, err, "%s holds umld's own sockets, %s", dir,
                                    p->guest_dir);
        if (v->kind == DEVICE_HOSTFS || strcmp(dir, v->share.path) == 0)
            continue;
        for (size_t j = 0; j + 2 < w->list.n; j++) {
            const char *to = w->list.v[j + 2];

            if (is_bind(w->list.v[j]) && strcmp(to, v->share.path) != 0 &&
                path_within(v->share.path, to))
                return refuse_directory(d, v, err, "the path %s would hide %s", v->share.path, to);
        }
    }
    return UM_OK;
}

static void add_umlinit(struct launch_words *w, const struct guest_definition *d,
                        const struct launch_kernel *k, const struct launch_paths *p,
                        const struct launch_options *o)
{
    launch_add(w, "%s", p->umlinit);
    if (o->cpu >= 0)
        launch_add(w, "--cpu"), launch_add(w, "%d", o->cpu);
    if (k->guard)
        launch_add(w, "--preload"), launch_add(w, "%s", p->guard);
    if (o->uid)
        launch_add(w, "--uid"), launch_add(w, "%u", (unsigned)o->uid);
    launch_add(w, "--control"), launch_add(w, "%d", LAUNCH_CONTROL_FD);
    if (!d->sandbox)
        launch_add(w, "--no-namespace");
    launch_add(w, "--");
}

static bool has_dir(const struct launch_words *w, const char *dir)
{
    for (size_t i = 0; i + 1 < w->list.n; i++)
        if (strcmp(w->list.v[i], "--dir") == 0 && strcmp(w->list.v[i + 1], dir) == 0)
            return true;
    return false;
}

/*
 * bubblewrap makes the directories on the way to a bind for its own user alone (mode 0700). The
 * guest is another one, so they come before, with a mode for everybody. Without binds in w yet:
 * nothing is made in a directory of the user's.
 */
static void add_ways(struct launch_words *w, const struct launch_words *binds)
{
    for (size_t i = 0; i + 2 < binds->list.n; i += 3) {
        const char *to = binds->list.v[i + 2], *slash = strrchr(to, '/');
        um_autostr dir = slash ? strndup(to, (size_t)(slash - to)) : NULL;

        if (dir && dir[0] && !has_dir(w, dir))
            launch_add(w, "--dir"), launch_add(w, "%s", dir);
        w->failed = w->failed || !dir;
    }
}

static void add_binds(struct launch_words *w, const struct guest_definition *d,
                      const struct launch_kernel *k, const struct launch_paths *p,
                      const struct launch_options *o)
{
    struct launch_words binds = {.failed = false};

    add_directories(&binds, d);
    add_programs(&binds, k, p);
    add_disks(&binds, d, o);
    if (o->uid)
        add_ways(w, &binds);
    launch_add_list(w, (const char *const *)binds.list.v);
    w->failed = w->failed || binds.failed;
    um_strv_done(&binds.list);
}

static void add_sandbox(struct launch_words *w, const struct guest_definition *d,
                        const struct launch_kernel *k, const struct launch_paths *p,
                        const struct launch_options *o)
{
    launch_add(w, "%s", p->bwrap);
    if (!o->uid)
        launch_add(w, "--unshare-user");
    launch_add_list(w, sandbox_words);
    launch_add_list(w, device_words);
    if (o->uid)
        launch_add_list(w, own_uid_words);
    launch_add(w, "--size"), launch_add(w, "%" PRIu64, tmp_size(d));
    launch_add_list(w, (const char *const[]){"--perms", "1777", "--tmpfs", "/tmp", NULL});
    add_binds(w, d, k, p, o);
    launch_add_list(w, closing_words);
    launch_add_list(w, (const char *const[]){"--chdir", p->inner_dir, "--", NULL});
}

enum um_code launch_child_argv(const struct guest_definition *d, const struct launch_kernel *k,
                               const struct launch_paths *p, const struct launch_options *o,
                               struct um_strv *ret, struct um_error *err)
{
    struct launch_words w = {.failed = false};
    struct um_strv kernel = {NULL, 0};
    enum um_code code = launch_kernel_argv(d, k, p, o, &kernel, err);

    if (code)
        return code;
    if (d->sandbox) {
        add_sandbox(&w, d, k, p, o);
        code = check_directories(d, p, &w, err);
    }
    add_umlinit(&w, d, k, p, o);
    launch_add_list(&w, (const char *const *)kernel.v);
    um_strv_done(&kernel);
    if (!code)
        return launch_finish(&w, ret, err);
    um_strv_done(&w.list);
    return code;
}
