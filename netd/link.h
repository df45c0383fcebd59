/*
 * Links: a socket that is a port of the switch.
 *
 * Message links: one datagram is one frame, no header (uml(kernel), vector_transports.c for `bess`
 * and `fd`, daemon_user.c for `daemon`). Stream links: a length, most significant byte first, then
 * the frame: two bytes long as vde_plug(1) writes it, or four as QEMU's `-netdev stream`.
 *
 * Tap links: one read or write of the device is one frame.
 */
#ifndef NETD_LINK_H
#define NETD_LINK_H

#include "netd/io.h"

enum netd_link_kind {
    NETD_LINK_SEQPACKET, /* ends when the peer closes */
    NETD_LINK_DATAGRAM,  /* connected; whoever made it knows when it ends */
    NETD_LINK_STREAM2,
    NETD_LINK_STREAM4,
    NETD_LINK_TAP, /* descriptor of a tap device; ends when the device goes */
    NETD_LINK_KINDS
};

/*
 * The peer has closed, or has said what cannot be understood: reason, for people, or NULL if it has
 * just closed. Called once, in the after-phase; the owner frees the link, here or later.
 */
typedef void (*netd_link_closed_fn)(void *arg, const char *reason);

/*
 * Make fd a port; fd becomes the link's, also if that fails. NULL: no port is free, or no memory.
 * config as for netd_switch_add().
 */
struct netd_link *netd_link_new(struct netd_io *io, int fd, enum netd_link_kind kind,
                                const struct netd_port_config *config, netd_link_closed_fn closed,
                                void *arg) um_nonnull(1, 4, 5) um_check;
/* Ends the port at once; the memory goes in the after-phase, so it may be called from anywhere but
 * the switch's own calls. NULL is fine. */
void netd_link_free(struct netd_link *link);

/*
 * Its frames are read by somebody else, who gives them to the switch: the link only sends. watch is
 * what netd_link_ops.watch_input() is, and is not called for a link that is freed.
 */
typedef void (*netd_link_watch_fn)(void *arg, bool on);
void netd_link_fed(struct netd_link *link, netd_link_watch_fn watch, void *arg) um_nonnull(1, 2);

uint32_t netd_link_port(const struct netd_link *link) um_nonnull(1);

#endif
