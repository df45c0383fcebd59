/*
 * Sockets that links come from. A connection to a `uml` or `vde` listener is the control connection
 * of an old client: its port lives as long as it does, and frames go over a pair of connected
 * datagram sockets beside it. A connection to one of the others is the link itself.
 */
#ifndef NETD_LISTENER_H
#define NETD_LISTENER_H

#include "netd/link.h"
#include "netd/shared_socket.h"
#include "netd/socket_file.h"

struct netd_listener;

enum netd_listener_kind {
    NETD_LISTEN_UML, /* uml_switch protocol, v1 and v3 */
    NETD_LISTEN_VDE, /* the same in a folder, as vde_switch(1): `ctl`, data sockets beside it */
    NETD_LISTEN_SEQPACKET, /* `vecN:transport=bess,dst=PATH` */
    NETD_LISTEN_STREAM2,
    NETD_LISTEN_STREAM4,
    NETD_LISTENER_KINDS
};

const char *netd_listener_kind_name(enum netd_listener_kind kind);
bool netd_listener_kind_from_name(const char *name, enum netd_listener_kind *ret)
    um_nonnull(1, 2) um_check;

/*
 * Listen at path; a socket file that nobody listens at any more is replaced. For `vde` path is a
 * folder, which is made if need be, with the mode that vde_switch(1) gives it for the same access.
 * config is that of its ports; the name gets a number. Owned by the caller, as are all links that
 * come from it.
 */
enum um_code netd_listener_new(struct netd_io *io, enum netd_listener_kind kind, const char *path,
                               const struct netd_access *access,
                               const struct netd_port_config *config, struct netd_listener **ret,
                               struct um_error *err) um_nonnull(1, 3, 4, 5, 6) um_check;
/* Serve version 0 of the uml_switch protocol as well: its frames come by the shared socket, which
 * stays the caller's, and must outlive the listener. */
void netd_listener_serve_v0(struct netd_listener *l, struct netd_shared *shared) um_nonnull(1, 2);
/* Ends its ports, too, and removes the socket file. NULL is fine. */
void netd_listener_free(struct netd_listener *l);

#endif
