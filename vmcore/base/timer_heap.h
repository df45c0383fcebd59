/*
 * The timers of a loop: a binary heap by due time, so that a timer costs 48 bytes and the event
 * library needs one event for all of them. A daemon has several timers for each of a thousand
 * guests.
 *
 * For loop.c, which documents the timers themselves (loop.h). Single-threaded.
 */
#ifndef VMCORE_BASE_TIMER_HEAP_H
#define VMCORE_BASE_TIMER_HEAP_H

#include "vmcore/base/loop.h"

#include <stddef.h>

struct um_timer {
    struct um_loop *loop;
    um_timer_fn fn;
    void *arg;
    int64_t due_ns; /* um_clock_mono_ns() time */
    size_t place;   /* in the heap, from 1; 0: not armed */
};

struct um_timer_heap {
    struct um_timer **v;
    size_t count, room;
    size_t made; /* timers that exist: there is room for all of them */
};

/* One more timer exists, and one less. False: no memory. */
bool um_timer_heap_reserve(struct um_timer_heap *heap) um_nonnull(1) um_check;
void um_timer_heap_release(struct um_timer_heap *heap) um_nonnull(1);
void um_timer_heap_done(struct um_timer_heap *heap) um_nonnull(1);

/* Put t where its due_ns belongs, whether it was in the heap or not. */
void um_timer_heap_put(struct um_timer_heap *heap, struct um_timer *t) um_nonnull(1, 2);
/* Fine when it is not in the heap. */
void um_timer_heap_take(struct um_timer_heap *heap, struct um_timer *t) um_nonnull(1, 2);
/* The one that is due next; NULL: none is armed. */
struct um_timer *um_timer_heap_first(const struct um_timer_heap *heap) um_nonnull(1);

#endif
