#include "mconsole/main_process.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"
#include "vmcore/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PID_FILE_MAX = 32, SOCKETS_MAX = 4096 };

enum um_code mconsole_pid_of(const char *socket, pid_t *ret, struct um_error *err)
{
    char path[PATH_MAX];
    const char *slash = strrchr(socket, '/');
    char *text = NULL;
    enum um_code code;
    int64_t pid = 0;
    bool ok;

    snprintf(path, sizeof(path), "%.*spid", slash ? (int)(slash + 1 - socket) : 0, socket);
    code = um_file_read(path, PID_FILE_MAX, &text, NULL, err);
    if (code)
        return code;
    text[strcspn(text, "\n")] = '\0';
    ok = um_parse_int(text, 1, INT_MAX, &pid) && pid != getpid();
    free(text);
    if (!ok)
        return um_fail(err, UM_E_INVALID, path, NULL, "holds no process id of a kernel");
    *ret = (pid_t)pid;
    return UM_OK;
}

struct inodes {
    unsigned long v[SOCKETS_MAX];
    size_t n;
};

/* Inode numbers of a process's open sockets. */
static void read_sockets(pid_t pid, struct inodes *ret)
{
    char path[64], target[64];
    struct dirent *entry;
    DIR *d;

    ret->n = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    d = opendir(path);
    while (d && ret->n < SOCKETS_MAX && (entry = readdir(d))) {
        ssize_t len = readlinkat(dirfd(d), entry->d_name, target, sizeof(target) - 1);

        if (len <= 0)
            continue;
        target[len] = '\0';
        if (sscanf(target, "socket:[%lu]", &ret->v[ret->n]) == 1)
            ret->n++;
    }
    if (d)
        closedir(d);
}

static bool has_inode(const struct inodes *sockets, unsigned long inode)
{
    for (size_t i = 0; i < sockets->n; i++)
        if (sockets->v[i] == inode)
            return true;
    return false;
}

/* Is the file the process bound as path (in its own view of the file system) this one? */
static bool is_bound_to(pid_t pid, const char *path, const struct stat *wanted)
{
    char full[PATH_MAX];
    struct stat st;

    snprintf(full, sizeof(full), "/proc/%d/%s%s", (int)pid, path[0] == '/' ? "root" : "cwd/", path);
    return stat(full, &st) == 0 && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

/* unix(7), /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path. */
static bool holds_socket(pid_t pid, const struct stat *wanted)
{
    struct inodes *sockets = malloc(sizeof(*sockets));
    char path[64], line[512], bound[256];
    unsigned long inode;
    bool found = false;
    FILE *f;

    if (!sockets)
        return false;
    read_sockets(pid, sockets);
    snprintf(path, sizeof(path), "/proc/%d/net/unix", (int)pid);
    f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f))
        found = sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %255[^\n]", &inode, bound) == 2 &&
                has_inode(sockets, inode) && is_bound_to(pid, bound, wanted);
    if (f)
        fclose(f);
    free(sockets);
    return found;
}

static bool has_ended(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

enum um_code mconsole_main_pidfd(const char *socket, int *ret_pidfd, struct um_error *err)
{
    um_autofd pidfd = -1;
    enum um_code code;
    struct stat st;
    pid_t pid = 0;

    code = mconsole_pid_of(socket, &pid, err);
    if (code)
        return code;
    if (stat(socket, &st) < 0)
        return um_fail_errno(err, errno, socket, "cannot look at the socket");
    pidfd = um_pidfd_open(pid);
    /* While it has not ended, the number and so /proc/PID is this process's. */
    if (pidfd < 0 || !holds_socket(pid, &st) || has_ended(pidfd))
        return um_fail(err, UM_E_NOT_FOUND, socket, NULL,
                       "process %d, which the pid file names, is not this kernel (it has ended, is "
                       "another user's, or lives in another pid namespace)",
                       (int)pid);
    *ret_pidfd = pidfd;
    pidfd = -1;
    return UM_OK;
}
