/*
 * `umlnetd --managed NETWORK`: the parts and what they share. umld tells the configuration over
 * control connections (control.c; what may be asked is the table in requests.c), umlmon offers
 * links (offers.c), ports.c brings the two together.
 */
#ifndef NETD_MANAGED_H
#define NETD_MANAGED_H

#include "netd/io.h"
#include "netd/listener.h"
#include "netd/proto.h"
#include "netd/state.h"

enum { NETD_LISTENERS_MAX = 16, NETD_REQUEST_FDS = 2 };

struct netd_control;
struct netd_offers;

/* A port that umld has configured: a port of the switch, with or without link. */
struct netd_managed_port {
    uint32_t id;         /* umld's; 0: none */
    uint32_t port;       /* the switch's */
    uint32_t generation; /* of the configuration that has named it last */
    char guest[NETD_NAME_MAX];
    char device[NETD_DEVICE_MAX];
    struct netd_ctl_policy policy;
    struct netd_offer *offer; /* whose link it has; NULL: it has none */
};

/* Old clients and others that come by themselves. */
struct netd_managed_listener {
    struct netd_ctl_listen said; /* id 0: the place is free */
    uint32_t generation;
    int fd; /* the listener's; to be handed to umld */
    struct netd_listener *listener;
};

struct netd_managed {
    char name[NETD_NAME_MAX];
    int64_t start_wall_ns;
    struct um_loop *loop;
    struct netd_state *state;
    struct netd_switch *sw;
    struct netd_io io;
    bool io_ready;
    struct netd_ctl_network network;
    uint32_t generation;
    bool going;
    bool ending; /* a HANDOVER is under way */
    struct um_timer *end;
    struct um_timer *links_back;                      /* armed while links are waited for */
    struct netd_managed_port *ports[NETD_PORT_SLOTS]; /* in the place of the switch's slot */
    struct netd_managed_listener listeners[NETD_LISTENERS_MAX];
    struct netd_control *control;
    struct netd_offers *offers;
};

/* Serve until SIGTERM or HANDOVER, with the descriptors of netd/proto.h. Returns the exit status.
 */
int netd_managed_program(const char *network) um_nonnull(1) um_check;
/* Read nothing more, send what waits, end. */
void netd_managed_end(struct netd_managed *m) um_nonnull(1);

/*
 * ports.c. What fails returns an errno, with *why for people.
 */

/* Those of the program before this one, without link, until GO tells which of them remain. */
void netd_ports_restore(struct netd_managed *m) um_nonnull(1);
/* Whether it has a link, for the program after this one. */
void netd_ports_set_up(struct netd_managed *m, const struct netd_managed_port *p, bool up)
    um_nonnull(1, 2);
/*
 * Links of the program before this one come back one by one. What is for one that is not back yet
 * waits, so that who came first loses nothing; not for ever.
 */
void netd_ports_stop_waiting(struct netd_managed *m) um_nonnull(1);
int netd_ports_put(struct netd_managed *m, const struct netd_ctl_port *said, const char **why)
    um_nonnull(1, 2, 3) um_check;
int netd_ports_drop(struct netd_managed *m, uint32_t id) um_nonnull(1) um_check;
/* The network has changed: what ports have of it, too. */
int netd_ports_refresh(struct netd_managed *m, const char **why) um_nonnull(1, 2) um_check;
/* All that the present configuration has not named, or (all true) all. */
void netd_ports_sweep(struct netd_managed *m, bool all) um_nonnull(1);
struct netd_managed_port *netd_ports_by_id(struct netd_managed *m, uint32_t id) um_nonnull(1);
struct netd_managed_port *netd_ports_by_name(struct netd_managed *m, const char *guest,
                                             const char *device) um_nonnull(1, 2, 3);
/* umld's id of a port of the switch; those of listeners: from 0x80000000 up. */
uint32_t netd_ports_id_of(const struct netd_managed *m, uint32_t port) um_nonnull(1);

/*
 * offers.c: the links that umlmon holds.
 */
struct netd_offers *netd_offers_new(struct netd_managed *m, int listening) um_nonnull(1) um_check;
void netd_offers_free(struct netd_offers *o);
/* Take offers from now on, or not any more. */
void netd_offers_watch(struct netd_offers *o, bool on) um_nonnull(1);
/* The port is going: its link, too. */
void netd_offer_end(struct netd_offer *offer, const char *why) um_nonnull(1, 2);

/*
 * control.c: umld's connections.
 */
struct netd_control *netd_control_new(struct netd_managed *m, int listening) um_nonnull(1) um_check;
void netd_control_free(struct netd_control *c);
/* Tell all of the state. */
void netd_control_state(struct netd_control *c) um_nonnull(1);
/* Tell all of an event; within limits: guests make them. port: umld's id. */
void netd_control_event(struct netd_control *c, enum netd_ctl_event_kind kind, uint32_t port,
                        const char *name, const char *text) um_nonnull(1, 4, 5);

/*
 * requests.c: one request, decoded and checked by its row.
 */
struct netd_request {
    uint16_t type;
    size_t len;
    const void *body;
    int *fds; /* NETD_REQUEST_FDS, -1: none; taken by whoever sets them to -1 */
};

struct netd_answer {
    struct netd_ctl_reply reply;
    uint8_t data[NETD_CTL_MAX - sizeof(struct netd_ctl_header) - sizeof(struct netd_ctl_reply)];
    size_t len;
};

void netd_request_do(struct netd_managed *m, struct netd_request *r, struct netd_answer *ret)
    um_nonnull(1, 2, 3);

/* lists.c: PORTS and MACS, from a cursor on. */
void netd_list_ports(struct netd_managed *m, uint32_t from, struct netd_answer *ret)
    um_nonnull(1, 3);
void netd_list_macs(struct netd_managed *m, uint32_t from, struct netd_answer *ret)
    um_nonnull(1, 3);

/* managed_listen.c: LISTEN. */
int netd_listen_put(struct netd_managed *m, const struct netd_ctl_listen *said, int fds[2],
                    const char **why) um_nonnull(1, 2, 3, 4) um_check;
int netd_listen_refresh(struct netd_managed *m, const char **why) um_nonnull(1, 2) um_check;
void netd_listen_sweep(struct netd_managed *m, bool all) um_nonnull(1);

#endif
