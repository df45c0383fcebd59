#include "tests/vmcore/base/suite.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct um_loop *loop;
static char trace[256];
static int rounds;

static void note(const char *what)
{
    strncat(trace, what, sizeof(trace) - strlen(trace) - 1);
}

static bool after_a(um_unused void *arg)
{
    note("A");
    return rounds > 0 && rounds-- > 0;
}

static bool after_b(um_unused void *arg)
{
    note("B");
    return false;
}

static void fire(um_unused void *arg)
{
    note("t");
    rounds = 1;
    um_loop_stop(loop);
}

START_TEST(hooks_run_in_order_after_callbacks_until_none_has_more)
{
    struct um_timer *timer;

    loop = um_loop_new();
    ck_assert(um_loop_add_after(loop, after_a, NULL) && um_loop_add_after(loop, after_b, NULL));
    timer = um_timer_new(loop, fire, NULL);
    ck_assert(!um_timer_armed(timer));
    um_timer_arm(timer, 0);
    ck_assert(um_timer_armed(timer));
    um_loop_run(loop);
    ck_assert(!um_timer_armed(timer));
    /* Before the first wait; then the timer, and twice because A had more. */
    ck_assert_str_eq(trace, "ABtABAB");
    um_timer_free(timer);
    um_loop_free(loop);
}
END_TEST

START_TEST(hooks_are_limited_not_overrun)
{
    int added = 0;

    loop = um_loop_new();
    while (added < 1000 && um_loop_add_after(loop, after_b, NULL))
        added++;
    ck_assert_int_lt(added, 1000);
    um_loop_free(loop);
}
END_TEST

static struct um_watch *watch;

static void both_ready(int fd, um_unused unsigned ready, um_unused void *arg)
{
    char c;

    note(read(fd, &c, 1) == 1 ? "r" : "-");
    um_watch_free(watch); /* the write event of the same round must not come */
    um_loop_stop(loop);
}

START_TEST(a_watch_may_be_freed_in_its_own_callback)
{
    int fds[2];

    loop = um_loop_new();
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    watch = um_watch_new(loop, fds[0], UM_READ | UM_WRITE, both_ready, NULL);
    um_loop_run(loop);
    ck_assert_str_eq(trace, "r");
    um_loop_free(loop);
}
END_TEST

/* ---- many timers ---- */

enum { TIMERS = 500, STEP_NS = 20000 };

static struct timer_turn {
    struct um_timer *timer;
    int64_t rank;
} turns[TIMERS];
static int64_t last_rank;
static int fired;

static void in_turn(void *arg)
{
    struct timer_turn *turn = arg, *other = &turns[(turn - turns) * 7 % TIMERS];

    ck_assert_int_ge(turn->rank, last_rank);
    last_rank = turn->rank;
    fired++;
    if (turn->rank % 3 == 0) {
        um_timer_free(turn->timer);
        turn->timer = NULL;
    }
    /* One that is due perhaps in this very round, and one that has had its turn. */
    if (other->timer && other->rank % 5 == 0) {
        fired += um_timer_armed(other->timer);
        um_timer_disarm(other->timer);
        ck_assert(!um_timer_armed(other->timer));
    }
    if (fired == TIMERS)
        um_loop_stop(loop);
}

START_TEST(timers_fire_in_the_order_in_which_they_are_due)
{
    loop = um_loop_new();
    for (int i = 0; i < TIMERS; i++) {
        turns[i].timer = um_timer_new(loop, in_turn, &turns[i]);
        turns[i].rank = i * 337 % TIMERS;
        um_timer_arm(turns[i].timer, INT64_C(3600000000000));
    }
    /* Armed again in another order, now for their turns: far enough apart to be told apart. */
    for (int i = TIMERS - 1; i >= 0; i--)
        um_timer_arm(turns[i].timer, 0);
    for (int rank = 0; rank < TIMERS; rank++)
        for (int i = 0; i < TIMERS; i++)
            if (turns[i].rank == rank)
                um_timer_arm(turns[i].timer, rank * STEP_NS);
    um_loop_run(loop);
    ck_assert_int_eq(fired, TIMERS);
    for (int i = 0; i < TIMERS; i++)
        um_timer_free(turns[i].timer);
    um_loop_free(loop);
}
END_TEST

static struct um_timer *again, *other;
static int left_to_do;

static void arm_again(um_unused void *arg)
{
    note("t");
    if (--left_to_do > 0)
        um_timer_arm(again, 0);
    else
        um_loop_stop(loop);
}

START_TEST(a_timer_armed_with_no_delay_in_its_callback_waits_for_the_hooks)
{
    loop = um_loop_new();
    left_to_do = 3;
    ck_assert(um_loop_add_after(loop, after_b, NULL));
    again = um_timer_new(loop, arm_again, NULL);
    um_timer_arm(again, 0);
    um_loop_run(loop);
    ck_assert_str_eq(trace, "BtBtBtB");
    um_timer_free(again);
    um_loop_free(loop);
}
END_TEST

