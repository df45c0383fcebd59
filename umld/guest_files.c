/*
 * The files of a guest that is a user of its own. What has to be told apart: umld's user sets the
 * sandbox up, so the way to a file is umld's to walk; in the sandbox only the file itself is there,
 * and its kernel opens it as the guest. Without a sandbox the guest walks the way, too.
 */
#include "umld/guest_ids.h"

#include "vmcore/base/acl.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 3 * DEVICE_UBD_MAX + 64 };

struct file {
    char device[32];
    const char *what, *path;
    int mode;   /* of access(2) */
    bool grant; /* umld may open it to the guest: what it stands for is the guest's alone */
    bool given; /* it has */
};

struct files {
    struct guest *g;
    const char *inner;
    struct file list[FILES_MAX];
    size_t count;
    int report; /* the child tells an errno for each file */
};

/* ---- what a guest opens ---- */

static void add(struct files *f, const char *device, const char *what, const char *path, int mode,
                bool grant)
{
    struct file *file = &f->list[f->count];

    if (!path || f->count == FILES_MAX)
        return;
    *file = (struct file){.what = what, .path = path, .mode = mode, .grant = grant};
    snprintf(file->device, sizeof(file->device), "%s", device);
    f->count++;
}

static void add_disk(struct files *f, const struct device *v, const char *name)
{
    add(f, name, v->ubd.backing ? "COW file" : "disk", v->ubd.file,
        v->ubd.flags & UBD_READ_ONLY ? R_OK : R_OK | W_OK, true);
    add(f, name, "backing file", v->ubd.backing, R_OK, true);
}

static void add_device(struct files *f, const struct device *v, const struct launch_disks *disks)
{
    char name[32];

    device_name(v, name, sizeof(name));
    switch (v->kind) {
    case DEVICE_UBD:
        add_disk(f, v, name);
        add(f, name, "backing file", disks->unit[v->index].header_backing, R_OK, true);
        break;
    case DEVICE_INITRD:
        add(f, name, "initrd", v->initrd, R_OK, true);
        break;
    case DEVICE_SHARE:
        add(f, name, "directory", v->share.dir,
            v->share.read_only ? R_OK | X_OK : R_OK | W_OK | X_OK, false);
        break;
    case DEVICE_HOSTFS:
        add(f, name, "directory", v->hostfs.dir, R_OK | X_OK, false);
        break;
    default:
        break;
    }
}

static void collect(struct files *f, const struct launch_kernel *kernel,
                    const struct launch_paths *paths, const struct launch_disks *disks)
{
    add(f, "kernel", "kernel", kernel->path, R_OK | X_OK, false);
    for (const char *const *lib = kernel->libs; lib && *lib; lib++)
        add(f, "kernel", "library", *lib, R_OK, false);
    /* A library that cannot be preloaded is passed over in silence. */
    add(f, "kernel", "library", kernel->guard ? paths->guard : NULL, R_OK, false);
    if (f->g->def.sandbox)
        add(f, "kernel", "program", paths->watchdog, R_OK | X_OK, false);
    for (size_t i = 0; i < f->g->def.device_count; i++)
        add_device(f, &f->g->def.devices[i], disks);
}

/* ---- in a child, in the namespace ---- */

/* umld's group stays, and what is made in there has it. */
static int make_over(const char *dir, uid_t uid)
{
    return chown(dir, uid, (gid_t)-1) < 0 || chmod(dir, 02770) < 0 ? errno : 0;
}

static int try_all(void *arg)
{
    struct files *f = arg;
    int fds[FILES_MAX], errnum = make_over(f->inner, f->g->uid);
    unsigned char found[FILES_MAX] = {0};

    if (errnum)
        return errnum;
    for (size_t i = 0; f->g->def.sandbox && i < f->count; i++) {
        fds[i] = open(f->list[i].path, O_PATH | O_CLOEXEC);
        found[i] = fds[i] < 0 ? (unsigned char)errno : 0;
    }
    errnum = um_userns_become(f->g->uid);
    if (errnum)
        return errnum;
    for (size_t i = 0; i < f->count; i++) {
        char path[PATH_MAX];

        if (f->g->def.sandbox)
            snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[i]);
        else
            snprintf(path, sizeof(path), "%s", f->list[i].path);
        if (!found[i] && access(path, f->list[i].mode) < 0)
            found[i] = (unsigned char)errno;
    }
    return write(f->report, found, f->count) == (ssize_t)f->count ? 0 : EIO;
}

