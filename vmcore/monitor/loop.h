/*
 * A small epoll loop: descriptors with level-triggered callbacks and a few timers. umlmon has its
 * own because libevent alone would take more memory than umlmon may.
 */
#ifndef VMCORE_MONITOR_LOOP_H
#define VMCORE_MONITOR_LOOP_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum { MON_LOOP_BATCH = 16 };

typedef void (*mon_watch_fn)(uint32_t events, void *arg); /* events: EPOLLIN, ... */
typedef void (*mon_timer_fn)(void *arg);

/* Embedded in its owner; the descriptor is not owned. */
struct mon_watch {
    int fd; /* -1: not watched */
    uint32_t events;
    mon_watch_fn fn;
    void *arg;
};

struct mon_timer {
    int64_t due_ns; /* 0: disarmed */
    mon_timer_fn fn;
    void *arg;
    struct mon_timer *next;
    bool linked;
};

struct mon_loop {
    int epoll;
    bool stop;
    struct mon_timer *timers;
    struct epoll_event batch[MON_LOOP_BATCH];
    int batch_len, batch_at;
};

bool mon_loop_init(struct mon_loop *l) um_nonnull(1) um_check;
void mon_loop_done(struct mon_loop *l) um_nonnull(1);
/* Until l->stop is set. */
void mon_loop_run(struct mon_loop *l) um_nonnull(1);

bool mon_watch_start(struct mon_loop *l, struct mon_watch *w, int fd, uint32_t events,
                     mon_watch_fn fn, void *arg) um_nonnull(1, 2, 5) um_check;
/* EPOLLHUP and EPOLLERR are reported even with 0. */
void mon_watch_set(struct mon_loop *l, struct mon_watch *w, uint32_t events) um_nonnull(1, 2);
/* Call before closing the descriptor; allowed inside any callback, w may be freed afterwards. */
void mon_watch_stop(struct mon_loop *l, struct mon_watch *w) um_nonnull(1, 2);

/* One shot; arming again moves it. The timer must outlive the loop. */
void mon_timer_arm(struct mon_loop *l, struct mon_timer *t, int64_t delay_ns, mon_timer_fn fn,
                   void *arg) um_nonnull(1, 2, 4);
void mon_timer_disarm(struct mon_timer *t) um_nonnull(1);
bool mon_timer_armed(const struct mon_timer *t) um_nonnull(1);

#endif
