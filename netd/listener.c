#include "netd/listener_private.h"

#include "netd/data_socket.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_RATE = 2, /* lines a second about clients, which are free to make them */
    LOG_BURST = 20,
    ACCEPTS = 16 /* before others get their turn */
};
#define ACCEPT_PAUSE_NS (100 * UM_MS_NS)

const struct netd_listener_row netd_listener_rows[NETD_LISTENER_KINDS] = {
    [NETD_LISTEN_UML] = {"uml", SOCK_STREAM, true, NETD_LINK_DATAGRAM},
    [NETD_LISTEN_VDE] = {"vde", SOCK_STREAM, true, NETD_LINK_DATAGRAM},
    [NETD_LISTEN_SEQPACKET] = {"seqpacket", SOCK_SEQPACKET, false, NETD_LINK_SEQPACKET},
    [NETD_LISTEN_STREAM2] = {"stream2", SOCK_STREAM, false, NETD_LINK_STREAM2},
    [NETD_LISTEN_STREAM4] = {"stream4", SOCK_STREAM, false, NETD_LINK_STREAM4},
};

const char *netd_listener_kind_name(enum netd_listener_kind kind)
{
    return netd_listener_rows[kind].name;
}

bool netd_listener_kind_from_name(const char *name, enum netd_listener_kind *ret)
{
    for (int i = 0; i < NETD_LISTENER_KINDS; i++) {
        if (strcmp(netd_listener_rows[i].name, name) == 0) {
            *ret = (enum netd_listener_kind)i;
            return true;
        }
    }
    return false;
}

static void on_connection(int listening, um_unused unsigned ready, void *arg)
{
    struct netd_listener *l = arg;

    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            netd_client_add(l, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            um_log(UM_LOG_WARNING, "listener %s: cannot accept: %s", l->file.path, strerror(errno));
            um_watch_set(l->watch, 0);
            um_timer_arm(l->pause, ACCEPT_PAUSE_NS);
        }
        return;
    }
}

static void on_pause_over(void *arg)
{
    struct netd_listener *l = arg;

    um_watch_set(l->watch, UM_READ);
}

static enum um_code listen_at(struct netd_listener *l, const char *path, struct um_error *err)
{
    return netd_socket_file_open(path, netd_listener_rows[l->kind].type, &l->access, &l->file, err);
}

/* Room is left for the names of data sockets, so that no client meets the limit. As vde_switch(1):
 * whoever may use the socket may enter the folder, and files in it get its group. */
static enum um_code listen_in(struct netd_listener *l, const char *path, struct um_error *err)
{
    size_t limit = UM_SOCKET_PATH_MAX - NETD_DATA_NAME_MAX;
    struct netd_access access = l->access;
    char control[UM_SOCKET_PATH_MAX + 1];
    enum um_code code;

    if (strlen(path) > limit)
        return um_fail(err, UM_E_INVALID, path, NULL,
                       "longer than the %zu bytes of a socket folder's path", limit);
    snprintf(control, sizeof(control), "%s/ctl", path);
    code = um_mkdir_parents(path, 0700, err);
    if (code == UM_OK)
        code = listen_at(l, control, err);
    if (code != UM_OK)
        return code;
    snprintf(l->folder, sizeof(l->folder), "%s", path);
    access.mode |= 02700 | (access.mode & 0444) >> 2;
    if (!netd_access_give(path, &access))
        return um_fail_errno(err, errno, path, "cannot set its group and mode");
    netd_data_socket_sweep(path);
    return UM_OK;
}

static enum um_code watch_listener(struct netd_listener *l, struct um_error *err)
{
    l->watch = um_watch_new(l->io->loop, l->file.fd, UM_READ, on_connection, l);
    l->pause = um_timer_new(l->io->loop, on_pause_over, l);
    if (l->watch && l->pause)
        return UM_OK;
    return um_fail(err, UM_E_NO_RESOURCES, l->file.path, NULL, "no memory");
}

static struct netd_listener *make(struct netd_io *io, enum netd_listener_kind kind,
                                  const struct netd_port_config *config)
{
    struct netd_listener *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->io = io;
    l->kind = kind;
    l->config = *config;
    l->file = NETD_SOCKET_FILE_INIT;
    l->log = (struct netd_bucket){.rate = LOG_RATE, .burst = LOG_BURST};
    return l;
}

