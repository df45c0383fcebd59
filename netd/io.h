/*
 * What all links of a switch share: the loop, the switch, the memory that frames are read into, and
 * what waits for the after-phase.
 */
#ifndef NETD_IO_H
#define NETD_IO_H

#include "netd/switch.h"
#include "vmcore/base/loop.h"

#include <sys/socket.h>

/* What waits for the after-phase, when all callbacks have returned. Zeroed but for fn and arg. */
struct netd_later {
    void (*fn)(void *arg);
    void *arg;
    bool posted;
    struct netd_later *next;
};

/* A batch as it comes from recvmmsg(2). Pages that no frame has reached are never touched. */
struct netd_rx {
    uint8_t *area;
    struct iovec pieces[NETD_BATCH];
    struct mmsghdr messages[NETD_BATCH];
    struct iovec frames[NETD_BATCH];
};

struct netd_io {
    struct um_loop *loop;
    struct netd_switch *sw;
    struct um_timer *tick;
    int64_t tick_due_ns; /* when it fires */
    struct netd_rx rx;
    struct mmsghdr tx[NETD_BATCH];
    struct netd_later *later;
};

/* Loop and switch stay the caller's, and must outlive it. False: no memory. */
bool netd_io_init(struct netd_io *io, struct um_loop *loop, struct netd_switch *sw)
    um_nonnull(1, 2, 3) um_check;
/* Links must be gone. */
void netd_io_done(struct netd_io *io) um_nonnull(1);

/* Have fn called in the after-phase, once however often it is posted. It may free what later is in.
 */
void netd_io_post(struct netd_io *io, struct netd_later *later) um_nonnull(1, 2);
void netd_io_cancel(struct netd_io *io, struct netd_later *later) um_nonnull(1, 2);

#endif
