#include "netd/data_socket.h"

#include "vmcore/base/fd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int connected(const struct sockaddr_un *client)
{
    um_autofd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int taken;

    if (fd < 0 || connect(fd, (const struct sockaddr *)client, sizeof(*client)) != 0)
        return -1;
    taken = fd;
    fd = -1;
    return taken;
}

/* Closes fd on failure, and keeps errno. */
static int bound(int fd, const struct sockaddr_un *name)
{
    int errnum;

    if (bind(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
        return fd;
    errnum = errno;
    um_fd_close(&fd);
    errno = errnum;
    return -1;
}

int netd_data_socket_nameless(const struct sockaddr_un *client)
{
    return connected(client);
}

int netd_data_socket_abstract(const struct sockaddr_un *client, uint64_t key, uint64_t number,
                              struct sockaddr_un *ret)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = connected(client);

    snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "umlnetd/%016llx/%llu",
             (unsigned long long)key, (unsigned long long)number);
    if (fd >= 0)
        fd = bound(fd, &name);
    if (fd >= 0)
        *ret = name;
    return fd;
}

int netd_data_socket_file(const struct sockaddr_un *client, const char *folder, uint64_t number,
                          const struct netd_access *access, struct sockaddr_un *ret)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(folder) + NETD_DATA_NAME_MAX > UM_SOCKET_PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = connected(client);
    /* The descriptor makes it unique; the rest is for people. */
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/%03u.%d", folder, (unsigned)(number % 1000),
             fd);
    if (fd >= 0)
        fd = bound(fd, &name);
    if (fd < 0)
        return -1;
    if (!netd_access_give(name.sun_path, access)) {
        unlink(name.sun_path);
        um_fd_close(&fd);
        return -1;
    }
    *ret = name;
    return fd;
}

/* `NNN.N…` */
static bool is_data_name(const char *name)
{
    size_t len = strlen(name);

    if (len < 5 || name[3] != '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (i != 3 && !isdigit((unsigned char)name[i]))
            return false;
    }
    return true;
}

void netd_data_socket_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    struct stat st;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        if (is_data_name(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISSOCK(st.st_mode))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}
