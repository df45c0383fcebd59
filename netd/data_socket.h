/*
 * The socket that an old client exchanges frames with: one for each client. It is connected to the
 * client before it has a name, so nobody else can ever send to it (the host's kernel answers
 * EPERM), and leaving it unread holds back this client only.
 */
#ifndef NETD_DATA_SOCKET_H
#define NETD_DATA_SOCKET_H

#include "netd/socket_file.h"

#include <stdint.h>
#include <sys/un.h>

/* Room for `/NNN.FD` behind the folder's path. */
enum { NETD_DATA_NAME_MAX = 16 };

/*
 * With an abstract name, made of key and number. Old kernels use such a name as it is, all 108
 * bytes (uml(kernel), daemon_user.c), so it is bound as long as that. client: its address, in the
 * 110 bytes of the protocol. -1 with errno set; ret only on success.
 */
int netd_data_socket_abstract(const struct sockaddr_un *client, uint64_t key, uint64_t number,
                              struct sockaddr_un *ret) um_nonnull(1, 4) um_check;

/*
 * With a file in a folder, as vde_switch(1) has it: `DIR/PPP.FD`. At most 91 bytes of folder, or
 * ENAMETOOLONG. The file is to be removed when the socket is closed.
 */
int netd_data_socket_file(const struct sockaddr_un *client, const char *folder, uint64_t number,
                          const struct netd_access *access, struct sockaddr_un *ret)
    um_nonnull(1, 2, 4, 5) um_check;

/* Without a name, for sending only: nobody can send to it. */
int netd_data_socket_nameless(const struct sockaddr_un *client) um_nonnull(1) um_check;

/* Remove such files that a dead program has left. The caller knows that no other one is alive. */
void netd_data_socket_sweep(const char *folder) um_nonnull(1);

#endif
