#include "vmcore/base/timer_heap.h"

#include <stdlib.h>

enum { ROOM_FIRST = 16 };

bool um_timer_heap_reserve(struct um_timer_heap *heap)
{
    if (heap->made == heap->room) {
        size_t room = heap->room ? heap->room * 2 : ROOM_FIRST;
        struct um_timer **v = realloc(heap->v, room * sizeof(struct um_timer *));

        if (!v)
            return false;
        heap->v = v;
        heap->room = room;
    }
    heap->made++;
    return true;
}

void um_timer_heap_release(struct um_timer_heap *heap)
{
    heap->made--;
}

void um_timer_heap_done(struct um_timer_heap *heap)
{
    free(heap->v);
    *heap = (struct um_timer_heap){.v = NULL};
}

/* The timer at a place, which is counted from 1: children of n are 2n and 2n+1. */
static struct um_timer *at(const struct um_timer_heap *heap, size_t place)
{
    return heap->v[place - 1];
}

static void set(struct um_timer_heap *heap, size_t place, struct um_timer *t)
{
    heap->v[place - 1] = t;
    t->place = place;
}

static void move_up(struct um_timer_heap *heap, struct um_timer *t, size_t place)
{
    for (; place > 1 && at(heap, place / 2)->due_ns > t->due_ns; place /= 2)
        set(heap, place, at(heap, place / 2));
    set(heap, place, t);
}

static void move_down(struct um_timer_heap *heap, struct um_timer *t, size_t place)
{
    for (size_t child; (child = place * 2) <= heap->count; place = child) {
        if (child < heap->count && at(heap, child + 1)->due_ns < at(heap, child)->due_ns)
            child++;
        if (at(heap, child)->due_ns >= t->due_ns)
            break;
        set(heap, place, at(heap, child));
    }
    set(heap, place, t);
}

void um_timer_heap_put(struct um_timer_heap *heap, struct um_timer *t)
{
    if (!t->place)
        t->place = ++heap->count;
    move_up(heap, t, t->place);
    move_down(heap, t, t->place);
}

void um_timer_heap_take(struct um_timer_heap *heap, struct um_timer *t)
{
    struct um_timer *last;
    size_t place = t->place;

    if (!place)
        return;
    t->place = 0;
    last = at(heap, heap->count--);
    if (last == t)
        return;
    last->place = place;
    um_timer_heap_put(heap, last);
}

struct um_timer *um_timer_heap_first(const struct um_timer_heap *heap)
{
    return heap->count ? heap->v[0] : NULL;
}
