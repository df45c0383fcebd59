/*
 * A listening socket of ours in the file system. It replaces what a dead program has left, and
 * never one that somebody serves: the address is tried first, and a lock on `PATH.lock` keeps two
 * that start at once from taking each other's.
 */
#ifndef NETD_SOCKET_FILE_H
#define NETD_SOCKET_FILE_H

#include "vmcore/base/error.h"
#include "vmcore/base/fd.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who may connect: to a socket one needs the right to write. */
struct netd_access {
    mode_t mode; /* of the file, whatever the umask */
    gid_t group; /* (gid_t)-1: that of the process */
};

/* 0660, own group. */
extern const struct netd_access netd_access_default;

struct netd_socket_file {
    char path[UM_SOCKET_PATH_MAX + 1];
    int fd; /* -1: not open; the owner's to watch */
    int lock;
};

#define NETD_SOCKET_FILE_INIT                                                                      \
    (struct netd_socket_file)                                                                      \
    {                                                                                              \
        .fd = -1, .lock = -1                                                                       \
    }

/* Gives a file of ours its group and mode. False with errno set. */
bool netd_access_give(const char *path, const struct netd_access *access) um_nonnull(1, 2) um_check;

/*
 * type: SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM. UM_E_BUSY: somebody serves it; UM_E_EXISTS: a file
 * that is no socket is there; UM_E_INVALID: the path is too long. ret only on success.
 */
enum um_code netd_socket_file_open(const char *path, int type, const struct netd_access *access,
                                   struct netd_socket_file *ret, struct um_error *err)
    um_nonnull(1, 3, 4) um_check;
/* Removes the files. One that is not open is fine. */
void netd_socket_file_close(struct netd_socket_file *f) um_nonnull(1);

#endif
