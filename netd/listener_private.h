/*
 * Inside of listeners: listener.c (sockets that listen) and listener_client.c (who has come).
 */
#ifndef NETD_LISTENER_PRIVATE_H
#define NETD_LISTENER_PRIVATE_H

#include "netd/listener.h"

struct netd_client;

struct netd_listener {
    struct netd_io *io;
    enum netd_listener_kind kind;
    struct netd_socket_file file;
    struct netd_access access;
    char folder[UM_SOCKET_PATH_MAX + 1]; /* of the vde kind; else empty */
    struct netd_shared *shared;          /* NULL: version 0 is not served */
    struct netd_port_config config;
    bool taken;   /* the socket's file is somebody else's */
    uint64_t key; /* of its data sockets' abstract names */
    uint64_t last_number;
    struct um_watch *watch;
    struct um_timer *pause;      /* armed while no descriptor is to be had */
    struct netd_client *clients; /* youngest first */
    uint32_t pending;
    struct netd_bucket log;
    uint64_t unlogged;
};

struct netd_listener_row {
    const char *name;
    int type;
    bool control;             /* a connection has its frames beside it */
    enum netd_link_kind link; /* else: what it is itself */
};

extern const struct netd_listener_row netd_listener_rows[NETD_LISTENER_KINDS];

/* Somebody has connected: fd is taken. Those that have been silent longest make room. */
void netd_client_add(struct netd_listener *l, int fd) um_nonnull(1);
/* The listener's config has changed. False: not for all. */
bool netd_clients_configure(struct netd_listener *l) um_nonnull(1) um_check;
void netd_clients_end(struct netd_listener *l) um_nonnull(1);

#endif
