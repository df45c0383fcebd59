/*
 * The orderly stop: a ladder of rungs, each with a time limit of its own, each told by an event
 * guest.stop-step when it is left.
 *
 *   resume   a paused guest, or one whose pause is under way, cannot shut down
 *   cad      Ctrl-Alt-Del: its init shuts down (stop-seconds, or what the call gives)
 *   sync     its kernel writes what is dirty, and remounts its disks read-only (sync-seconds each)
 *   remount
 *   halt     its kernel ends (halt-seconds)
 *   kill     everything of it is killed; until it is proven dead
 *
 * One that comes up again instead of ending (a reboot in place) goes to halt at once: nothing is
 * mounted yet. Where a guest is on the ladder and until when is stored, so that the next daemon
 * goes on there.
 */
#ifndef UMLD_GUEST_LADDER_H
#define UMLD_GUEST_LADDER_H

#include "umld/guest.h"

enum guest_rung {
    RUNG_RESUME,
    RUNG_CAD,
    RUNG_SYNC,
    RUNG_REMOUNT,
    RUNG_HALT,
    RUNG_KILL,
    RUNG_COUNT
};

/* Where to begin, from an action: EFFECT_LADDER climbs. */
void guest_ladder_from(struct guest *g, enum guest_rung rung) um_nonnull(1);
/* The next U_STOP is one the daemon before this one has begun: go on there. */
void guest_ladder_go_on(struct guest *g, bool rebooted) um_nonnull(1);

/* All rungs in the worst case, ms: the time limit of the state. */
int64_t guest_ladder_limit_ms(const struct guest *g) um_nonnull(1);

/* Leave the guest no more time to shut down: on to sync. Nothing if it is beyond that. */
void guest_ladder_hurry(struct guest *g) um_nonnull(1);

/* It is being killed: from now on, unless that was so already. */
void guest_ladder_kill(struct guest *g) um_nonnull(1);

/* It has left the rung it is on: `down`, `taken back`. */
void guest_ladder_leave(struct guest *g, const char *result) um_nonnull(1, 2);

/*
 * The end is proven: what ended it, as in the reply of Guest.Stop; NULL if nobody had asked it to
 * end.
 */
const char *guest_ladder_how(const struct guest *g) um_nonnull(1);

#endif
