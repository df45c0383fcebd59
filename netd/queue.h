/*
 * Frames that wait for a port. A frame that waits for several ports is one copy with several
 * owners. The queue has no limit of its own: its owner watches `cost`.
 */
#ifndef NETD_QUEUE_H
#define NETD_QUEUE_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* What a frame costs besides its bytes: heap, ring, and work. Bounds the number of small ones. */
enum { NETD_BUF_COST = 256 };

struct netd_buf {
    uint32_t refs;
    uint32_t len;
    uint8_t data[];
};

/* Gathered copy of count pieces, owned once. NULL: no memory. */
struct netd_buf *netd_buf_new(const struct iovec *pieces, int count) um_nonnull(1) um_check;
void netd_buf_drop(struct netd_buf *b); /* NULL is fine */

struct netd_queue {
    struct netd_buf **ring; /* NULL while nothing waits */
    uint32_t size;          /* a power of two */
    uint32_t head, count;
    size_t cost; /* bytes, and NETD_BUF_COST for each frame */
};

/* Takes a reference of its own. False: no memory, nothing changed. */
bool netd_queue_push(struct netd_queue *q, struct netd_buf *b) um_nonnull(1, 2) um_check;
/* The i-th from the head, i < count; still the queue's. */
struct netd_buf *netd_queue_at(const struct netd_queue *q, uint32_t i) um_nonnull(1);
/* Drop the first count; an empty queue gives its memory back. */
void netd_queue_pop(struct netd_queue *q, uint32_t count) um_nonnull(1);

static inline size_t netd_buf_cost(const struct netd_buf *b)
{
    return b->len + NETD_BUF_COST;
}

#endif
