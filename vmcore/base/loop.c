#include "vmcore/base/loop.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/timer_heap.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>

enum { AFTER_MAX = 16 };

struct um_loop {
    struct event_base *base;
    struct {
        um_after_fn fn;
        void *arg;
    } after[AFTER_MAX];
    int after_count;
    bool stopping;
    struct um_timer_heap timers;
    struct event wake; /* for the first of them */
    int64_t wake_ns;   /* what wake is set to; 0: not set */
};

/* One event for both directions, and inside: there are several watches per guest. */
struct um_watch {
    struct event event;
    unsigned directions;
    um_watch_fn fn;
    void *arg;
};

struct um_signal {
    struct event *event;
    um_signal_fn fn;
    void *arg;
};

static void run_due(evutil_socket_t fd, short what, void *arg);

struct um_loop *um_loop_new(void)
{
    struct um_loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return NULL;
    signal(SIGPIPE, SIG_IGN);
    loop->base = event_base_new();
    if (!loop->base) {
        free(loop);
        return NULL;
    }
    evtimer_assign(&loop->wake, loop->base, run_due, loop);
    return loop;
}

void um_loop_free(struct um_loop *loop)
{
    if (!loop)
        return;
    evtimer_del(&loop->wake);
    event_base_free(loop->base);
    um_timer_heap_done(&loop->timers);
    free(loop);
}

static void run_after(struct um_loop *loop)
{
    bool again;

    do {
        again = false;
        for (int i = 0; i < loop->after_count; i++)
            again = loop->after[i].fn(loop->after[i].arg) || again;
    } while (again);
}

/* Once a round is enough: timers are armed by callbacks and hooks, and then the round ends. */
static void set_wake(struct um_loop *loop)
{
    const struct um_timer *first = um_timer_heap_first(&loop->timers);
    int64_t due = first ? first->due_ns : 0, left;
    struct timeval tv;

    if (due == loop->wake_ns)
        return;
    loop->wake_ns = due;
    if (!first) {
        evtimer_del(&loop->wake);
        return;
    }
    left = due - um_clock_mono_ns();
    left = left > 0 ? (left + 999) / 1000 : 0; /* microseconds */
    tv.tv_sec = left / 1000000;
    tv.tv_usec = left % 1000000;
    evtimer_add(&loop->wake, &tv);
}

void um_loop_run(struct um_loop *loop)
{
    run_after(loop);
    while (!loop->stopping) {
        set_wake(loop);
        if (event_base_loop(loop->base, EVLOOP_ONCE) != 0)
            break;
        run_after(loop);
    }
    loop->stopping = false;
}

void um_loop_stop(struct um_loop *loop)
{
    loop->stopping = true;
    event_base_loopbreak(loop->base);
}

bool um_loop_add_after(struct um_loop *loop, um_after_fn fn, void *arg)
{
    if (loop->after_count == AFTER_MAX)
        return false;
    loop->after[loop->after_count].fn = fn;
    loop->after[loop->after_count++].arg = arg;
    return true;
}

static void watch_cb(evutil_socket_t fd, short what, void *arg)
{
    struct um_watch *w = arg;

    w->fn((int)fd, (what & EV_READ ? UM_READ : 0u) | (what & EV_WRITE ? UM_WRITE : 0u), w->arg);
}

struct um_watch *um_watch_new(struct um_loop *loop, int fd, unsigned directions, um_watch_fn fn,
                              void *arg)
{
    struct um_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->fn = fn;
    w->arg = arg;
    event_assign(&w->event, loop->base, fd, EV_READ | EV_PERSIST, watch_cb, w);
    um_watch_set(w, directions);
    return w;
}

void um_watch_set(struct um_watch *w, unsigned directions)
{
    if (directions == w->directions)
        return;
    w->directions = directions;
    event_del(&w->event);
    if (!directions)
        return;
    event_assign(&w->event, event_get_base(&w->event), event_get_fd(&w->event),
                 (short)((directions & UM_READ ? EV_READ : 0) |
                         (directions & UM_WRITE ? EV_WRITE : 0) | EV_PERSIST),
                 watch_cb, w);
    event_add(&w->event, NULL);
}

void um_watch_free(struct um_watch *w)
{
    if (!w)
        return;
    event_del(&w->event);
    free(w);
}

/* Those that are due now: what they arm is for a later round, even with no delay. */
static void run_due(um_unused evutil_socket_t fd, um_unused short what, void *arg)
{
    struct um_loop *loop = arg;
    int64_t now = um_clock_mono_ns();
    struct um_timer *t;

    loop->wake_ns = 0;
    while (!loop->stopping && (t = um_timer_heap_first(&loop->timers)) && t->due_ns <= now) {
        um_timer_heap_take(&loop->timers, t);
        t->fn(t->arg); /* may free it, and any other */
    }
}

struct um_timer *um_timer_new(struct um_loop *loop, um_timer_fn fn, void *arg)
{
    struct um_timer *t = calloc(1, sizeof(*t));

    if (!t || !um_timer_heap_reserve(&loop->timers)) {
        free(t);
        return NULL;
    }
    t->loop = loop;
    t->fn = fn;
    t->arg = arg;
    return t;
}

void um_timer_arm(struct um_timer *t, int64_t delay_ns)
{
    t->due_ns = um_clock_mono_ns() + (delay_ns > 0 ? delay_ns : 0);
    um_timer_heap_put(&t->loop->timers, t);
}

void um_timer_disarm(struct um_timer *t)
{
    um_timer_heap_take(&t->loop->timers, t);
}

bool um_timer_armed(const struct um_timer *t)
{
    return t->place != 0;
}

int64_t um_timer_left_ns(const struct um_timer *t)
{
    int64_t left = um_timer_armed(t) ? t->due_ns - um_clock_mono_ns() : 0;

    return left > 0 ? left : 0;
}

void um_timer_free(struct um_timer *t)
{
    if (!t)
        return;
    um_timer_heap_take(&t->loop->timers, t);
    um_timer_heap_release(&t->loop->timers);
    free(t);
}

static void signal_cb(evutil_socket_t signo, um_unused short what, void *arg)
{
    struct um_signal *s = arg;

    s->fn((int)signo, s->arg);
}

struct um_signal *um_signal_new(struct um_loop *loop, int signo, um_signal_fn fn, void *arg)
{
    struct um_signal *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->fn = fn;
    s->arg = arg;
    s->event = evsignal_new(loop->base, signo, signal_cb, s);
    if (!s->event || evsignal_add(s->event, NULL) != 0) {
        if (s->event)
            event_free(s->event);
        free(s);
        return NULL;
    }
    return s;
}

void um_signal_free(struct um_signal *s)
{
    if (!s)
        return;
    event_free(s->event);
    free(s);
}
