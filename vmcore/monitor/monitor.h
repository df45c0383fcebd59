/*
 * umlmon: one per running guest. This header is the room's inside: the objects and which file owns
 * what. Everything is single-threaded and lives in one struct monitor.
 *
 *   monitor.c   start, signals, what notifications and the kernel's fate do to the state
 *   ending.c    from "it shall end" to the exit record: kill, prove dead, drain, deliver, leave
 *   initlink.c  the socket to umlinit
 *   notify.c    the guest's notify socket, rate limits;  kept.c: what the guest last said
 *   console.c   ptys;  client.c: who is attached to them
 *   control.c   umld's connections;  requests.c: its requests
 *   nic.c       the guest's links: its connections, offered to umlnetd
 *   record.c    the exit record
 *   stranger.c  a kernel that somebody else has started, in place of initlink, notify and consoles
 */
#ifndef VMCORE_MONITOR_MONITOR_H
#define VMCORE_MONITOR_MONITOR_H

#include "mconsole/signals.h"
#include "vmcore/base/lines.h"
#include "vmcore/base/str.h"
#include "vmcore/monitor/config.h"
#include "vmcore/monitor/conlog.h"
#include "vmcore/monitor/init_proto.h"
#include "vmcore/monitor/loop.h"
#include "vmcore/monitor/proto.h"

enum {
    MON_CONNECTION_MAX = 8,
    MON_CLIENT_MAX = 32,
    MON_TYPED_MAX = 4096, /* bytes typed into a console that the guest has not taken yet */
    MON_PIN_MAX = 8       /* pin requests under way */
};

struct monitor;

/* ---- console.c ---- */

struct mon_console {
    struct monitor *mon;
    const struct mon_config_console *config;
    int master, slave; /* both kept for managed ones: a closed slave would make the master spin */
    char path[32];     /* of the slave */
    struct mon_watch watch;
    struct mon_log log;  /* managed only */
    struct um_buf typed; /* on its way to the guest */
    bool awaited;        /* a client has more to type */
    size_t burst;        /* bytes of output since the last nudge */
    struct mon_timer nudge;
};

