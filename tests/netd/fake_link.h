/*
 * A link without a socket: takes as many frames as it is told to, and remembers them.
 */
#ifndef TESTS_NETD_FAKE_LINK_H
#define TESTS_NETD_FAKE_LINK_H

#include "netd/switch.h"

enum { FAKE_FRAMES = 4096, FAKE_BYTES = 64 };

struct fake_link {
    struct netd_switch *sw;
    uint32_t port;
    int room;     /* frames it takes before it is full; negative: any number */
    int error;    /* errno of each frame, or 0 */
    bool reading; /* last watch_input() */
    bool waiting; /* last watch_room() */
    int count;    /* frames taken */
    struct {
        uint8_t bytes[FAKE_BYTES]; /* the first ones */
        uint32_t len;
    } frames[FAKE_FRAMES];
};

/* A port of sw on a new fake; free it with fake_link_free(). */
struct fake_link *fake_link_new(struct netd_switch *sw, const struct netd_port_config *config);
void fake_link_free(struct fake_link *f);

/* One frame in: addresses by their last byte (255: broadcast), vlan -1: no tag; len without the
 * tag. */
bool fake_link_input(struct fake_link *f, int dst, int src, int vlan, size_t len, int64_t now_ns);
/* count times the same, in batches, as long as the port is read. How many went in. */
int fake_link_flood(struct fake_link *f, int dst, int src, int count, size_t len, int64_t now_ns);
/* Takes room more frames. */
void fake_link_drain(struct fake_link *f, int room, int64_t now_ns);
uint64_t fake_link_drops(const struct fake_link *f, enum netd_drop reason);

#endif
