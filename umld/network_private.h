/*
 * One network in the daemon's memory, for network*.c, api_network*.c and what looks at all of them
 * (metrics, explain). Things happen to it as to a guest (guest.h): callbacks call network_post();
 * the after-phase drains the inbox through the table of network_state.h; actions change the struct
 * and mark effects, which run once all is committed.
 */
#ifndef UMLD_NETWORK_PRIVATE_H
#define UMLD_NETWORK_PRIVATE_H

#include "netd/proto.h"
#include "umld/network.h"
#include "umld/network_state.h"

enum {
    NETWORK_INBOX_MAX = 16,
    NETWORK_WORN_DEATHS = 5, /* within NETWORK_WORN_NS */
    NETWORKS_MAX = 4096,
    NETWORK_SILENCE_S = 10, /* a request without an answer */
    NETWORK_MACS_MAX = 4096 /* fixed addresses */
};
#define NETWORK_WORN_NS  (60 * INT64_C(1000000000))
#define NETWORK_MAC_SIZE 18 /* `02:00:00:00:00:05` */

struct network_definition {
    char name[NETD_NAME_MAX];
    bool hub, loop_guard;
    int64_t mtu, mac_age, mac_guard, max_ports, storm;
};

/* A net device of a guest. */
struct network_port {
    int64_t id, guest_id;
    char guest[NETD_NAME_MAX];
    char device[NETD_DEVICE_MAX]; /* net0 */
    struct network *network;      /* NULL: no definition names it now */
    struct netd_ctl_policy policy;
    struct network_waiter *waiters; /* until umlnetd has it */
    struct network_port *next;
};

struct network_mac {
    uint8_t mac[6];
    uint16_t vlan;
    int64_t port;
    struct network_mac *next;
};

/* A call that waits until the network runs, has failed, or is gone. */
struct network_call {
    uint64_t id;
    struct network_call *next;
};

/* What waits to be written, or for its reply. */
struct network_message;

/* The answer to a request: r and what follows it; good during the call. */
typedef void (*network_reply_fn)(struct network *n, const struct netd_ctl_reply *r,
                                 const char *data, size_t len, void *arg);

struct network {
    struct umld *umld;
    int64_t id, revision, created_ns;
    struct network_definition def;
    enum network_state state;
    bool removed; /* no longer stored: the name is free once umlnetd has ended */

    unsigned char inbox[NETWORK_INBOX_MAX];
    unsigned inbox_count;
    unsigned effects; /* 1 << enum network_action */
    struct um_timer *limit;

    /* network_spawn.c */
    int ctl_fd, links_fd; /* listening; -1: not held yet */
    pid_t pid;            /* 0: no process */
    int pidfd;
    struct um_watch *pid_watch;
    int64_t deaths[NETWORK_WORN_DEATHS]; /* the latest ones, monotonic */
    unsigned death_count, in_a_row;
    unsigned restarts;  /* that nobody asked for */
    int64_t running_ns; /* since when it takes links, monotonic */
    int64_t started_ns; /* umlnetd, wall clock */
    bool kept;          /* addresses and counters of the one before */
    bool found;         /* alive when umld started: it has the sockets */
    char *cause;

    /* network_link.c */
    int fd;
    struct um_watch *watch;
    struct um_timer *silence;
    uint32_t serial;
    struct network_message *queue, **queue_end; /* not written yet */
    struct network_message *pending, **pending_end;
    bool told;      /* the configuration has been queued: changes go behind it */
    bool condemned; /* network_condemn() */

    struct network_mac *macs;
    int mac_count, port_count;
    struct network_call *calls;
    struct network *next;
};

struct networks {
    struct umld *umld;
    struct network *list; /* in the order of creation */
    int count;
    struct network_port *ports;
    int busy; /* networks with something in the inbox or an effect */
};

/* ---- network.c ---- */
/* For network_adopt.c: one that is in no table yet. NULL: no memory. */
struct network *network_new(struct umld *umld, const struct network_definition *def)
    um_nonnull(1, 2) um_check;
