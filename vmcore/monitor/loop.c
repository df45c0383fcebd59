#include "vmcore/monitor/loop.h"

#include "vmcore/base/clock.h"

#include <limits.h>
#include <unistd.h>

bool mon_loop_init(struct mon_loop *l)
{
    *l = (struct mon_loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll >= 0;
}

void mon_loop_done(struct mon_loop *l)
{
    if (l->epoll >= 0)
        close(l->epoll);
    l->epoll = -1;
}

bool mon_watch_start(struct mon_loop *l, struct mon_watch *w, int fd, uint32_t events,
                     mon_watch_fn fn, void *arg)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    *w = (struct mon_watch){.fd = fd, .events = events, .fn = fn, .arg = arg};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) == 0)
        return true;
    w->fd = -1;
    return false;
}

void mon_watch_set(struct mon_loop *l, struct mon_watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    if (w->fd < 0 || w->events == events)
        return;
    w->events = events;
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

void mon_watch_stop(struct mon_loop *l, struct mon_watch *w)
{
    if (w->fd < 0)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = -1;
    /* What was reported for it in this round must not reach a freed owner. */
    for (int i = l->batch_at; i < l->batch_len; i++)
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
}

void mon_timer_arm(struct mon_loop *l, struct mon_timer *t, int64_t delay_ns, mon_timer_fn fn,
                   void *arg)
{
    t->due_ns = um_clock_mono_ns() + (delay_ns > 0 ? delay_ns : 0);
    t->fn = fn;
    t->arg = arg;
    if (t->linked)
        return;
    t->linked = true;
    t->next = l->timers;
    l->timers = t;
}

void mon_timer_disarm(struct mon_timer *t)
{
    t->due_ns = 0;
}

bool mon_timer_armed(const struct mon_timer *t)
{
    return t->due_ns != 0;
}

static int next_timeout(const struct mon_loop *l)
{
    int64_t now = um_clock_mono_ns(), best = INT64_MAX;

    for (const struct mon_timer *t = l->timers; t; t = t->next)
        if (t->due_ns && t->due_ns < best)
            best = t->due_ns;
    if (best == INT64_MAX)
        return -1;
    if (best <= now)
        return 0;
    best = (best - now + UM_MS_NS - 1) / UM_MS_NS;
    return best > INT_MAX ? INT_MAX : (int)best;
}

static void run_timers(struct mon_loop *l)
{
    int64_t now = um_clock_mono_ns();

    for (struct mon_timer *t = l->timers; t; t = t->next) {
        if (!t->due_ns || t->due_ns > now)
            continue;
        t->due_ns = 0;
        t->fn(t->arg);
    }
}

void mon_loop_run(struct mon_loop *l)
{
    while (!l->stop) {
        int n = epoll_wait(l->epoll, l->batch, MON_LOOP_BATCH, next_timeout(l));

        l->batch_len = n > 0 ? n : 0;
        for (l->batch_at = 0; l->batch_at < l->batch_len;) {
            struct epoll_event e = l->batch[l->batch_at++];
            struct mon_watch *w = e.data.ptr;

            if (w)
                w->fn(e.events, w->arg);
        }
        l->batch_len = 0;
        run_timers(l);
    }
}
