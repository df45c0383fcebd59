#include "mconsole/endpoint.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    NUMBER_LIMIT = 10000000, /* at most seven digits: paths stay short */
    NUMBER_START = 100000,   /* the first name is somewhere below this */
    BIND_TRIES = 64,         /* a hostile guest may occupy names, but not for ever */
    SWEEP_MAX = 4096,        /* directory entries looked at */
    RECEIVE_BUFFER = 512 * 1024
};

/* Number of a client socket's name, or -1 if it is something else. */
static int64_t number_of(const char *name, const char *prefix)
{
    int64_t n;

    if (!um_str_starts(name, prefix))
        return -1;
    name += strlen(prefix);
    return name[0] != '-' && um_parse_int(name, 0, NUMBER_LIMIT - 1, &n) ? n : -1;
}

/*
 * A daemon that was killed leaves its names behind, and perhaps a request that will still be
 * answered. Its names are removed and ours start elsewhere, so that the answer cannot reach us.
 */
static void sweep(struct mconsole_endpoint *e, const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int left = SWEEP_MAX;

    e->swept = true;
    e->next = (unsigned)(um_clock_mono_ns() / UM_MS_NS % NUMBER_START);
    if (!d)
        return;
    while (left-- > 0 && (entry = readdir(d))) {
        int64_t number = number_of(entry->d_name, prefix);
        struct stat st;

        if (number < 0 || fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISSOCK(st.st_mode))
            continue;
        unlinkat(dirfd(d), entry->d_name, 0);
        if ((unsigned)number >= e->next)
            e->next = (unsigned)number + 1;
    }
    closedir(d);
}

/* The length as of snprintf(). */
static int name_of(unsigned number, const char *dir, const char *prefix,
                   char ret[UM_SOCKET_PATH_MAX + 1])
{
    return snprintf(ret, UM_SOCKET_PATH_MAX + 1, "%s/%s%u", dir, prefix, number);
}

static enum um_code bind_unused_name(struct mconsole_endpoint *e, const char *dir,
                                     const char *prefix, struct um_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    for (int i = 0; i < BIND_TRIES; i++) {
        unsigned number = e->next++ % NUMBER_LIMIT;

        if (name_of(number, dir, prefix, addr.sun_path) > UM_SOCKET_PATH_MAX) {
            um_fail(err, UM_E_INVALID, dir, NULL, "path of the client socket is over %d bytes",
                    UM_SOCKET_PATH_MAX);
            return um_hint(err, "use a shorter run directory or a shorter name");
        }
        if (bind(e->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
            e->number = number;
            e->named = true;
            return UM_OK;
        }
        if (errno != EADDRINUSE)
            return um_fail_errno(err, errno, addr.sun_path, "cannot bind the client socket");
    }
    return um_fail(err, UM_E_NO_RESOURCES, dir, NULL, "all names for the client socket are taken");
}

static enum um_code bind_any_abstract_name(struct mconsole_endpoint *e, struct um_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (bind(e->fd, (struct sockaddr *)&addr, sizeof(addr.sun_family)) < 0)
        return um_fail_errno(err, errno, NULL, "cannot bind the client socket");
    return UM_OK;
}

static enum um_code make_socket(struct mconsole_endpoint *e, const char *dir, const char *prefix,
                                mode_t mode, struct um_error *err)
{
    int size = RECEIVE_BUFFER;
    enum um_code code;
    mode_t mask;

    e->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->fd < 0)
        return um_fail_errno(err, errno, dir, "cannot make the client socket");
    /* Best effort: long answers come in one burst, and what does not fit is lost. */
    (void)setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (!dir)
        return bind_any_abstract_name(e, err);
    /* unix(7): bind gives the path the mode of the socket's own inode, less the umask; a chmod of
     * the path afterwards could be led elsewhere by the guest. */
    if (fchmod(e->fd, mode) < 0)
        return um_fail_errno(err, errno, dir, "cannot set the client socket's mode");
    mask = umask(0);
    code = bind_unused_name(e, dir, prefix, err);
    umask(mask);
    return code;
}

/* dir is ours, what is below it is the guest's: only there symlinks are refused. */
static int open_target(const char *dir, const char *target)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    size_t len = dir ? strlen(dir) : 0;
    um_autofd base = -1;

    if (!dir)
        return open(target, O_PATH | O_CLOEXEC);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (strncmp(target, dir, len) == 0 && target[len] == '/') {
        base = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (base < 0)
            return -1;
        target += len;
        target += strspn(target, "/");
        how.resolve |= RESOLVE_BENEATH;
    }
    return (int)syscall(SYS_openat2, base >= 0 ? base : AT_FDCWD, target, &how, sizeof(how));
}

/* What an errno on the way to the kernel's socket says about the guest. */
static enum um_code target_error(int errnum, const char *target, struct um_error *err)
{
    switch (errnum) {
    case ENOENT:
    case ECONNREFUSED:
        return um_fail(err, UM_E_NOT_RUNNING, target, NULL, "no kernel listens on this socket");
    case ELOOP:
    case EXDEV:
        return um_fail(err, UM_E_NOT_RUNNING, target, NULL,
                       "refused: the path leads through a symbolic link");
    case ENOTSOCK:
    case ENOTDIR:
    case EPROTOTYPE:
        return um_fail(err, UM_E_NOT_RUNNING, target, NULL, "this is not a kernel's socket");
    default:
        return um_fail_errno(err, errnum, target, "cannot connect to the kernel's socket");
    }
}

/* *ret_mode: what our own socket needs so that the target's owner can answer. */
static enum um_code find_target(struct mconsole_endpoint *e, const char *dir, const char *target,
                                mode_t *ret_mode, struct um_error *err)
{
    struct stat st;

    e->target = open_target(dir, target);
    if (e->target < 0)
        return target_error(errno, target, err);
    if (fstat(e->target, &st) < 0 || !S_ISSOCK(st.st_mode))
        return target_error(ENOTSOCK, target, err);
    *ret_mode = st.st_uid == geteuid() ? 0600 : 0666;
    return UM_OK;
}

static enum um_code connect_target(const struct mconsole_endpoint *e, const char *target,
                                   struct um_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", e->target);
    if (connect(e->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return target_error(errno, target, err);
    return UM_OK;
}

enum um_code mconsole_endpoint_open(struct mconsole_endpoint *e, const char *dir,
                                    const char *prefix, const char *target, struct um_error *err)
{
    enum um_code code;
    mode_t mode = 0;

    if (dir && !e->swept)
        sweep(e, dir, prefix);
    code = find_target(e, dir, target, &mode, err);
    if (code == UM_OK)
        code = make_socket(e, dir, prefix, mode, err);
    if (code == UM_OK)
        code = connect_target(e, target, err);
    if (code)
        mconsole_endpoint_close(e, dir, prefix);
    return code;
}

void mconsole_endpoint_close(struct mconsole_endpoint *e, const char *dir, const char *prefix)
{
    char path[UM_SOCKET_PATH_MAX + 1];

    um_fd_close(&e->fd);
    um_fd_close(&e->target);
    if (e->named) {
        name_of(e->number, dir, prefix, path);
        unlink(path);
    }
    e->named = false;
}

bool mconsole_endpoint_current(const struct mconsole_endpoint *e, const char *target)
{
    struct stat connected, there;

    return e->target >= 0 && fstat(e->target, &connected) == 0 && lstat(target, &there) == 0 &&
           connected.st_dev == there.st_dev && connected.st_ino == there.st_ino;
}
