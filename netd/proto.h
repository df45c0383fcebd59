/*
 * umld <-> umlnetd, SEQPACKET on R/n/NETWORK/ctl. One message a datagram: header, then a fixed
 * struct by type (or, for lists, several of one). Both ends check magic, version and exact size.
 * umlnetd serves several connections in turn (a new daemon after a crash) and never waits for one:
 * a connection whose socket is full is closed. No message names a path: sockets, files and pipes
 * come as descriptors.
 *
 * A configuration is always told whole: NETWORK, then LISTEN, PORT and MAC_FIX for all there are,
 * then GO. What umlnetd still has of before and was not named since NETWORK ends at GO. Until its
 * first GO umlnetd takes no link. Between, single changes need no GO.
 */
#ifndef NETD_PROTO_H
#define NETD_PROTO_H

#include <stdint.h>

/* Descriptors that `umlnetd --managed NETWORK` is started with. */
enum {
    NETD_CTL_FD = 3,   /* listening, bound by umld to R/n/NETWORK/ctl */
    NETD_LINKS_FD = 4, /* listening, bound by umld to R/n/NETWORK/links; see netd/offer.h */
    NETD_STATE_FD = 5  /* R/n/NETWORK/state: what survives it; empty when new */
};

#define NETD_CTL_MAGIC   0x756d6e64u /* "umnd" */
#define NETD_CTL_VERSION 1
enum {
    NETD_CTL_MAX = 32768, /* bytes of one message, header included */
    NETD_NAME_MAX = 64,   /* a guest or a network, NUL included */
    NETD_DEVICE_MAX = 16, /* `vec0` */
    NETD_CTL_SOURCES = 8, /* prefixes of each family; as NETD_GUARD_SOURCES */
    NETD_CTL_DROPS = 32,  /* places for counters by reason, in the order of netd/drop.h */
    NETD_CTL_TEXT = 160
};

enum netd_ctl_type {
    /* umlnetd -> umld */
    NETD_CTL_STATE = 1, /* struct netd_ctl_state and the descriptors of CTL and LINKS: first on a
                           connection, and without them after each GO */
    NETD_CTL_REPLY = 2, /* struct netd_ctl_reply, then what the request asks for */
    NETD_CTL_EVENT = 3, /* struct netd_ctl_event; at most 20 a second, then the next has a count */
    NETD_CTL_LISTENER = 4, /* struct netd_ctl_listen and its descriptor: one for each that there is,
                              behind the first STATE, so that a new daemon can keep it */

    /* umld -> umlnetd; each gets one REPLY */
    NETD_CTL_NETWORK = 16,    /* struct netd_ctl_network */
    NETD_CTL_LISTEN = 17,     /* struct netd_ctl_listen and a listening socket; without one: the
                                 listener with that id as it is */
    NETD_CTL_PORT = 18,       /* struct netd_ctl_port: a new one, or changed live */
    NETD_CTL_PORT_DROP = 19,  /* struct netd_ctl_id */
    NETD_CTL_MAC_FIX = 20,    /* struct netd_ctl_mac */
    NETD_CTL_MAC_FORGET = 21, /* struct netd_ctl_mac; port is not looked at. ENOENT */
    NETD_CTL_GO = 22,         /* empty */
    NETD_CTL_PORTS = 23,      /* struct netd_ctl_id: from this cursor (0: the first). Reply: as many
                                 struct netd_ctl_port_info as fit */
    NETD_CTL_MACS = 24,       /* struct netd_ctl_id: the same with struct netd_ctl_mac_info */
    NETD_CTL_HANDOVER = 25,   /* empty: stop reading, send what waits for 100 ms at most, end */
    NETD_CTL_CAPTURE = 26,    /* struct netd_ctl_capture and a file or pipe (netd/capture.h) */
    NETD_CTL_CAPTURE_END = 27, /* struct netd_ctl_id: the number that CAPTURE was answered with */
    NETD_CTL_MIRROR = 28,      /* struct netd_ctl_mirror */
    NETD_CTL_IMPAIR = 29       /* struct netd_ctl_impair */
};

struct netd_ctl_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t serial; /* chosen by umld, echoed in REPLY; 0 in unasked messages */
    uint32_t length; /* bytes after this header */
};

enum {
    NETD_STATE_GOING = 1, /* configured: links are taken */
    NETD_STATE_KEPT = 2   /* addresses and counters of the one before it were taken over */
};

struct netd_ctl_state {
    char network[NETD_NAME_MAX];
    int32_t pid;
    uint32_t flags;
    uint32_t ports; /* with a link */
    uint32_t macs;
    uint64_t queue_bytes; /* waiting now, all ports */
    int64_t start_wall_ns;
};