enum um_code mon_console_open(struct monitor *m, struct mon_console *c,
                              const struct mon_config_console *config, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
void mon_console_close(struct mon_console *c) um_nonnull(1);
struct mon_console *mon_console_find(struct monitor *m, const char *device) um_nonnull(1, 2);
/* Read what is there into the log; at the end of a guest until nothing is left. */
void mon_console_drain(struct mon_console *c, bool to_end) um_nonnull(1);
/* Room for typed bytes, and typing them (len at most the room; false: no memory). */
size_t mon_console_room(const struct mon_console *c) um_nonnull(1);
bool mon_console_type(struct mon_console *c, const char *data, size_t len)
    um_nonnull(1, 2) um_check;
/* Have mon_client_input() called once more, when output has been read and there is room. */
void mon_console_await_room(struct mon_console *c) um_nonnull(1);
/* 0 or an errno. */
int mon_console_resize(struct mon_console *c, unsigned rows, unsigned columns) um_nonnull(1);

/* ---- client.c ---- */

struct mon_client {
    struct monitor *mon;
    struct mon_console *console;
    struct mon_watch watch;
    int fd;
    int early; /* a writer's: what was sent before umlmon had the socket; -1 once it is read */
    struct mon_log_reader reader;
    bool writer;   /* at most one per console */
    bool in_ended; /* its sending side is closed */
    bool in_full;  /* the console takes no more typing this round */
    bool hung_up;  /* closed by the peer, but what it typed before is not all read */
    bool out_full; /* its socket takes no more output at present */
    struct mon_client *next;
};

/* MON_ATTACH taken apart. */
struct mon_newcomer {
    struct mon_attach ask;
    const void *greeting;
    size_t greeting_len;
    int fd, early;
};

/*
 * 0, and the client is there, a reader from this moment on; its descriptors are taken, and nothing
 * has been read from or written to them. It must be begun or dropped at once. Else an errno with
 * *ret_why set (static text).
 */
int mon_client_new(struct monitor *m, const struct mon_newcomer *n, struct mon_client **ret_client,
                   const char **ret_why) um_nonnull(1, 2, 3, 4) um_check;
/* Deposes the writer before it, types what was sent early; the greeting follows. */
void mon_client_begin(struct mon_client *c) um_nonnull(1);
void mon_client_drop(struct mon_client *c) um_nonnull(1);
/* New output / new room for input on the console. */
void mon_client_output(struct mon_console *c) um_nonnull(1);
void mon_client_input(struct mon_console *c) um_nonnull(1);
/* The guest has ended: each client goes when it has all; force: at once. True: none is left. */
bool mon_client_finish(struct monitor *m, bool force) um_nonnull(1);

/* ---- control.c ---- */

struct mon_connection {
    struct monitor *mon;
    struct mon_watch watch;
    uint64_t id; /* never reused; 0: free */
};

struct mon_control {
    int listener;
    struct mon_watch watch;
    struct mon_connection connections[MON_CONNECTION_MAX];
    uint64_t last_id;
};

enum um_code mon_control_open(struct monitor *m, struct um_error *err) um_nonnull(1) um_check;
void mon_control_unlink(struct monitor *m) um_nonnull(1); /* no new connections */
void mon_control_close(struct monitor *m) um_nonnull(1);
void mon_control_state(struct monitor *m) um_nonnull(1); /* STATE to everyone */
void mon_control_notify(struct monitor *m, uint32_t kind, const char *data, size_t len)
    um_nonnull(1);
void mon_control_kept(struct monitor *m) um_nonnull(1); /* what is kept, to everyone */
void mon_control_nics(struct monitor *m) um_nonnull(1); /* NICS to everyone */
/* To the connection with that id, if it is still there. False: it is not, or not any more. */
bool mon_control_reply(struct monitor *m, uint64_t id, uint32_t serial, int errnum,
                       const char *text) um_nonnull(1);

/* ---- requests.c ---- */

/* Descriptors of one message, and one more, to see that there are too many. */
enum { MON_REQUEST_FDS = 3 };

/* One request with its header already checked. fds: passed descriptors, then -1; taken. False: the
 * message is malformed and the connection must go. */
bool mon_request(struct monitor *m, uint64_t connection, const struct mon_header *h,
                 const char *body, int fds[MON_REQUEST_FDS]) um_nonnull(1, 3, 4, 5) um_check;

/* ---- kept.c ---- */

/* The metrics, and one line each of STATUS, HEALTH and WANT. */
enum { MON_KEPT_MAX = MCONSOLE_METRICS_MAX + 3 };

struct mon_kept_line {
    enum mconsole_signal_kind kind;
    char *name; /* of a metric, else empty */
    char *text; /* the whole line */
};

struct mon_kept {
    struct mon_kept_line *lines; /* NULL: it has said nothing yet */
    size_t count, metric_count;
};

/* Kinds that are not kept are ignored, and so are metrics beyond MCONSOLE_METRICS_MAX. */
void mon_kept_take(struct mon_kept *k, const struct mconsole_signal *s) um_nonnull(1, 2);
/* The lines from *at on that fit one message into ret (empty before); *at moves on. False: there
 * are none. */
bool mon_kept_part(const struct mon_kept *k, size_t *at, struct um_buf *ret)
    um_nonnull(1, 2, 3) um_check;
void mon_kept_clear(struct mon_kept *k) um_nonnull(1);

/* ---- notify.c ---- */

/* Token bucket, in millitokens. */
struct mon_bucket {
    int64_t tokens, filled_ns, per_second, burst;
};

bool mon_bucket_take(struct mon_bucket *b, int64_t now_ns) um_nonnull(1) um_check;

/*
 * What the lines of a user notification say: kept in kept. True: one is `READY=1`.
 */
bool mon_notify_read(struct mon_kept *kept, const char *data, size_t len) um_nonnull(1, 2) um_check;

struct mon_notify_in {
    int fd;
    struct mon_watch watch;
    struct mon_bucket user, urgent, hang;
    struct mon_timer report; /* dropped ones are reported, but not one by one */
    bool user_dropped;       /* of those, some were the guest's words */
    struct mon_kept kept;
};

enum um_code mon_notify_open(struct monitor *m, struct um_error *err) um_nonnull(1) um_check;
void mon_notify_poll(struct monitor *m) um_nonnull(1);  /* a bounded share of what is there */
void mon_notify_drain(struct monitor *m) um_nonnull(1); /* all; once nobody sends any more */
void mon_notify_close(struct monitor *m) um_nonnull(1);

/* ---- initlink.c ---- */

struct mon_pin_request {
    uint64_t connection; /* 0: free */
    uint32_t serial, init_serial;
    int32_t cpu;
};

struct mon_initlink {
    struct mon_watch watch;
    pid_t init_pid;
    int init_pidfd, main_pidfd;
    bool ended, exited; /* end of file; INIT_EXITED came */
    uint32_t last_serial;
    struct mon_pin_request pins[MON_PIN_MAX];
};

bool mon_initlink_open(struct monitor *m, int *ret_child_end) um_nonnull(1, 2) um_check;
void mon_initlink_drain(struct monitor *m) um_nonnull(1);
void mon_initlink_close(struct monitor *m) um_nonnull(1);
/* Tell umlinit to end everything; harmless when it is gone. */
void mon_initlink_kill(struct monitor *m) um_nonnull(1);
/* 0: the answer goes to the connection later; else an errno. */
int mon_initlink_pin(struct monitor *m, uint64_t connection, uint32_t serial, int32_t cpu)
    um_nonnull(1);

/* ---- identity.c ---- */

/* At the start: what the order's descriptors are for is not for others. False: they are not there.
 */
bool mon_identity_keep(const struct mon_config *c) um_nonnull(1) um_check;
/* Is there anything to take? */
bool mon_identity_differs(const struct mon_config *c) um_nonnull(1);
/* um_spawn.setup; its argument is the struct mon_config. */
int mon_identity_take(void *config, const char **ret_what) um_nonnull(1, 2);

/* ---- ending.c ---- */

enum mon_phase {
    MON_PHASE_RUNNING,
    MON_PHASE_ENDING,    /* the tree is being ended or has ended; not yet proven */
    MON_PHASE_DELIVERING /* proven and recorded; clients get their last bytes */
};

void mon_end_begin(struct monitor *m) um_nonnull(1);  /* kill and see it through; idempotent */
void mon_end_check(struct monitor *m) um_nonnull(1);  /* after anything that may prove the end */
void mon_end_client(struct monitor *m) um_nonnull(1); /* a client left */
/* Nothing of the guest is left: its record, and the way out. */
void mon_end_proven(struct monitor *m) um_nonnull(1);
/* A failure before anything ran: recorded like any other end. */
void mon_end_unstarted(struct monitor *m, int errnum, const char *why) um_nonnull(1, 3);

/* ---- stranger.c ---- */

struct mon_stranger {
    struct mon_watch end;     /* its pidfd, which is link.main_pidfd */
    struct mon_watch changes; /* inotify: of the directory of its socket, and the one above */
    struct mon_timer kill;
    int kills; /* passes over what is below it */
    bool has_socket;
    uint64_t socket_dev, socket_ino;
    int64_t socket_ctime_ns;
};

/* A stranger that is gone already is an end like any other; there are no other failures. */
void mon_stranger_open(struct monitor *m) um_nonnull(1);
/* Kill it and all below it; idempotent. Its end is seen as ever. */
void mon_stranger_kill(struct monitor *m) um_nonnull(1);
void mon_stranger_close(struct monitor *m) um_nonnull(1);

/* ---- nic.c ---- */

enum mon_nic_state {
    MON_NIC_DOWN,    /* the guest has not connected: the interface is down */
    MON_NIC_WAITING, /* it has; nobody serves the link at present, frames wait in the socket */
    MON_NIC_UP,
    MON_NIC_STATE_COUNT
};

struct mon_nic {
    struct monitor *mon;
    struct mon_config_nic config; /* device empty: free */
    int listener, guest, links;   /* guest: only kept and watched for its end, never read */
    struct mon_watch listener_watch, guest_watch, links_watch;
    enum mon_nic_state state;
    struct mon_timer retry, pause;
    int64_t tried_ns, distance_ns; /* last try, and the least distance of the next from it */
    char why[160];                 /* why it waits */
};

struct mon_nics {
    struct mon_nic nic[MON_NIC_MAX];
    struct mon_timer report;
    int64_t reported_ns;
};

enum um_code mon_nics_open(struct monitor *m, struct um_error *err) um_nonnull(1) um_check;
void mon_nics_close(struct monitor *m) um_nonnull(1);
/* One more; the same again is fine. UM_E_EXISTS: there is another of that name. */
enum um_code mon_nic_add(struct monitor *m, const struct mon_config_nic *config,
                         struct um_error *err) um_nonnull(1, 2) um_check;
void mon_nic_drop(struct monitor *m, const char *device) um_nonnull(1, 2);
/* kv pairs as in MON_NICS. */
void mon_nics_text(const struct monitor *m, struct um_buf *b) um_nonnull(1, 2);

/* ---- record.c ---- */

/* Text of the exit record into b. */
void mon_record_format(const struct mon_config *c, const struct mon_state *s, struct um_buf *b)
    um_nonnull(1, 2, 3);
bool mon_record_write(const struct monitor *m) um_nonnull(1) um_check;

/* Copy text that a guest sent: control characters become blanks. */
void mon_text_clean(char *dst, size_t size, const char *src, size_t len) um_nonnull(1, 3);

/* ---- monitor.c ---- */

struct monitor {
    struct mon_config config;
    struct mon_state state;
    struct mon_loop loop;
    struct mon_console consoles[MON_CONSOLE_MAX];
    size_t console_count;
    struct mon_client *clients;
    size_t client_count;
    struct um_lines lines; /* of con0 */
    struct mon_control control;
    struct mon_notify_in notify;
    struct mon_initlink link;
    struct mon_stranger stranger;
    struct mon_nics nics;
    struct mon_watch signals;
    int log_dir;
    enum mon_phase phase;
    struct mon_timer deadline;
    pid_t child; /* what the order's argv started; 0 once reaped */
    int child_pidfd;
    int child_status;
    int record_tries;
};

/* Runs one guest from its order (read) to its end. Returns the exit status. */
int mon_run(struct mon_config *config) um_nonnull(1);

/* What happened, told by those who saw it. */
void mon_saw_started(struct monitor *m, pid_t main_pid) um_nonnull(1);
void mon_saw_running(struct monitor *m) um_nonnull(1);
void mon_saw_exec_failure(struct monitor *m, int errnum, const char *why) um_nonnull(1);
void mon_saw_exit(struct monitor *m, int wait_status) um_nonnull(1);
void mon_saw_kernel_up(struct monitor *m) um_nonnull(1);
void mon_saw_panic(struct monitor *m, const char *text, size_t len) um_nonnull(1);
void mon_saw_ready(struct monitor *m, enum mon_ready how) um_nonnull(1);
/* Collect ended children. True: none are left at all. */
bool mon_reap(struct monitor *m) um_nonnull(1);

#endif
