#include "tests/vmcore/monitor/suite.h"
#include "vmcore/base/clock.h"
#include "vmcore/monitor/loop.h"

#include <unistd.h>

static struct mon_loop loop;
static struct mon_watch watches[2];
static int calls;

static void stop_both(uint32_t events, void *arg)
{
    calls++;
    mon_watch_stop(&loop, &watches[0]);
    mon_watch_stop(&loop, &watches[1]);
    loop.stop = true;
}

START_TEST(a_watch_stopped_by_another_callback_is_not_called)
{
    int pipes[2][2];

    ck_assert(mon_loop_init(&loop));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pipe(pipes[i]), 0);
        ck_assert_int_eq(write(pipes[i][1], "x", 1), 1);
        ck_assert(mon_watch_start(&loop, &watches[i], pipes[i][0], EPOLLIN, stop_both, NULL));
    }
    mon_loop_run(&loop);
    ck_assert_int_eq(calls, 1); /* both were ready in the same round */
    mon_loop_done(&loop);
}
END_TEST

static void tick(void *arg)
{
    calls++;
    *(int64_t *)arg = um_clock_mono_ns();
}

static void stop(void *arg)
{
    loop.stop = true;
}

START_TEST(timers_run_when_due_once_and_not_when_disarmed)
{
    struct mon_timer a = {0}, b = {0}, c = {0}, end = {0};
    int64_t at_a = 0, at_b = 0, at_c = 0, start = um_clock_mono_ns();

    ck_assert(mon_loop_init(&loop));
    mon_timer_arm(&loop, &a, 20 * UM_MS_NS, tick, &at_a);
    mon_timer_arm(&loop, &b, 10 * UM_MS_NS, tick, &at_b);
    mon_timer_arm(&loop, &c, 5 * UM_MS_NS, tick, &at_c);
    mon_timer_arm(&loop, &end, 40 * UM_MS_NS, stop, NULL);
    mon_timer_disarm(&c);
    ck_assert(!mon_timer_armed(&c));
    mon_loop_run(&loop);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_ge(at_a - start, 20 * UM_MS_NS);
    ck_assert_int_ge(at_b - start, 10 * UM_MS_NS);
    ck_assert_int_lt(at_b, at_a);
    mon_loop_done(&loop);
}
END_TEST

SUITE_MAIN("loop", a_watch_stopped_by_another_callback_is_not_called,
           timers_run_when_due_once_and_not_when_disarmed)