struct netd_ctl_reply {
    int32_t errnum; /* 0 or errno */
    uint32_t next;  /* of a list: cursor of what did not fit; 0: that is all. CAPTURE: its number */
    char text[NETD_CTL_TEXT]; /* for people, with errnum; NUL terminated */
};

struct netd_ctl_id {
    uint32_t id;
    uint32_t pad;
};

struct netd_ctl_network {
    uint32_t hub;          /* 0 or 1 */
    uint32_t frame_max;    /* bytes of a frame without tag: MTU + 14 */
    uint32_t ports_max;    /* 0: as many as there can be */
    uint32_t mac_age_s;    /* 0: never */
    uint32_t mac_guard_s;  /* 0: none */
    uint32_t storm_rate;   /* of each port that says nothing itself; broadcasts a second, 0: any */
    uint32_t hold_ms;      /* 0: senders are never held */
    uint32_t loop_guard;   /* 0 or 1 */
    uint32_t past_seconds; /* of traffic kept for captures of the past; 0: none */
    uint32_t past_bytes;   /* and at most so much of it */
};

/* What a port may and must; of netN= and of what old clients get. */
struct netd_ctl_policy {
    uint32_t vlan_mode; /* enum netd_vlan_mode */
    uint16_t vlan;      /* ACCESS: its VLAN; TRUNK: that of frames without tag, 0: none */
    uint16_t pad;
    uint8_t vlan_set[512];              /* TRUNK: bit n%8 of byte n/8 */
    uint32_t isolation;                 /* group; 0: none */
    uint32_t storm_rate;                /* 0: the network's */
    uint32_t no_dhcp_server, no_router; /* 0 or 1 */
    uint8_t mac[8];                     /* six bytes: the only source address; all zero: any */
    uint32_t ipv4_count, ipv6_count;
    struct netd_ctl_prefix {
        uint8_t address[16]; /* as in a packet; IPv4: the first four */
        uint32_t bits;
    } ipv4[NETD_CTL_SOURCES], ipv6[NETD_CTL_SOURCES];
    uint64_t in_rate, in_burst;   /* bytes a second from the guest, and at once; 0: no limit */
    uint64_t out_rate, out_burst; /* to the guest */
};

struct netd_ctl_listen {
    uint32_t id;              /* chosen by umld, not 0 */
    uint32_t kind;            /* enum netd_listener_kind */
    char name[NETD_NAME_MAX]; /* of its ports, with a number behind it */
    struct netd_ctl_policy policy;
};

struct netd_ctl_port {
    uint32_t id; /* chosen by umld for life, not 0 */
    uint32_t pad;
    char guest[NETD_NAME_MAX];
    char device[NETD_DEVICE_MAX];
    struct netd_ctl_policy policy;
};

enum { NETD_PORT_UP = 1, NETD_PORT_HOLDING = 2, NETD_PORT_DROPPING = 4, NETD_PORT_HELD = 8 };

struct netd_ctl_port_info {
    uint32_t id;              /* umld's; those of listeners: from 0x80000000 up */
    uint32_t flags;           /* NETD_PORT_* */
    char name[NETD_NAME_MAX]; /* `web/vec0`, `uml0.3` */
    uint64_t in_frames, in_bytes, out_frames, out_bytes, held;
    uint64_t waiting; /* cost of what is queued for it */
    uint64_t drops[NETD_CTL_DROPS];
};

struct netd_ctl_mac {
    uint8_t mac[8]; /* six bytes */
    uint16_t vlan;
    uint16_t pad;
    uint32_t port; /* umld's id */
};

struct netd_ctl_mac_info {
    struct netd_ctl_mac entry;
    uint32_t fixed;  /* 0 or 1 */
    uint32_t age_ms; /* since it was seen last */
};

enum netd_ctl_event_kind {
    NETD_EVENT_PORT_UP = 1,
    NETD_EVENT_PORT_DOWN, /* text: why */
    NETD_EVENT_REFUSED,   /* an offer, or a client; text: why */
    NETD_EVENT_DROPPING,  /* a port holds its senders no longer but drops */
    NETD_EVENT_CAUGHT_UP, /* and does not any more */
    NETD_EVENT_MOVED,     /* an address has moved to this port; text: address and the other */
    NETD_EVENT_MOVE_REFUSED,
    NETD_EVENT_LOOP,         /* the port was shut: frames that it was sent came back */
    NETD_EVENT_CAPTURE_ENDED /* id: its number; text: why */
};

struct netd_ctl_event {
    uint32_t kind;
    uint32_t id;   /* umld's of the port, or that of a capture */
    uint32_t lost; /* events that were left out before this one */
    uint32_t pad;
    char name[NETD_NAME_MAX]; /* of the port */
    char text[NETD_CTL_TEXT];
};

#endif
