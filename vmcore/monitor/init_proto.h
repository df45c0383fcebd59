/*
 * umlinit <-> umlmon, SEQPACKET pair whose other end umlinit inherits (descriptor 9). Both programs
 * are installed together; the version only catches a half-replaced installation.
 *
 * Pids do not travel in these messages: umlinit lives in another pid namespace and does not know
 * the host's numbers. umlmon sets SO_PASSCRED and the host kernel translates the sender's pid.
 */
#ifndef VMCORE_MONITOR_INIT_PROTO_H
#define VMCORE_MONITOR_INIT_PROTO_H

#include <stdint.h>

#define INIT_MAGIC      0x756d6c69u /* "umli" */
#define INIT_VERSION    1
#define INIT_CONTROL_FD 9
#define INIT_FD_MAX     256 /* console and control descriptors are below */

enum init_type {
    /* umlinit -> umlmon */
    INIT_HELLO = 1, /* first message; value: 1 with a pid namespace of its own, else 0; count: CPU +
                       1 it is pinned to, 0: none */
    INIT_STARTED = 2,     /* sent by the kernel child itself just before exec: its pid is main's */
    INIT_RUNNING = 3,     /* the exec succeeded */
    INIT_EXEC_FAILED = 4, /* value: errno */
    INIT_EXITED = 5,      /* value: main's wait status; nothing but umlinit is left */
    INIT_PINNED = 6,      /* answer to INIT_PIN with its serial; value: errno, count: threads */

    /* umlmon -> umlinit */
    INIT_PIN = 16, /* value: CPU, -1: all */
    INIT_KILL = 17 /* end everything, then INIT_EXITED */
};

struct init_message {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t serial;
    int32_t value;
    uint32_t count;
};

#endif