/* Those that were removed left out; NULL: there is none. */
struct network *network_find(struct umld *umld, const char *name) um_nonnull(1, 2);
/* The same, and those whose umlnetd still ends. */
struct network *network_find_any(struct umld *umld, const char *name) um_nonnull(1, 2);
const char *network_object(const char *name, char buf[96]) um_nonnull(1, 2);
/* UM_E_NOT_FOUND, with the names there are. */
enum um_code network_unknown(struct umld *umld, const char *name, const char *object,
                             const char *field, struct um_error *err) um_nonnull(1, 2);
enum um_code network_create(struct umld *umld, const struct network_definition *def,
                            struct network **ret, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
enum um_code network_redefine(struct network *n, const struct network_definition *def,
                              struct um_error *err) um_nonnull(1, 2) um_check;
void network_remove(struct network *n) um_nonnull(1);
void network_free(struct network *n) um_nonnull(1);
/* R/n/NAME, or a file in it. */
const char *network_path(const struct umld *umld, const char *name, const char *file,
                         char buf[NETWORK_PATH_SIZE]) um_nonnull(1, 2, 3, 4);
/* Do the paths of its sockets fit? */
enum um_code network_paths_fit(const struct umld *umld, const char *name, struct um_error *err)
    um_nonnull(1, 2) um_check;

/* ---- network_define.c ---- */
/* Defaults, where json says nothing. json was checked against the interface. */
void network_definition_from_json(const json_t *json, struct network_definition *ret)
    um_nonnull(1, 2);
/* Take over what json (a Change) names. */
void network_definition_change(struct network_definition *def, const json_t *json) um_nonnull(1, 2);
json_t *network_definition_json(const struct network_definition *def) um_nonnull(1);
void network_definition_tell(const struct network_definition *def, struct netd_ctl_network *ret)
    um_nonnull(1, 2);

/* ---- network_machine.c ---- */
void network_post(struct network *n, enum network_event event) um_nonnull(1);
void network_set_cause(struct network *n, const char *fmt, ...) um_nonnull(1, 2) um_format(2, 3);
/* umlnetd is no good, and this is why: it is ended, and what it says until then is not read. */
void network_condemn(struct network *n, const char *fmt, ...) um_nonnull(1, 2) um_format(2, 3);
void networks_drain(struct umld *umld) um_nonnull(1);
bool networks_effects(struct umld *umld) um_nonnull(1); /* true: inboxes are filled again */
/* A first time: it was just made, or read from the database. */
void network_begin(struct network *n) um_nonnull(1);
/* The call is answered when the network runs, has failed or is gone. */
bool network_wait(struct network *n, struct api_call *call) um_nonnull(1, 2) um_check;

/* ---- network_spawn.c ---- */
void network_spawn(struct network *n) um_nonnull(1);
void network_watch(struct network *n, pid_t pid, int pidfd) um_nonnull(1);
void network_signal(struct network *n, int signo) um_nonnull(1);
/* Its process has ended: as an event, by how often that was. */
void network_died(struct network *n) um_nonnull(1);

/* ---- network_adopt.c ---- */
enum um_code networks_load(struct umld *umld, struct um_error *err) um_nonnull(1) um_check;
/* Once guests are read: their ports; who lives is connected to, who does not is started. */
void networks_adopt(struct umld *umld) um_nonnull(1);

/* ---- network_link.c ---- */
enum um_code network_connect(struct network *n, struct um_error *err) um_nonnull(1) um_check;
void network_disconnect(struct network *n) um_nonnull(1);
/*
 * Queue a request; fd (-1: none) is duplicated. done (may be NULL) is called once, with ECONNRESET
 * if the connection is lost. False: not connected, or no memory.
 */
bool network_ask(struct network *n, enum netd_ctl_type type, const void *payload, size_t len,
                 int fd, network_reply_fn done, void *arg) um_nonnull(1);

/* ---- network_ask.c ---- */
/* All records of a list (NETD_CTL_PORTS, NETD_CTL_MACS), or why there are none (errnum, text). */
typedef void (*network_list_fn)(struct network *n, int errnum, const char *text,
                                const struct um_buf *records, void *arg);
/* False: it cannot be asked now. */
bool network_list(struct network *n, enum netd_ctl_type type, network_list_fn done, void *arg)
    um_nonnull(1, 3) um_check;

/* ---- network_send.c ---- */
/* Everything, anew: what umlnetd has besides ends. Links of what stays are not touched. */
void network_configure(struct network *n) um_nonnull(1);
void network_tell_port(struct network *n, const struct network_port *p) um_nonnull(1, 2);
void network_tell_drop(struct network *n, int64_t port) um_nonnull(1);
void network_tell_mac(struct network *n, const struct network_mac *m) um_nonnull(1, 2);

/* ---- network_event.c ---- */
void network_take_event(struct network *n, const struct netd_ctl_event *e) um_nonnull(1, 2);

/* ---- network_port.c ---- */
/* Answer who waits for ports of n: it runs (errnum 0), or has failed. */
void network_ports_answer(struct network *n, int errnum, const char *text) um_nonnull(1);
/* Answer who waits for that port, if it is still there. */
void network_port_answer(struct umld *umld, int64_t id, int errnum, const char *text)
    um_nonnull(1, 4);
/* The one with that number; NULL: none. */
struct network_port *network_port_by_id(struct umld *umld, int64_t id) um_nonnull(1);
/* `web/net0` -> its port in n. */
struct network_port *network_port_named(struct network *n, const char *name) um_nonnull(1, 2);
/* In which network d, a device of a definition, is; NULL: it is no net device. */
const char *network_of_device(const struct device *d) um_nonnull(1);
/* What it may and must, as its device says. */
void network_policy(const struct device *d, struct netd_ctl_policy *ret) um_nonnull(1, 2);
bool network_port_load(struct umld *umld, int64_t id, int64_t guest, const char *device)
    um_nonnull(1) um_check;
void network_ports_free(struct umld *umld) um_nonnull(1);

/* ---- network_mac.c ---- */
bool network_mac_parse(const char *text, uint8_t ret[6]) um_nonnull(1) um_check;
const char *network_mac_text(const uint8_t mac[6], char buf[NETWORK_MAC_SIZE]);
struct network_mac *network_mac_find(struct network *n, const uint8_t mac[6], unsigned vlan)
    um_nonnull(1);
bool network_mac_add(struct network *n, const uint8_t mac[6], unsigned vlan, int64_t port)
    um_nonnull(1) um_check;
void network_mac_remove(struct network *n, const struct network_mac *m) um_nonnull(1, 2);
/* Those of a port that has left n, or is no more. */
void network_macs_of_port_go(struct network *n, int64_t port) um_nonnull(1);
void network_macs_free(struct network *n) um_nonnull(1);

/* ---- network_guest.c ---- */
/* Names of guests whose definitions name it; an array. */
json_t *network_guests(struct umld *umld, const char *name) um_nonnull(1, 2);
/* Guests that wait for networks look again. */
void network_guests_wake(struct umld *umld) um_nonnull(1);

/* ---- api_network.c ---- */
json_t *network_json(const struct network *n) um_nonnull(1);
/* The network of a call's `name`, in the revision of `ifRevision`; NULL after the error reply. */
struct network *network_of_call(struct umld *umld, struct api_call *call, const json_t *params)
    um_nonnull(1, 2, 3);
/* The address of a call's `mac`; false after the error reply. */
bool network_mac_of_call(struct api_call *call, const struct network *n, const json_t *params,
                         uint8_t ret[6]) um_nonnull(1, 2, 3) um_check;

/* ---- api_network_ask.c ---- */
enum { NETWORK_PORT_NAME_SIZE = 96 };
/* As users know it: `web/net0`, `uml0.3`. Returns buf. */
const char *network_port_name(struct umld *umld, const struct netd_ctl_port_info *info,
                              char buf[NETWORK_PORT_NAME_SIZE]) um_nonnull(1, 2, 3);
/* Of a counter of netd/drop.h; NULL: there is none. */
const char *network_drop_name(size_t reason);

#endif
