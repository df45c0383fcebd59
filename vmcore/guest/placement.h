/*
 * Which host CPU a guest's threads are kept on. UML hands over between kernel and user half at
 * every trap, so all threads of a one-CPU guest belong on one CPU (system call 64 -> 6.4 µs); when
 * the host is saturated the scheduler does better and every guest is let go. Pure: umld measures,
 * asks, and tells umlmon (MON_PIN). Loads are in 1/1000 of one CPU.
 */
#ifndef VMCORE_GUEST_PLACEMENT_H
#define VMCORE_GUEST_PLACEMENT_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACEMENT_FULL    900 /* every CPU busier than this: unpin all */
#define PLACEMENT_CALM    750 /* mean below this after that: pin again */
#define PLACEMENT_UNEVEN  250 /* least difference between two CPUs that is worth a move */
#define PLACEMENT_SETTLED 3   /* ticks a guest stays where it was put */

struct placement_cpu {
    int cpu;         /* host CPU number; only those umld may use */
    unsigned busy;   /* 0..1000, since the last tick */
    unsigned pinned; /* guests pinned to it */
};

struct placement_guest {
    uint64_t id;
    int cpu;        /* where it is pinned, -1: nowhere */
    unsigned load;  /* 0..1000 and more: CPU time it used since the last tick */
    bool pinnable;  /* its definition allows pinning and it has one CPU */
    unsigned ticks; /* since it was last pinned or moved */
};

struct placement_move {
    uint64_t id;
    int cpu; /* new host CPU, -1: all */
};

/* Carried from tick to tick; starts zeroed. */
struct placement_state {
    bool released; /* everything was unpinned because the host is saturated */
};

/*
 * CPU for a new guest: fewest pinned guests, then least busy, then lowest number. -1: no CPU given,
 * or guests are released at present (st may be NULL).
 */
int placement_choose(const struct placement_state *st, const struct placement_cpu *cpus, size_t n);

/*
 * One tick (every few seconds). Writes at most max moves and returns their number: unpin all, pin
 * all again, pin those that are nowhere, or at most one move from the busiest to the idlest CPU.
 */
size_t placement_balance(struct placement_state *st, const struct placement_cpu *cpus, size_t n_cpu,
                         const struct placement_guest *guests, size_t n_guest,
                         struct placement_move *moves, size_t max) um_nonnull(1, 6);

#endif
