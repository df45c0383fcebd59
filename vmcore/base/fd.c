#include "vmcore/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void um_fd_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

static bool change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);

    return flags >= 0 && fcntl(fd, set, on ? flags | flag : flags & ~flag) == 0;
}

bool um_fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

bool um_fd_set_nonblock(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

bool um_fd_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

union control {
    char space[CMSG_SPACE(sizeof(int) * UM_FD_SEND_MAX) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
};

static void put_fds(struct msghdr *msg, union control *control, const int *fds, size_t count)
{
    struct cmsghdr *c;

    memset(control, 0, sizeof(*control));
    msg->msg_control = control->space;
    msg->msg_controllen = CMSG_SPACE(count * sizeof(int));
    c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

bool um_fd_send_many(int sock, const void *data, size_t len, const int *fds, size_t count)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int given[UM_FD_SEND_MAX];
    union control control;
    size_t n_given = 0;
    ssize_t n;

    for (size_t i = 0; i < count && n_given < UM_FD_SEND_MAX; i++)
        if (fds[i] >= 0)
            given[n_given++] = fds[i];
    if (n_given > 0)
        put_fds(&msg, &control, given, n_given);
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

bool um_fd_send(int sock, const void *data, size_t len, int fd)
{
    return um_fd_send_many(sock, data, len, &fd, 1);
}

static void take_control(struct msghdr *msg, int *ret_fds, size_t room, pid_t *ret_pid)
{
    size_t taken = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            for (size_t i = 0; i < count; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                if (taken < room)
                    ret_fds[taken++] = fd;
                else
                    close(fd);
            }
        } else if (c->cmsg_type == SCM_CREDENTIALS && ret_pid) {
            struct ucred cred;

            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            *ret_pid = cred.pid;
        }
    }
}

ssize_t um_fd_receive_many(int sock, void *data, size_t size, int *ret_fds, size_t count,
                           pid_t *ret_pid)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};
    union control control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    ssize_t n;

    for (size_t i = 0; i < count; i++)
        ret_fds[i] = -1;
    if (ret_pid)
        *ret_pid = 0;
    do
        n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -1;
    take_control(&msg, ret_fds, count, ret_pid);
    if (msg.msg_flags & MSG_TRUNC) {
        for (size_t i = 0; i < count; i++)
            um_fd_close(&ret_fds[i]);
        errno = EMSGSIZE;
        return -1;
    }
    return n;
}

ssize_t um_fd_receive(int sock, void *data, size_t size, int *ret_fd, pid_t *ret_pid)
{
    return um_fd_receive_many(sock, data, size, ret_fd, ret_fd ? 1 : 0, ret_pid);
}

static enum um_code unix_socket(const char *path, int type, struct sockaddr_un *addr, int *ret_fd,
                                struct um_error *err)
{
    int fd;

    if (strlen(path) > UM_SOCKET_PATH_MAX) {
        um_fail(err, UM_E_INVALID, path, NULL,
                "socket path is %zu bytes long, the system's limit is %d", strlen(path),
                UM_SOCKET_PATH_MAX);
        return um_hint(err, "use a shorter run directory or a shorter name");
    }
    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;
    memcpy(addr->sun_path, path, strlen(path));
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return um_fail_errno(err, errno, path, "cannot make a socket");
    *ret_fd = fd;
    return UM_OK;
}

enum um_code um_unix_listen(const char *path, int type, mode_t mode, int *ret_fd,
                            struct um_error *err)
{
    struct sockaddr_un addr;
    struct stat st;
    um_autofd fd = -1;
    enum um_code code = unix_socket(path, type, &addr, &fd, err);
    mode_t mask;
    int bound;

    if (code)
        return code;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    /* The file has its mode from the beginning (unix(7)): whoever may write the directory could
     * have put a link to something else into its place before a chmod(). */
    if (fchmod(fd, mode) < 0)
        return um_fail_errno(err, errno, path, "cannot set the socket's mode");
    mask = umask(0);
    bound = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    umask(mask);
    if (bound < 0)
        return um_fail_errno(err, errno, path, "cannot bind the socket");
    if (type != SOCK_DGRAM && listen(fd, 128) < 0)
        return um_fail_errno(err, errno, path, "cannot listen");
    *ret_fd = fd;
    fd = -1;
    return UM_OK;
}

enum um_code um_unix_connect(const char *path, int type, int *ret_fd, struct um_error *err)
{
    struct sockaddr_un addr;
    um_autofd fd = -1;
    enum um_code code = unix_socket(path, type, &addr, &fd, err);

    if (code)
        return code;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return um_fail_errno(err, errno, path, "cannot connect");
    *ret_fd = fd;
    fd = -1;
    return UM_OK;
}

enum um_code um_mkdir_parents(const char *path, mode_t mode, struct um_error *err)
{
    char *copy = strdup(path);
    enum um_code code = UM_OK;

    if (!copy)
        return um_fail_errno(err, ENOMEM, path, "cannot create the directory");
    for (char *p = copy + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            code = um_fail_errno(err, errno, path, "cannot create the directory");
            break;
        }
        *p = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return code;
}

static bool remove_at(int dir, const char *name)
{
    um_autofd fd = -1;
    struct dirent *e;
    bool ok = true;
    int copy;
    DIR *d;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        um_fd_close(&copy);
        return false;
    }
    while ((e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = remove_at(fd, e->d_name) && ok;
    closedir(d);
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 && ok;
}

bool um_remove_tree(const char *path)
{
    return remove_at(AT_FDCWD, path);
}

static bool fsync_directory_of(const char *path)
{
    char *copy = strdup(path);
    um_autofd fd = -1;

    if (!copy)
        return false;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    return fd >= 0 && fsync(fd) == 0;
}

enum um_code um_file_replace(const char *path, const void *data, size_t len, mode_t mode,
                             struct um_error *err)
{
    char *tmp = NULL;
    um_autofd fd = -1;
    bool ok;

    if (asprintf(&tmp, "%s.tmp%d", path, (int)getpid()) < 0)
        return um_fail_errno(err, ENOMEM, path, "cannot write");
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    ok = fd >= 0 && um_fd_write_all(fd, data, len) && fsync(fd) == 0 && rename(tmp, path) == 0 &&
         fsync_directory_of(path);
    if (!ok) {
        int saved = errno;

        unlink(tmp);
        free(tmp);
        return um_fail_errno(err, saved, path, "cannot write");
    }
    free(tmp);
    return UM_OK;
}

enum um_code um_fd_read_all(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
                            struct um_error *err)
{
    size_t len = 0, cap = 4096;
    char *data = malloc(cap);

    while (data) {
        ssize_t n = read(fd, data + len, cap - len - 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;

            free(data);
            return um_fail_errno(err, saved, name, "cannot read");
        }
        len += (size_t)n;
        if (len > max) {
            free(data);
            return um_fail(err, UM_E_INVALID, name, NULL, "larger than %zu bytes", max);
        }
        if (n == 0) {
            data[len] = '\0';
            *ret_data = data;
            if (ret_len)
                *ret_len = len;
            return UM_OK;
        }
        if (cap - len < 2) {
            char *more = realloc(data, cap * 2);

            if (!more)
                free(data);
            data = more;
            cap *= 2;
        }
    }
    return um_fail_errno(err, ENOMEM, name, "cannot read");
}

enum um_code um_file_read(const char *path, size_t max, char **ret_data, size_t *ret_len,
                          struct um_error *err)
{
    um_autofd fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return um_fail_errno(err, errno, path, "cannot open");
    return um_fd_read_all(fd, path, max, ret_data, ret_len, err);
}
