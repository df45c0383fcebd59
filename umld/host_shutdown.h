/*
 * The host goes down: every guest is stopped within one budget of time, dependents before what they
 * depend on, as many at once as that allows; then the daemon ends.
 *
 *   asking   each guest is asked to shut down as soon as nothing that depends on it is up
 *   halting  time is short: the order does not matter any more, and who has been asked already is
 *            synced and halted
 *   killing  what is left is killed, so that all is proven dead when the budget is used up
 *
 * Guests stay wanted up: the next daemon starts them again. A daemon that is killed in the middle
 * takes the shutdown back in the same way: its successor brings up what is wanted. Protection from
 * stopping does not hold here.
 */
#ifndef UMLD_HOST_SHUTDOWN_H
#define UMLD_HOST_SHUTDOWN_H

#include "umld/umld.h"

#define HOST_SHUTDOWN_BUDGET_MS INT64_C(60000)

/* Begin, as a job; the call is answered at the end. One at a time: UM_E_BUSY. */
void host_shutdown_begin(struct umld *umld, struct api_call *call, int64_t budget_ms)
    um_nonnull(1, 2);
/* The daemon ends in the middle. */
void host_shutdown_free(struct umld *umld) um_nonnull(1);

/* Is one under way? Nothing is started then. */
bool host_shutdown_runs(const struct umld *umld) um_nonnull(1);

/* After-phase, between drain and store: ask who may go next; end when all are down. */
void host_shutdown_look(struct umld *umld) um_nonnull(1);

/* How much time it leaves a guest on this rung (enum guest_rung) of its ladder; 0: none. */
int64_t host_shutdown_left_ms(const struct umld *umld, int rung) um_nonnull(1);

#endif
