/*
 * Is a running guest's kernel still there? umld pings it (mconsole `version`, on a lane of its own)
 * and knows what a missing answer means: docs/signals.md says what users see of it.
 *
 *   OFF          not running, or about to pause or reboot, or hang=none
 *   RESPONSIVE   it answered the last time; the next ping comes after an interval that grows while
 *                the guest is idle and answers at once, and is short after a late answer
 *   SUSPECT      a ping has been unanswered for a third of the limit (setting hang-seconds)
 *   HUNG         for the whole of it: evidence is kept, the event is told, the policy (hang=)
 * obeyed
 *
 * Time without an answer is counted in slices, a tenth of the limit each. A slice counts once
 * however late it was noticed, so a host that was suspended, or a umld that was stopped, makes no
 * hang of it; and it counts the less the longer the guest waited for a CPU in it, so that an
 * overloaded host gets up to ten times the limit. Any answer on any lane is a sign of life.
 */
#ifndef UMLD_GUEST_WATCH_H
#define UMLD_GUEST_WATCH_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct guest;
struct um_buf;
struct um_timer;

enum guest_watch_state { WATCH_OFF, WATCH_RESPONSIVE, WATCH_SUSPECT, WATCH_HUNG, WATCH_COUNT };

struct guest_watch {
    enum guest_watch_state state;
    struct um_timer *timer; /* the next ping, or the end of the slice */
    unsigned round;         /* answers to pings of an earlier one mean nothing */
    bool asked;             /* a ping is under way since sent_ns */
    bool waiting;           /* for a sign of life, since waiting_ns, in this slice since slice_ns */
    int64_t sent_ns, waiting_ns, slice_ns, heard_ns;
    int64_t cpu_wait_ns; /* of main at the beginning of the slice, -1: not known */
    int64_t silent_ms;
    int64_t interval_ms;
    int64_t cpu_ticks, cpu_ns; /* of main at the last answer, and when that was */
    unsigned pings;
    int64_t hung_ns;     /* when it began to hang, as far as this umld saw it */
    int64_t reported_ns; /* last word of its own watchdog */
};

/* Watched or not, by what holds now. After each change of the guest. */
void guest_watch_update(struct guest *g) um_nonnull(1);
/* It is another kernel by now, and told so itself. */
void guest_watch_rebooted(struct guest *g) um_nonnull(1);
/* Its own watchdog says that nobody wrote to /dev/watchdog (mconsole notification HANG). */
void guest_watch_reported(struct guest *g) um_nonnull(1);
void guest_watch_done(struct guest *g) um_nonnull(1);

/* `responsive`, `suspect`, `hung`; NULL for off. */
const char *guest_watch_name(enum guest_watch_state s);

#endif
