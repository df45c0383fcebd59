#include "vmcore/base/nsmount.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the copy ---- */

static int copy_mount(const char *path, unsigned flags)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    int fd;

    if (!(flags & UM_NSMOUNT_DEVICE))
        attr.attr_set |= MOUNT_ATTR_NODEV;
    if (flags & UM_NSMOUNT_READ_ONLY)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (unshare(CLONE_NEWNS) < 0 && (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0))
        return -1;
    fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0 ? fd : -1;
}

/* By a process of its own: in the namespace it has to be made in, there is no way to the other. */
static int take_copy(const char *path, unsigned flags, int *ret)
{
    int sockets[2], errnum = EPIPE;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return errno;
    pid = fork();
    if (pid == 0) {
        int fd = copy_mount(path, flags);

        errnum = fd < 0 ? errno : 0;
        _exit(!um_fd_send(sockets[1], &errnum, sizeof(errnum), fd));
    }
    if (pid < 0)
        errnum = errno;
    close(sockets[1]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    /* What it sent is there by now. */
    if (pid > 0 && um_fd_receive(sockets[0], &errnum, sizeof(errnum), ret, NULL) != sizeof(errnum))
        errnum = EPIPE;
    close(sockets[0]);
    return errnum;
}

/* ---- in the namespace ---- */

static int enter(int ns)
{
    um_autofd user = ioctl(ns, NS_GET_USERNS);

    return user < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(ns, CLONE_NEWNS) < 0 ? errno : 0;
}

static int open_plain(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_PATH | O_NOFOLLOW | O_CLOEXEC),
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static dev_t device_of(int dir, const char *path)
{
    struct stat st;

    return fstatat(dir, path, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_dev;
}

/* Its mount may be read-only: a copy of that, with dir as its root, is not. */
static int open_writable(int dir)
{
    struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
    int fd = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

    if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        um_fd_close(&fd);
    return fd;
}

/* Is it on one of the file systems that are the sandbox's own? */
static bool is_own(int dir)
{
    static const char *const places[] = {"/", "/tmp", "/dev"};
    dev_t device = device_of(dir, "");

    for (size_t i = 0; i < UM_ARRAY_LEN(places); i++)
        if (device_of(AT_FDCWD, places[i]) == device)
            return true;
    return false;
}

static int make_place(int dir, const char *name, bool directory)
{
    um_autofd writable = is_own(dir) ? open_writable(dir) : (errno = EXDEV, -1), fd = -1;

    if (writable < 0)
        return errno;
    if (directory)
        return mkdirat(writable, name, 0755) < 0 ? errno : 0;
    fd = openat(writable, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    return fd < 0 ? errno : 0;
}

/* The directory of path, which is modified: *ret_name is what is left. */
static int walk(char *path, bool make, int *ret_dir, const char **ret_name)
{
    int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), errnum = dir < 0 ? errno : 0;
    char *name = path + 1, *slash;

    while (!errnum && (slash = strchr(name, '/'))) {
        int next;

        *slash = '\0';
        next = open_plain(dir, name, O_DIRECTORY);
        if (next < 0 && errno == ENOENT && make) {
            errnum = make_place(dir, name, true);
            next = errnum ? -1 : open_plain(dir, name, O_DIRECTORY);
        }
        if (next < 0 && !errnum)
            errnum = errno;
        *slash = '/';
        um_fd_close(&dir);
        dir = next;
        name = slash + 1;
    }
    *ret_dir = dir;
    *ret_name = name;
    return errnum;
}

static int place(int tree, char *path)
{
    um_autofd dir = -1, there = -1;
    const char *name;
    struct stat st;
    int errnum = walk(path, true, &dir, &name);

    if (errnum)
        return errnum;
    there = open_plain(dir, name, 0);
    if (there < 0 && errno == ENOENT) {
        errnum = make_place(dir, name, false);
        there = errnum ? -1 : open_plain(dir, name, 0);
    }
    if (there < 0)
        return errnum ? errnum : errno;
    if (fstat(there, &st) < 0 || !S_ISREG(st.st_mode))
        return EXDEV; /* something else, and not ours */
    return move_mount(tree, "", there, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? errno
               : 0;
}

static int copy_path(const char *path, char buf[PATH_MAX])
{
    if (path[0] != '/')
        return EINVAL;
    return snprintf(buf, PATH_MAX, "%s", path) < PATH_MAX ? 0 : ENAMETOOLONG;
}

int um_nsmount_add(int ns, const char *path, unsigned flags)
{
    char buf[PATH_MAX];
    um_autofd tree = -1;
    int errnum = copy_path(path, buf);

    if (!errnum)
        errnum = take_copy(path, flags, &tree);
    if (!errnum)
        errnum = enter(ns);
    umask(0);
    return errnum ? errnum : place(tree, buf);
}

int um_nsmount_remove(int ns, const char *path)
{
    char buf[PATH_MAX];
    um_autofd dir = -1;
    const char *name = NULL;
    int errnum = copy_path(path, buf);

    if (!errnum)
        errnum = enter(ns);
    if (!errnum)
        errnum = walk(buf, false, &dir, &name);
    if (!errnum && (fchdir(dir) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0))
        errnum = errno;
    return errnum == EINVAL || errnum == ENOENT ? 0 : errnum;
}
