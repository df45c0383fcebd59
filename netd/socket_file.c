#include "netd/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCK_TRIES = 10, LOCK_PATH_MAX = UM_SOCKET_PATH_MAX + sizeof(".lock") };

const struct netd_access netd_access_default = {.mode = 0660, .group = (gid_t)-1};

static void lock_path(const char *path, char ret[LOCK_PATH_MAX])
{
    snprintf(ret, LOCK_PATH_MAX, "%s.lock", path);
}

static enum um_code busy(const char *path, struct um_error *err)
{
    um_fail(err, UM_E_BUSY, path, NULL, "another program listens there");
    return um_hint(err, "stop it, or choose another path");
}

/* Whether the file that was locked is the one that others will find there. */
static bool same_file(int fd, const char *path)
{
    struct stat open, named;

    return fstat(fd, &open) == 0 && stat(path, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

/* Whoever ends removes its lock, so one that was just locked may be nobody's any more. */
static enum um_code lock(const char *path, int *ret, struct um_error *err)
{
    char name[LOCK_PATH_MAX];

    lock_path(path, name);
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return um_fail_errno(err, errno, name, "cannot open the lock file");
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            um_fd_close(&fd);
            return busy(path, err);
        }
        if (same_file(fd, name)) {
            *ret = fd;
            return UM_OK;
        }
        um_fd_close(&fd);
    }
    return busy(path, err);
}

/* Anything but a refusal comes from somebody who is there, or must not be touched. */
static enum um_code check_free(const char *path, int type, struct um_error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    um_autofd fd = -1;
    struct stat st;

    if (lstat(path, &st) != 0)
        return UM_OK; /* what speaks against the path is what bind() says */
    if (!S_ISSOCK(st.st_mode)) {
        um_fail(err, UM_E_EXISTS, path, NULL, "is there, and is no socket");
        return um_hint(err, "remove it, or choose another path");
    }
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return um_fail_errno(err, errno, path, "cannot make a socket");
    memcpy(a.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno == ECONNREFUSED)
        return UM_OK;
    return busy(path, err);
}

/* The group first: until then nobody but the owner may have more rights than others. */
bool netd_access_give(const char *path, const struct netd_access *access)
{
    return (access->group == (gid_t)-1 || chown(path, (uid_t)-1, access->group) == 0) &&
           chmod(path, access->mode) == 0;
}

enum um_code netd_socket_file_open(const char *path, int type, const struct netd_access *access,
                                   struct netd_socket_file *ret, struct um_error *err)
{
    struct netd_socket_file f = NETD_SOCKET_FILE_INIT;
    mode_t first = access->group == (gid_t)-1 ? access->mode : access->mode & 0700;
    enum um_code code;

    if (strlen(path) > UM_SOCKET_PATH_MAX)
        return um_fail(err, UM_E_INVALID, path, NULL, "longer than the %d bytes of a socket's path",
                       UM_SOCKET_PATH_MAX);
    snprintf(f.path, sizeof(f.path), "%s", path);
    code = lock(path, &f.lock, err);
    if (code == UM_OK)
        code = check_free(path, type, err);
    if (code == UM_OK)
        code = um_unix_listen(path, type, first, &f.fd, err);
    if (code == UM_OK && !netd_access_give(path, access))
        code = um_fail_errno(err, errno, path, "cannot set its group and mode");
    if (code == UM_OK)
        *ret = f;
    else
        netd_socket_file_close(&f);
    return code;
}

void netd_socket_file_close(struct netd_socket_file *f)
{
    char name[LOCK_PATH_MAX];

    if (f->fd >= 0)
        unlink(f->path);
    um_fd_close(&f->fd);
    if (f->lock >= 0) {
        lock_path(f->path, name);
        unlink(name);
    }
    um_fd_close(&f->lock);
}