static char first_name[] = "1", second_name[] = "2";

static void stop_and_note(void *arg)
{
    note(arg);
    um_loop_stop(loop);
}

START_TEST(a_timer_that_was_armed_earlier_again_does_not_wait_for_its_former_time)
{
    loop = um_loop_new();
    again = um_timer_new(loop, stop_and_note, first_name);
    other = um_timer_new(loop, stop_and_note, second_name);
    um_timer_arm(again, INT64_C(3600000000000));
    ck_assert_int_gt(um_timer_left_ns(again), INT64_C(3500000000000));
    um_timer_arm(other, INT64_C(1000000));
    um_loop_run(loop);
    ck_assert_int_eq(um_timer_left_ns(other), 0);
    um_timer_arm(again, INT64_C(1000000));
    um_loop_run(loop);
    ck_assert_str_eq(trace, "21");
    um_timer_free(again);
    um_timer_free(other);
    um_timer_free(NULL);
    um_loop_free(loop);
}
END_TEST

static void on_signal(int signo, um_unused void *arg)
{
    note(signo == SIGUSR1 ? "u" : "?");
    um_loop_stop(loop);
}

START_TEST(signals_are_callbacks)
{
    struct um_signal *s;

    loop = um_loop_new();
    s = um_signal_new(loop, SIGUSR1, on_signal, NULL);
    raise(SIGUSR1);
    um_loop_run(loop);
    ck_assert_str_eq(trace, "u");
    um_signal_free(s);
    um_signal_free(NULL);
    um_loop_free(loop);
}
END_TEST

START_TEST(times_are_written_in_utc)
{
    char text[UM_CLOCK_TEXT_SIZE];

    ck_assert_str_eq(um_clock_rfc3339(INT64_C(1795432500123456789), text),
                     "2026-11-23T11:15:00.123456Z");
    ck_assert_str_eq(um_clock_rfc3339(0, text), "1970-01-01T00:00:00.000000Z");
    ck_assert_str_eq(um_clock_rfc3339(-1000, text), "1969-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(clocks_and_identities_of_processes_are_steady)
{
    int64_t t = um_clock_mono_ns(), start = um_clock_process_start(getpid());

    ck_assert_int_le(t, um_clock_mono_ns());
    ck_assert_int_gt(start, 0);
    ck_assert_int_eq(start, um_clock_process_start(getpid()));
    ck_assert_int_ge(start, um_clock_process_start(getppid()));
    ck_assert_int_eq(um_clock_process_start(0x7ffffff0), -1);
    ck_assert_uint_eq(strlen(um_clock_boot_id()), 36);
}
END_TEST

START_TEST(times_are_read_back_as_they_were_written_and_nothing_else_is)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"2026-11-23T11:15:00.123456Z", INT64_C(1795432500123456000)},
        {"2026-11-23 11:15:00Z", INT64_C(1795432500000000000)},
        {"2026-11-23T13:15:00+02:00", INT64_C(1795432500000000000)},
        {"2026-11-23T05:45:00.5-05:30", INT64_C(1795432500500000000)},
        {"1970-01-01T00:00:00Z", 0},
    };
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-11-23",
                                      "2026-11-23T11:15:00",
                                      "2026-11-23T11:15Z",
                                      "2026-11-23T11:15:00z",
                                      "2026-13-23T11:15:00Z",
                                      "2026-11-23T25:15:00Z",
                                      "2026-11-23T11:15:00+2",
                                      "2026-11-23T11:15:00+99:00",
                                      "  26-11-23T11:15:00Z",
                                      "2026-11-23T11:15:00Zx",
                                      "2999-11-23T11:15:00Z",
                                      "0001-11-23T11:15:00Z"};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        int64_t ns = -1;

        ck_assert_msg(um_clock_from_rfc3339(rows[i].text, &ns) && ns == rows[i].ns, "%s: %lld",
                      rows[i].text, (long long)ns);
    }
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++) {
        int64_t ns = -1;

        ck_assert_msg(!um_clock_from_rfc3339(bad[i], &ns) && ns == -1, "%s", bad[i]);
    }
}
END_TEST

static const struct suite_test tests[] = {
    {&hooks_run_in_order_after_callbacks_until_none_has_more, 0},
    {&hooks_are_limited_not_overrun, 0},
    {&a_watch_may_be_freed_in_its_own_callback, 0},
    {&timers_fire_in_the_order_in_which_they_are_due, 0},
    {&a_timer_armed_with_no_delay_in_its_callback_waits_for_the_hooks, 0},
    {&a_timer_that_was_armed_earlier_again_does_not_wait_for_its_former_time, 0},
    {&signals_are_callbacks, 0},
    {&times_are_written_in_utc, 0},
    {&times_are_read_back_as_they_were_written_and_nothing_else_is, 0},
    {&clocks_and_identities_of_processes_are_steady, 0},
};
SUITE_MAIN("loop", tests)
