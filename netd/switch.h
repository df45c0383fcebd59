/*
 * The switch: ports, where frames go, queues and push-back. It knows no sockets: a link takes
 * frames by its functions, and tells the switch what came in and when it can take more.
 *
 * Push-back. A port whose queue fills does not drop: the ports that send to it are *held*, that is
 * left unread, so that their senders block in turn. That is for a limited time, since a held port
 * cannot reach anybody else either; a port that is still full then drops what is beyond its queue,
 * and counts it, until it has caught up and a pause has passed. Table of states: push_table in
 * push.c.
 *
 * Single-threaded. Times are nanoseconds of one clock that only grows.
 */
#ifndef NETD_SWITCH_H
#define NETD_SWITCH_H

#include "netd/bucket.h"
#include "netd/drop.h"
#include "netd/guard.h"
#include "netd/mac_table.h"
#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct netd_switch;

enum {
    NETD_BATCH = 64, /* frames of one input at most */
    NETD_OUT_PIECES = 3
};

/* A frame on its way out: a tag may have been put in or taken out, hence pieces. */
struct netd_out {
    struct iovec pieces[NETD_OUT_PIECES];
    int count;
    uint32_t len; /* of all pieces */
};

struct netd_link_ops {
    /*
     * Send in order, without blocking; how many were taken. Fewer than count: full, and the link
     * calls netd_switch_writable() when it has room, as long as it is watched for that. Negative:
     * -errno, the first of them can never be taken.
     */
    int (*send)(void *link, const struct netd_out *frames, int count);
    void (*watch_input)(void *link, bool on);
    void (*watch_room)(void *link, bool on);
};

enum netd_vlan_mode {
    NETD_VLAN_TRANSPARENT, /* every VLAN, tags as they are */
    NETD_VLAN_ACCESS,      /* one VLAN, without tag */
    NETD_VLAN_TRUNK        /* some VLANs, tagged; one of them may be without */
};

enum { NETD_VLAN_SET_BYTES = 4096 / 8 };

struct netd_rate {
    uint64_t bytes; /* a second; 0: no limit */
    uint64_t burst; /* bytes at once after a pause; 0: what fits the rate */
};

struct netd_port_config {
    char name[64];
    /*
     * What users call it, at most NETD_PORT_SLOTS; 0: the lowest that is free. Ports of one number
     * are one port with several links, as in VDE: what is for one goes to all of them, and they do
     * not reach each other.
     */
    uint32_t number;
    enum netd_vlan_mode vlan_mode;
    uint16_t vlan;      /* ACCESS: its VLAN; TRUNK: that of frames without tag, 0: none */
    uint8_t *vlan_set;  /* TRUNK: NETD_VLAN_SET_BYTES, bit n%8 of byte n/8; copied */
    uint32_t frame_max; /* bytes, at most NETD_FRAME_MAX; longer ones are giants, both ways */
    uint32_t isolation; /* ports of the same group other than 0 do not reach each other */
    struct netd_guard guard;
    /* Broadcasts and multicasts a second that it may send; 0: as the switch's config has it. */
    uint32_t storm_rate;
    struct netd_rate in;  /* from the port: it is left unread until it may send again */
    struct netd_rate out; /* to the port: what is more waits in its queue */
};

/* Transparent, any length, no limits. */
extern const struct netd_port_config netd_port_config_default;

struct netd_counters {
    uint64_t in_frames, in_bytes;
    uint64_t out_frames, out_bytes; /* taken by the link */
    uint64_t held;                  /* times that this port was left unread for another's sake */
    uint64_t drops[NETD_DROP_COUNT];
};

struct netd_switch_config {
    struct netd_mac_limits mac;
    uint32_t ports_max;  /* at most NETD_PORT_SLOTS */
    bool hub;            /* every frame to every other port, nothing is learnt */
    size_t queue_high;   /* cost at which a port begins to hold its senders; see queue.h */
    size_t queue_low;    /* and at which it lets them go */
    size_t queue_max;    /* hard limit of one port */
    size_t memory_max;   /* hard limit of all queues together */
    int64_t hold_ns;     /* a port may hold its senders so long at a time; 0: never */
    int64_t pause_ns;    /* after having held them too long it may not for so long */
    uint32_t storm_rate; /* of ports that have none of their own; 0: any */
};

extern const struct netd_switch_config netd_switch_config_default;

enum netd_event_kind {
    NETD_SEEN_PORT_UP,   /* port is there now */
    NETD_SEEN_PORT_DOWN, /* port is still there, but not for long */
    NETD_SEEN_LEARNT,    /* mac is known now, at port */
    NETD_SEEN_MOVED,     /* mac is known at port now, was at old_port */
    NETD_SEEN_REFUSED,   /* mac was seen at port, but belongs to old_port */
    NETD_SEEN_UNKNOWN    /* a frame from port for mac, which is not known: it goes everywhere */
};

/* Guests make them: whoever writes them down sets a limit. */
struct netd_event {
    enum netd_event_kind kind;
    uint32_t port, old_port; /* ids; old_port may be gone, or NETD_MAC_NOWHERE */
    uint64_t mac;
    uint16_t vlan;
};

/* Called from within the switch's calls; may only ask the switch, not change it. */
typedef void (*netd_event_fn)(void *arg, const struct netd_event *event);

/* NULL: no memory. */
struct netd_switch *netd_switch_new(const struct netd_switch_config *config) um_nonnull(1) um_check;
/* With a table of addresses that was made elsewhere, with the limits of config; it is the switch's
 * from now on, also on failure. */
