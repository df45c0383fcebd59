/*
 * Why a frame was not passed on. Every frame that enters a switch leaves it or is counted here, at
 * the port where it was decided: what came in at the port it came from, what could not leave at the
 * port it should have left by.
 */
#ifndef NETD_DROP_H
#define NETD_DROP_H

#define NETD_DROPS(X)                                                                              \
    X(RUNT, "runt", "shorter than an Ethernet header")                                             \
    X(GIANT, "giant", "longer than the port takes")                                                \
    X(BAD_TAG, "bad-tag", "802.1Q tag cut short, or of VLAN 4095")                                 \
    X(BAD_SOURCE, "bad-source", "source address is a group address or zero")                       \
    X(VLAN, "vlan", "of a VLAN that the port is not in")                                           \
    X(MOVED, "move-guard", "source address belongs to another port")                               \
    X(LOCKED, "locked-mac", "source address is not the port's own")                                \
    X(SPOOFED, "spoofed-ip", "IP address is not the port's own, or is hidden")                     \
    X(SERVICE, "service", "answer of a DHCP server or router, which the port may not be")          \
    X(STORM, "storm", "more broadcasts than the port may send")                                    \
    X(SAME_PORT, "same-port", "destination is where it came from")                                 \
    X(ISOLATED, "isolated", "destination is in the same isolation group")                          \
    X(SLOW, "slow", "the port has held its senders too long, and its queue is full")               \
    X(QUEUE_FULL, "queue-full", "the port's queue or the network's memory for queues is full")     \
    X(SEND, "send", "the peer refused it, or is gone")                                             \
    X(STRANGER, "stranger", "sender is not registered")

enum netd_drop {
#define NETD_DROP_ENUM(id, name, text) NETD_DROP_##id,
    NETD_DROPS(NETD_DROP_ENUM)
#undef NETD_DROP_ENUM
        NETD_DROP_COUNT
};

/* Not a reason: go on. */
#define NETD_PASS (-1)

/* Stable name for users and metrics; never NULL for reason < NETD_DROP_COUNT. */
const char *netd_drop_name(enum netd_drop reason);
/* One clause for people. */
const char *netd_drop_text(enum netd_drop reason);

#endif
