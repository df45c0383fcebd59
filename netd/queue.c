#include "netd/queue.h"

#include <stdlib.h>
#include <string.h>

enum { RING_FIRST = 64 };

struct netd_buf *netd_buf_new(const struct iovec *pieces, int count)
{
    struct netd_buf *b;
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    b = malloc(sizeof(*b) + len);
    if (!b)
        return NULL;
    b->refs = 1;
    b->len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(b->data + b->len, pieces[i].iov_base, pieces[i].iov_len);
        b->len += (uint32_t)pieces[i].iov_len;
    }
    return b;
}

void netd_buf_drop(struct netd_buf *b)
{
    if (b && --b->refs == 0)
        free(b);
}

static bool grow(struct netd_queue *q)
{
    uint32_t size = q->size ? q->size * 2 : RING_FIRST;
    struct netd_buf **ring = malloc(size * sizeof(struct netd_buf *));

    if (!ring)
        return false;
    for (uint32_t i = 0; i < q->count; i++)
        ring[i] = netd_queue_at(q, i);
    free(q->ring);
    q->ring = ring;
    q->size = size;
    q->head = 0;
    return true;
}

bool netd_queue_push(struct netd_queue *q, struct netd_buf *b)
{
    if (q->count == q->size && !grow(q))
        return false;
    q->ring[(q->head + q->count++) & (q->size - 1)] = b;
    q->cost += netd_buf_cost(b);
    b->refs++;
    return true;
}

struct netd_buf *netd_queue_at(const struct netd_queue *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->size - 1)];
}

void netd_queue_pop(struct netd_queue *q, uint32_t count)
{
    for (; count && q->count; count--, q->count--) {
        struct netd_buf *b = netd_queue_at(q, 0);

        q->cost -= netd_buf_cost(b);
        q->head = (q->head + 1) & (q->size - 1);
        netd_buf_drop(b);
    }
    if (!q->count) {
        free(q->ring);
        *q = (struct netd_queue){.ring = NULL};
    }
}