struct netd_switch *netd_switch_new_with(const struct netd_switch_config *config,
                                         struct netd_mac_table *macs) um_nonnull(1) um_check;
/* Ports must be gone. */
void netd_switch_free(struct netd_switch *sw);

void netd_switch_set_hub(struct netd_switch *sw, bool hub) um_nonnull(1);
/* Have fn told of events; one at a time, NULL: nobody. */
void netd_switch_observe(struct netd_switch *sw, netd_event_fn fn, void *arg) um_nonnull(1);
/* Of all ports that have none of their own, from now on; 0: any. */
void netd_switch_set_storm_rate(struct netd_switch *sw, uint32_t rate) um_nonnull(1);
struct netd_mac_table *netd_switch_macs(struct netd_switch *sw) um_nonnull(1);

/*
 * A new port; its id, which is not used again before a million others, or NETD_MAC_NOWHERE:
 * ports_max are there, or no memory. The link is the caller's, and is called from within
 * netd_switch_input() and netd_switch_writable() of any port and netd_switch_tick().
 */
uint32_t netd_switch_add(struct netd_switch *sw, const struct netd_port_config *config,
                         const struct netd_link_ops *ops, void *link) um_nonnull(1, 2, 3) um_check;
/*
 * Change a port while it runs: its link, number, queue, counters and addresses stay. config is
 * copied. False: no such port, or no memory, and nothing has changed. Not from within the link's
 * functions.
 */
bool netd_switch_configure(struct netd_switch *sw, uint32_t id,
                           const struct netd_port_config *config) um_nonnull(1, 3) um_check;
/* With an id that a port had in an earlier life of the program. False: as NOWHERE above, or its
 * slot is taken. */
bool netd_switch_add_as(struct netd_switch *sw, uint32_t id, const struct netd_port_config *config,
                        const struct netd_link_ops *ops, void *link) um_nonnull(1, 3, 4) um_check;
/*
 * A port may be without link, for a time or from the beginning: with these functions and NULL for
 * the link. It keeps its addresses and counters; what is sent to it is dropped.
 */
extern const struct netd_link_ops netd_link_none;
/* Its link is about to come: what is for it waits until then, as for a link that is full. Ends with
 * netd_switch_attach(), by netd_link_none as well. */
void netd_switch_await(struct netd_switch *sw, uint32_t id) um_nonnull(1);
/* The port has a link now, or another one; what waited for that is dropped. */
void netd_switch_attach(struct netd_switch *sw, uint32_t id, const struct netd_link_ops *ops,
                        void *link) um_nonnull(1, 3);
/* Go on counting there, in memory that outlives the port, from what is there. */
void netd_switch_count_at(struct netd_switch *sw, uint32_t id, struct netd_counters *counters)
    um_nonnull(1, 3);
/* Hub, number of ports, storm rate, times of addresses and of holding; all else is as it was. */
void netd_switch_set_limits(struct netd_switch *sw, const struct netd_switch_config *config)
    um_nonnull(1, 2);
/* Unknown ids are fine, here and below. Not from within the link's functions. */
void netd_switch_remove(struct netd_switch *sw, uint32_t id) um_nonnull(1);

/*
 * Frames that came in at a port, at most NETD_BATCH; the bytes are the caller's again afterwards.
 * Of a frame longer than NETD_FRAME_MAX only the length counts. Returns whether the port may go on
 * reading; false: it is held, and was told by watch_input().
 */
bool netd_switch_input(struct netd_switch *sw, uint32_t id, const struct iovec *frames, int count,
                       int64_t now_ns) um_nonnull(1, 3);
/* The port's link has room again. */
void netd_switch_writable(struct netd_switch *sw, uint32_t id, int64_t now_ns) um_nonnull(1);
/* A frame that could not even be read. */
void netd_switch_count_drop(struct netd_switch *sw, uint32_t id, enum netd_drop reason)
    um_nonnull(1);
/* What is due by time: ageing, ends of holds. */
void netd_switch_tick(struct netd_switch *sw, int64_t now_ns) um_nonnull(1);
/* When netd_switch_tick() is to be called next. Any call may bring that nearer. */
int64_t netd_switch_due(const struct netd_switch *sw) um_nonnull(1);

/* What users call it, from 1 on; 0: no such port. */
uint32_t netd_switch_number(const struct netd_switch *sw, uint32_t id) um_nonnull(1);
/* NULL: no such port. Valid until the next call that may change anything. */
const struct netd_counters *netd_switch_counters(const struct netd_switch *sw, uint32_t id)
    um_nonnull(1);
/* How a port is, for people. */
struct netd_port_status {
    bool up; /* has a link */
    bool holding, dropping, held;
};
struct netd_port_status netd_switch_status(const struct netd_switch *sw, uint32_t id) um_nonnull(1);
/* NULL: no such port. */
const char *netd_switch_name(const struct netd_switch *sw, uint32_t id) um_nonnull(1);
/* Ids one by one: start with *at = 0, until false; *at is the slot after that of the port. */
bool netd_switch_next(const struct netd_switch *sw, uint32_t *at, uint32_t *ret_id)
    um_nonnull(1, 2, 3) um_check;
/* No port is read any more, for good: what waits is sent, then the program ends. */
void netd_switch_stop(struct netd_switch *sw) um_nonnull(1);
/* Bytes waiting at all ports together, as cost. */
size_t netd_switch_memory(const struct netd_switch *sw) um_nonnull(1);
/* Bytes and frames waiting there, as cost. */
size_t netd_switch_waiting(const struct netd_switch *sw, uint32_t id) um_nonnull(1);

#endif
