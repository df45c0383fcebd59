/*
 * The one socket that all clients of version 0 of the uml_switch protocol send to, since they are
 * told no address of their own. Who has sent a frame is known by its address; frames of those who
 * have not registered are dropped and counted. What goes to a client goes by a link of its own.
 *
 * Holding back one of them holds back all, for as long as the switch allows (netd/switch.h).
 */
#ifndef NETD_SHARED_SOCKET_H
#define NETD_SHARED_SOCKET_H

#include "netd/link.h"
#include "netd/socket_file.h"

#include <sys/un.h>

struct netd_shared;
struct netd_member;

/* At path, as netd_socket_file_open(). Owned by the caller. */
enum um_code netd_shared_new(struct netd_io *io, const char *path, const struct netd_access *access,
                             struct netd_shared **ret, struct um_error *err)
    um_nonnull(1, 2, 3, 4) um_check;
/* Members must be gone. NULL is fine. */
void netd_shared_free(struct netd_shared *s);

/*
 * Frames from address are those of link's port from now on, also if somebody else has registered
 * it before. Leave before the link is freed. NULL: no memory.
 */
struct netd_member *netd_shared_join(struct netd_shared *s, const struct sockaddr_un *address,
                                     struct netd_link *link) um_nonnull(1, 2, 3) um_check;
void netd_shared_leave(struct netd_member *m); /* NULL is fine */

/* Frames of those who are not registered. */
uint64_t netd_shared_strangers(const struct netd_shared *s) um_nonnull(1);

#endif