/* ret: an errno for each file. */
static enum um_code try_files(struct files *f, unsigned char ret[FILES_MAX], struct um_error *err)
{
    char object[96];
    int pipefd[2], errnum;
    ssize_t n = 0;

    guest_object(f->g, object, sizeof(object));
    if (pipe2(pipefd, O_CLOEXEC) < 0)
        return um_fail_errno(err, errno, object, "cannot try its files");
    f->report = pipefd[1];
    errnum = guest_ids_run(f->g->umld, try_all, f);
    close(pipefd[1]);
    if (errnum == 0)
        n = read(pipefd[0], ret, FILES_MAX);
    close(pipefd[0]);
    if (errnum == 0 && n == (ssize_t)f->count)
        return UM_OK;
    return um_fail_errno(err, errnum ? errnum : EIO, object, "cannot become uid %u",
                         (unsigned)f->g->uid);
}

/* ---- what umld opens to it ---- */

static const char *list_path(const struct guest *g, char buf[GUEST_PATH_SIZE + 16])
{
    char state[GUEST_PATH_SIZE];

    snprintf(buf, GUEST_PATH_SIZE + 16, "%s/opened", guest_path(g, GUEST_PATH_STATE, state));
    return buf;
}

/* Nobody but us and root can put something else in the place of what is in this directory. */
static bool is_closed(const char *dir)
{
    struct stat st;

    return lstat(dir, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
           (S_ISLNK(st.st_mode) || !(st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_mode & S_ISVTX);
}

static bool way_is_closed(const char *path)
{
    um_autostr dir = strdup(path);

    for (char *slash = dir ? strrchr(dir, '/') : NULL; slash; slash = strrchr(dir, '/')) {
        slash[slash == dir] = '\0';
        if (!is_closed(dir))
            return false;
        if (slash == dir)
            return true;
    }
    return false;
}

/*
 * Is it a file of umld's own user, which the guest alone is to use? Not if somebody could have led
 * the path there: a guest with a share, say, to umld's database.
 */
static bool is_ours(const struct file *file)
{
    char real[PATH_MAX];
    struct stat st;

    return file->grant && stat(file->path, &st) == 0 && st.st_uid == geteuid() &&
           (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) && way_is_closed(file->path) &&
           realpath(file->path, real) && way_is_closed(real);
}

/* Paths that are open to it already; empty if there are none. */
static void read_list(const struct guest *g, struct um_buf *ret)
{
    char path[GUEST_PATH_SIZE + 16], *text;
    size_t len;

    if (um_file_read(list_path(g, path), 1 << 20, &text, &len, NULL))
        return;
    um_buf_append(ret, text, len);
    free(text);
}

/* Written first: whatever happens, guest_files_take_back() knows what to look at. */
static enum um_code give_ours(struct files *f, const unsigned char *found, struct um_error *err)
{
    char path[GUEST_PATH_SIZE + 16];
    struct um_buf list = UM_BUF_INIT;
    enum um_code code = UM_OK;

    read_list(f->g, &list);
    for (size_t i = 0; i < f->count; i++) {
        f->list[i].given = found[i] == EACCES && is_ours(&f->list[i]);
        if (f->list[i].given)
            um_buf_append(&list, f->list[i].path, strlen(f->list[i].path) + 1);
    }
    if (list.failed)
        code = um_fail(err, UM_E_NO_RESOURCES, f->g->def.name, NULL, "out of memory");
    else if (list.len)
        code = um_file_replace(list_path(f->g, path), list.data, list.len, 0600, err);
    um_buf_done(&list);
    for (size_t i = 0; !code && i < f->count; i++) {
        int errnum =
            f->list[i].given ? um_acl_grant(f->list[i].path, f->g->uid, f->list[i].mode & W_OK) : 0;

        if (errnum)
            um_log(UM_LOG_INFO, "guest %s: %s cannot be opened to uid %u: %s", f->g->def.name,
                   f->list[i].path, (unsigned)f->g->uid, strerror(errnum));
    }
    return code;
}

static void close_to(const struct guest *g, const char *path)
{
    int errnum = um_acl_revoke(path, g->uid);

    if (errnum && errnum != ENOENT)
        um_log(UM_LOG_WARNING, "guest %s: %s stays open to uid %u: %s", g->def.name, path,
               (unsigned)g->uid, strerror(errnum));
}

void guest_files_take_back(const struct guest *g)
{
    char path[GUEST_PATH_SIZE + 16];
    struct um_buf list = UM_BUF_INIT;

    if (!g->uid)
        return;
    read_list(g, &list);
    for (size_t i = 0; list.data && i < list.len; i += strlen(list.data + i) + 1)
        close_to(g, list.data + i);
    um_buf_done(&list);
    unlink(list_path(g, path));
}

void guest_files_drop(const struct guest *g, const char *path)
{
    struct um_buf list = UM_BUF_INIT, left = UM_BUF_INIT;
    char name[GUEST_PATH_SIZE + 16];
    struct um_error err;

    if (!g->uid)
        return;
    read_list(g, &list);
    for (size_t i = 0; list.data && i < list.len; i += strlen(list.data + i) + 1) {
        if (strcmp(list.data + i, path) == 0)
            close_to(g, path);
        else
            um_buf_append(&left, list.data + i, strlen(list.data + i) + 1);
    }
    /* A list that says too much does no harm. */
    list_path(g, name);
    if (!left.failed && !left.data)
        unlink(name);
    else if (!left.failed && left.len < list.len &&
             um_file_replace(name, left.data, left.len, 0600, &err))
        um_log(UM_LOG_WARNING, "guest %s: %s", g->def.name, err.message);
    um_buf_done(&list);
    um_buf_done(&left);
}

/* ---- refusals ---- */

static const char *wanted(const struct file *file)
{
    if (file->mode & W_OK)
        return file->mode & X_OK ? "rwx" : "rw";
    return file->mode & X_OK ? "rx" : "r";
}

static enum um_code refuse(const struct files *f, const struct file *file, int errnum,
                           struct um_error *err)
{
    unsigned uid = (unsigned)f->g->uid;
    char object[96];

    um_fail(err, UM_E_BAD_CONFIG, guest_object(f->g, object, sizeof(object)), file->device,
            "%s %s cannot be %s by the guest's own user, uid %u: %s", file->what, file->path,
            file->mode & W_OK ? "written" : "read", uid, strerror(errnum));
    if (errnum == EROFS)
        return um_hint(err, file->grant ? "its file system is read-only: use flag r"
                                        : "its file system is read-only: share it with `:ro`");
    if (!f->g->def.sandbox)
        return um_hint(err,
                       "without the sandbox every directory on the way has to be open to it "
                       "as well: namei -l %s",
                       file->path);
    if (strcmp(file->device, "kernel") == 0)
        return um_hint(err, "chmod a+rx %s", file->path);
    return um_hint(err, "setfacl -m u:%u:%s %s; or chgrp %u and chmod g+%s", uid, wanted(file),
                   file->path, uid, wanted(file));
}

static enum um_code give_all(struct files *f, struct um_error *err)
{
    unsigned char found[FILES_MAX] = {0};
    enum um_code code = try_files(f, found, err);
    bool any = false;

    for (size_t i = 0; !code && i < f->count; i++)
        any = any || (found[i] == EACCES && is_ours(&f->list[i]));
    if (any)
        code = give_ours(f, found, err);
    if (any && !code)
        code = try_files(f, found, err);
    for (size_t i = 0; !code && i < f->count; i++)
        if (found[i])
            code = refuse(f, &f->list[i], found[i], err);
    return code;
}

enum um_code guest_files_give(struct guest *g, const struct launch_kernel *kernel,
                              const struct launch_paths *paths, const struct launch_disks *disks,
                              struct um_error *err)
{
    char inner[GUEST_PATH_SIZE];
    struct files f = {.g = g, .inner = guest_path(g, GUEST_PATH_INNER, inner)};

    guest_files_take_back(g);
    collect(&f, kernel, paths, disks);
    return give_all(&f, err);
}

enum um_code guest_files_add(struct guest *g, const struct device *v, struct um_error *err)
{
    char inner[GUEST_PATH_SIZE], name[32];
    struct files f = {.g = g, .inner = guest_path(g, GUEST_PATH_INNER, inner)};

    add_disk(&f, v, device_name(v, name, sizeof(name)));
    return give_all(&f, err);
}

/* ---- cleaning up ---- */

static int remove_tree(void *arg)
{
    return um_remove_tree(arg) ? 0 : errno;
}

bool guest_tree_remove(const struct umld *umld, const char *path)
{
    int errnum;

    if (um_remove_tree(path))
        return true;
    if (!guest_ids_any(umld))
        return false;
    errnum = guest_ids_run(umld, remove_tree, (void *)(uintptr_t)path);
    errno = errnum;
    return errnum == 0;
}
