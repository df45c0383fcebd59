/*
 * The event loop of umld: libevent with an explicit after-phase.
 *
 * One round = wait, run callbacks (they read, decode and post), then the after-phase hooks in the
 * order they were added (drain state machines, commit, reply, free). Nothing outside vmcore/base
 * includes libevent. Single-threaded.
 */
#ifndef VMCORE_BASE_LOOP_H
#define VMCORE_BASE_LOOP_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct um_loop;
struct um_watch; /* a descriptor being watched */
struct um_timer;
struct um_signal;

enum { UM_READ = 1, UM_WRITE = 2 };

typedef void (*um_watch_fn)(int fd, unsigned ready, void *arg); /* ready: UM_READ|UM_WRITE */
typedef void (*um_timer_fn)(void *arg);
typedef void (*um_signal_fn)(int signo, void *arg);
typedef bool (*um_after_fn)(void *arg); /* true: there is more to do, run another round at once */

struct um_loop *um_loop_new(void) um_check;
void um_loop_free(struct um_loop *loop);
void um_loop_run(struct um_loop *loop) um_nonnull(1); /* until um_loop_stop() */
void um_loop_stop(struct um_loop *loop) um_nonnull(1);

/* Hooks run in the order of registration, each round, repeated while any returns true. */
bool um_loop_add_after(struct um_loop *loop, um_after_fn fn, void *arg) um_nonnull(1, 2) um_check;

/*
 * Watch fd (not owned) for the given directions until changed or freed. Freeing inside its own
 * callback is allowed. NULL: no memory.
 */
struct um_watch *um_watch_new(struct um_loop *loop, int fd, unsigned directions, um_watch_fn fn,
                              void *arg) um_nonnull(1, 4) um_check;
void um_watch_set(struct um_watch *w, unsigned directions) um_nonnull(1);
void um_watch_free(struct um_watch *w);

/* One-shot timer, created disarmed. */
struct um_timer *um_timer_new(struct um_loop *loop, um_timer_fn fn, void *arg)
    um_nonnull(1, 2) um_check;
void um_timer_arm(struct um_timer *t, int64_t delay_ns) um_nonnull(1);
void um_timer_disarm(struct um_timer *t) um_nonnull(1);
bool um_timer_armed(const struct um_timer *t) um_nonnull(1);
/* Until it fires; 0: not armed, or late. */
int64_t um_timer_left_ns(const struct um_timer *t) um_nonnull(1);
void um_timer_free(struct um_timer *t);

struct um_signal *um_signal_new(struct um_loop *loop, int signo, um_signal_fn fn, void *arg)
    um_nonnull(1, 3) um_check;
void um_signal_free(struct um_signal *s);

#endif
