/*
 * Descriptors: ownership, passing them over sockets, unix sockets by path, small files.
 */
#ifndef VMCORE_BASE_FD_H
#define VMCORE_BASE_FD_H

#include "vmcore/base/error.h"
#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Longest path that fits sockaddr_un with its NUL: sun_path is 108 bytes. */
#define UM_SOCKET_PATH_MAX 107

void um_fd_close(int *fd); /* closes when >= 0 and sets to -1; for um_cleanup() too */
#define um_autofd um_cleanup(um_fd_close) int

bool um_fd_set_cloexec(int fd, bool on) um_check;
bool um_fd_set_nonblock(int fd, bool on) um_check;

/* All of len bytes, retrying on EINTR and short writes. False with errno set on failure. */
bool um_fd_write_all(int fd, const void *data, size_t len) um_nonnull(2) um_check;

/*
 * Send one datagram (SEQPACKET/DGRAM) with up to one descriptor (-1: none), never blocking, never
 * SIGPIPE. False with errno set on failure.
 */
bool um_fd_send(int sock, const void *data, size_t len, int fd) um_nonnull(2) um_check;
/* With those of fds that are not -1, in their order; count at most UM_FD_SEND_MAX. */
enum { UM_FD_SEND_MAX = 8 };
bool um_fd_send_many(int sock, const void *data, size_t len, const int *fds, size_t count)
    um_nonnull(2) um_check;

/*
 * Receive one datagram. Returns its length, 0 on end of file, -1 with errno set.
 * ret_fd (may be NULL): received descriptor, CLOEXEC, or -1; surplus descriptors are closed.
 * ret_pid (may be NULL): sender's pid in our pid namespace if SO_PASSCRED is set, else 0.
 * A datagram longer than size gives -1 with EMSGSIZE.
 */
ssize_t um_fd_receive(int sock, void *data, size_t size, int *ret_fd, pid_t *ret_pid) um_nonnull(2);
/* ret_fds: count of them, filled from the first one on, the others -1. */
ssize_t um_fd_receive_many(int sock, void *data, size_t size, int *ret_fds, size_t count,
                           pid_t *ret_pid) um_nonnull(2);

/*
 * Unix sockets on a path. type: SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM. All CLOEXEC and
 * non-blocking. An existing *socket* at path is unlinked first by um_unix_listen. Paths over
 * UM_SOCKET_PATH_MAX give UM_E_INVALID naming the limit. On success *ret_fd is owned by the caller.
 */
enum um_code um_unix_listen(const char *path, int type, mode_t mode, int *ret_fd,
                            struct um_error *err) um_nonnull(1, 4) um_check;
enum um_code um_unix_connect(const char *path, int type, int *ret_fd, struct um_error *err)
    um_nonnull(1, 3) um_check;

/* Create directory (and its parents) with mode; fine if it is there. */
enum um_code um_mkdir_parents(const char *path, mode_t mode, struct um_error *err)
    um_nonnull(1) um_check;

/* Remove a directory tree without following symlinks; missing is fine. False with errno set. */
bool um_remove_tree(const char *path) um_nonnull(1);

/*
 * Replace path by content: temporary file in the same directory, fsync, rename, fsync of the
 * directory. Either the old or the whole new content is there after a crash.
 */
enum um_code um_file_replace(const char *path, const void *data, size_t len, mode_t mode,
                             struct um_error *err) um_nonnull(1, 2) um_check;

/* Whole file, NUL terminated, at most max bytes (more: UM_E_INVALID). Caller frees *ret_data. */
enum um_code um_file_read(const char *path, size_t max, char **ret_data, size_t *ret_len,
                          struct um_error *err) um_nonnull(1, 3) um_check;
/* The same for what is open already, until its end; name is for messages. fd stays the caller's. */
enum um_code um_fd_read_all(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
                            struct um_error *err) um_nonnull(2, 4) um_check;

#endif
