/*
 * What survives the program: a file in memory (tmpfs) that is mapped shared, so that its pages
 * outlive a kill at any moment and nobody has to be asked. Tables of fixed size, used in place.
 *
 * Another version, another boot of the host or anything else that is not understood is not read:
 * the file begins anew.
 */
#ifndef NETD_STATE_H
#define NETD_STATE_H

#include "netd/switch.h"
#include "vmcore/base/error.h"

#include <sys/un.h>

struct netd_state;

/* An old client outside, by which the next umlnetd finds it again. */
struct netd_old_client {
    uint32_t listener; /* umld's id; 0: the port is not one of an old client */
    int32_t pid;
    int64_t start;   /* of the process, clock ticks since boot */
    uint64_t number; /* of the client at its listener; also in the name of its data socket */
    struct sockaddr_un address;
};

/* A port, in the place of its slot. */
struct netd_record {
    uint32_t sequence; /* odd while it is written: not to be believed */
    uint32_t id;       /* umld's, 0: no port */
    uint32_t port;     /* the switch's */
    uint32_t pad;
    struct netd_old_client client;
    struct netd_counters counters; /* the switch counts here: each is one store */
};

/* fd: for reading and writing, of any length; it stays the caller's, and is not needed later. */
enum um_code netd_state_open(int fd, struct netd_state **ret, struct um_error *err)
    um_nonnull(2) um_check;
/* What changes from now on does not outlive the program. */
bool netd_state_freeze(struct netd_state *st) um_nonnull(1) um_check;
void netd_state_free(struct netd_state *st);

/* Whether there was something of an earlier program. */
bool netd_state_kept(const struct netd_state *st) um_nonnull(1);
/* A number that the network's programs share and others do not know. */
uint64_t netd_state_key(const struct netd_state *st) um_nonnull(1);
/* For netd_mac_table_at(), with the entries of netd_switch_config_default. */
void *netd_state_macs(struct netd_state *st) um_nonnull(1);

/* The place of a port of the switch. */
struct netd_record *netd_state_record(struct netd_state *st, uint32_t port) um_nonnull(1);
/* Put a port there; client NULL: none. Counters begin at 0. */
void netd_record_write(struct netd_record *r, uint32_t id, uint32_t port,
                       const struct netd_old_client *client) um_nonnull(1);
void netd_record_clear(struct netd_record *r) um_nonnull(1);

#endif