/* Ends in ret or nowhere. */
static enum um_code finish(struct netd_listener *l, enum um_code code, struct netd_listener **ret,
                           struct um_error *err)
{
    if (code == UM_OK)
        code = watch_listener(l, err);
    if (code == UM_OK)
        *ret = l;
    else
        netd_listener_free(l);
    return code;
}

enum um_code netd_listener_new(struct netd_io *io, enum netd_listener_kind kind, const char *path,
                               const struct netd_access *access,
                               const struct netd_port_config *config, struct netd_listener **ret,
                               struct um_error *err)
{
    struct netd_listener *l = make(io, kind, config);
    enum um_code code;

    if (!l)
        return um_fail(err, UM_E_NO_RESOURCES, path, NULL, "no memory");
    l->access = *access;
    if (getrandom(&l->key, sizeof(l->key), 0) != sizeof(l->key))
        code = um_fail_errno(err, errno, path, "no random numbers");
    else
        code = kind == NETD_LISTEN_VDE ? listen_in(l, path, err) : listen_at(l, path, err);
    return finish(l, code, ret, err);
}

static bool listens(int fd, int type)
{
    int got_type = -1, listening = 0;
    socklen_t len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &got_type, &len) == 0 && got_type == type &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* Clients are told paths in the folder: it must be an absolute one. */
static enum um_code find_folder(struct netd_listener *l, int fd, struct um_error *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(name);
    size_t end;

    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0)
        return um_fail_errno(err, errno, l->config.name, "the socket has no name");
    end = strnlen(name.sun_path, sizeof(name.sun_path));
    while (end && name.sun_path[end - 1] != '/')
        end--;
    if (name.sun_path[0] != '/' || end < 2 || end - 1 > UM_SOCKET_PATH_MAX - NETD_DATA_NAME_MAX)
        return um_fail(err, UM_E_INVALID, l->config.name, NULL,
                       "the socket must be bound in a folder, by its absolute path of at most %d "
                       "bytes",
                       UM_SOCKET_PATH_MAX - NETD_DATA_NAME_MAX);
    snprintf(l->folder, sizeof(l->folder), "%.*s", (int)(end - 1), name.sun_path);
    return UM_OK;
}

enum um_code netd_listener_take(struct netd_io *io, enum netd_listener_kind kind, int fd,
                                uint64_t key, const struct netd_port_config *config,
                                struct netd_listener **ret, struct um_error *err)
{
    struct netd_listener *l;
    enum um_code code = UM_OK;

    if (!listens(fd, netd_listener_rows[kind].type))
        return um_fail(err, UM_E_INVALID, config->name, NULL,
                       "no listening socket of the type that the kind has");
    l = make(io, kind, config);
    if (!l)
        return um_fail(err, UM_E_NO_RESOURCES, config->name, NULL, "no memory");
    l->access = netd_access_default;
    l->key = key;
    l->taken = true;
    if (kind == NETD_LISTEN_VDE)
        code = find_folder(l, fd, err);
    l->file.fd = code == UM_OK ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (code == UM_OK && (l->file.fd < 0 || !um_fd_set_nonblock(l->file.fd, true)))
        code = um_fail_errno(err, errno, config->name, "cannot use the socket");
    return finish(l, code, ret, err);
}

bool netd_listener_configure(struct netd_listener *l, const struct netd_port_config *config)
{
    l->config = *config;
    return netd_clients_configure(l);
}

void netd_listener_serve_v0(struct netd_listener *l, struct netd_shared *shared)
{
    l->shared = shared;
}

void netd_listener_free(struct netd_listener *l)
{
    if (!l)
        return;
    netd_clients_end(l);
    um_watch_free(l->watch);
    um_timer_free(l->pause);
    if (l->taken)
        um_fd_close(&l->file.fd);
    if (l->folder[0] && l->file.fd >= 0) {
        netd_socket_file_close(&l->file);
        rmdir(l->folder); /* stays when clients have left files in it */
    }
    netd_socket_file_close(&l->file);
    free(l);
}
