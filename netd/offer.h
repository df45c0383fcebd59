/*
 * umlmon -> umlnetd, SEQPACKET on R/n/NETWORK/links: one connection for each link of a guest that
 * is up, for as long as it is. The link is offered when the connection begins; whichever end closes
 * it ends the link at the switch, never the guest's socket: that is umlmon's, which keeps its own
 * descriptor, because a guest whose SEQPACKET peer closes spins for ever (uml(kernel),
 * vector_user.c: an end of file is read as any number of empty messages).
 *
 * The connection broke although the guest's socket is open: umlmon connects again, at once and then
 * at growing distances up to NETD_OFFER_RETRY_MS, and offers the link anew. umld holds the
 * listening socket across the lives of umlnetd, so an offer made between two of them waits there.
 *
 * A second offer for a port replaces the first: the guest has opened its device again.
 */
#ifndef NETD_OFFER_H
#define NETD_OFFER_H

#include <stdint.h>

#define NETD_OFFER_MAGIC   0x756d6f66u /* "umof" */
#define NETD_OFFER_VERSION 1
enum {
    NETD_OFFER_RETRY_MS = 2000, /* longest pause between two tries */
    NETD_OFFER_NAME = 64,
    NETD_OFFER_DEVICE = 16,
    NETD_OFFER_TEXT = 160
};

enum netd_offer_type {
    NETD_OFFER_LINK = 1,  /* umlmon: struct netd_offer_link and the descriptor */
    NETD_OFFER_ANSWER = 2 /* umlnetd: struct netd_offer_answer; after a refusal it closes */
};

enum netd_offer_kind { NETD_OFFER_SEQPACKET, NETD_OFFER_DATAGRAM };

struct netd_offer_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
};

struct netd_offer_link {
    struct netd_offer_header header;
    char guest[NETD_OFFER_NAME];    /* NUL terminated */
    char device[NETD_OFFER_DEVICE]; /* `vec0` */
    uint32_t kind;
    uint32_t pad;
};

struct netd_offer_answer {
    struct netd_offer_header header;
    int32_t errnum; /* 0: taken. ENOENT: no such port; EINVAL: not understood; EAGAIN: later */
    char text[NETD_OFFER_TEXT];
};

#endif
