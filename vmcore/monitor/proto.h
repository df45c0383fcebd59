/*
 * umld <-> umlmon, SEQPACKET on R/g/NAME/mon. One message a datagram: header, then a fixed struct
 * by type, then optional bytes. Both ends check magic, version and exact size. umlmon serves
 * several umld connections in turn (a new daemon after a crash); each gets a STATE at once, and
 * every later change is sent to all. umlmon never blocks on a daemon: a connection whose socket is
 * full is closed, and the daemon re-reads STATE when it connects again.
 */
#ifndef VMCORE_MONITOR_PROTO_H
#define VMCORE_MONITOR_PROTO_H

#include <stdint.h>

#define MON_MAGIC       0x756d6d6fu /* "ummo" */
#define MON_VERSION     3
#define MON_MESSAGE_MAX 4096 /* bytes, header included */
#define MON_DEVICE_MAX  16   /* `con0`, NUL padded */

enum mon_type {
    /* umlmon -> umld */
    MON_STATE = 1,    /* struct mon_state; first message on a connection and after each change */
    MON_NOTIFY = 2,   /* struct mon_notify + data: one mconsole notification from the guest */
    MON_REPLY = 3,    /* struct mon_reply + text: the answer to the request with that serial */
    MON_CONSOLES = 4, /* bytes: kv pairs `<dev>=<kind> <pts path or ->`; after the first STATE */
    MON_NICS = 5,     /* bytes: kv pairs `<interface>=<down|waiting|up> <why>`, all of them; after
                         CONSOLES, and after changes (at most ten times a second) */

    /* umld -> umlmon; each gets one MON_REPLY */
    MON_KILL = 16,    /* kill the whole tree; empty */
    MON_PIN = 17,     /* struct mon_pin */
    MON_ATTACH = 18,  /* struct mon_attach + bytes, one or two descriptors: see there */
    MON_RESIZE = 19,  /* struct mon_resize */
    MON_SIGNAL = 20,  /* struct mon_signal: to the kernel's main process only */
    MON_WRITE = 21,   /* struct mon_write + bytes: type into a console */
    MON_DISOWN = 22,  /* nobody knows this guest: as MON_KILL, but a stranger is let go; empty */
    MON_NIC = 23,     /* the value of ORDER_KEY_NIC: listen there, before the kernel is told of it;
                         the same again: nothing happens */
    MON_NIC_DROP = 24 /* the interface: its link ends, its socket goes; none: nothing happens */
};

struct mon_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t serial; /* chosen by umld, echoed in MON_REPLY; 0 in unasked messages */
    uint32_t length; /* bytes after this header */
};

enum {
    MON_F_STARTED = 1,   /* the kernel was exec'ed; main_pid is valid */
    MON_F_KERNEL_UP = 2, /* a SOCKET notification came since the (re)boot */
    MON_F_READY = 4,     /* READY=1, pattern seen, or kernel up as configured */
    MON_F_PANIC = 8,     /* a PANIC notification came; text in panic[] */
    MON_F_EXITED = 16,   /* the kernel is gone; wait_status and exit_wall_ns are valid */
    MON_F_KILLED = 32,   /* umlmon was asked to kill it */
    MON_F_EXEC_FAILED =
        64, /* the kernel or sandbox could not be started; exec_errno, panic[]: text */
    MON_F_MAIN_GONE = 128, /* the kernel's main process has ended; wait_status and exit_wall_ns are
                             valid. What is left of the guest is being cleared: EXITED follows */
    MON_F_NO_STATUS = 256  /* with the two: it was not our child, wait_status means nothing */
};

struct mon_state {
    uint32_t flags;
    int32_t monitor_pid;
    int32_t main_pid;      /* host pid of the kernel's main process */
    int32_t wait_status;   /* as from waitpid(2) */
    int64_t main_start;    /* its start time, clock ticks since boot */
    int64_t start_wall_ns; /* exec */
    int64_t up_wall_ns;    /* last kernel-up */
    int64_t ready_wall_ns;
    int64_t exit_wall_ns;
    uint64_t boot;           /* boot number: counts in-place reboots too */
    uint64_t notify_dropped; /* notifications not forwarded (flood, wrong sender, bad format) */
    int32_t exec_errno;
    int32_t pinned_cpu; /* -1: not pinned */
    char panic[256];    /* first panic text, NUL terminated */
};

/*
 * Not from the guest but from umlmon's memory: the lines it last said of each kind
 * (mconsole/signals.h) in this boot, as one or more notifications. Sent to a new connection, and
 * after some were lost.
 */
#define MON_NOTIFY_KEPT 256u

struct mon_notify {
    uint32_t kind; /* mconsole notification type: 0 socket, 1 panic, 2 hang, 3 user; or KEPT */
    uint32_t length;
    uint64_t boot;
    int64_t wall_ns;
};

struct mon_reply {
    int32_t errnum; /* 0 or errno; a message may follow */
    int32_t pad;
};

struct mon_pin {
    int32_t cpu; /* -1: all CPUs */
    int32_t pad;
};

enum { MON_ATTACH_READ_ONLY = 1, MON_ATTACH_STEAL = 2 };

/*
 * The first descriptor is the client's stream socket. The second, if there is one, is a file read
 * from its present offset: what the client sent already, typed before anything from its socket.
 * The bytes behind the struct (at most MON_ATTACH_GREETING_MAX) are written to the client first,
 * then earlier output, then output as it comes from this moment on: a client that sees the greeting
 * misses nothing any more.
 *
 * The socket gets its first byte only after MON_REPLY 0 has left. So with any other reply, or none
 * because the connection broke, the client has not been written to: umld, which has kept a copy of
 * the descriptor, may still answer it.
 */
enum { MON_ATTACH_GREETING_MAX = 192 };

struct mon_attach {
    char device[MON_DEVICE_MAX];
    uint32_t flags;
    uint32_t pad;
    int64_t back; /* bytes of earlier output to send first; -1: all that is kept of this boot;
                     -2: all that is kept */
};

struct mon_resize {
    char device[MON_DEVICE_MAX];
    uint16_t rows, columns;
    uint32_t pad;
};

struct mon_signal {
    int32_t signo;
    int32_t pad;
};

struct mon_write {
    char device[MON_DEVICE_MAX];
    uint32_t length;
    uint32_t pad;
};

/*
 * Exit record (text, one `key=value` a line, written with um_file_replace before umlmon ends):
 * version=1, guest, boot, wait_status, exit_wall_ns, start_wall_ns, flags (decimal), main_pid,
 * exec_errno, panic (one line). umld removes it once it is stored.
 */
#define MON_EXIT_VERSION 1

#endif
