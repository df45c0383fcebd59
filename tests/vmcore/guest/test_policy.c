/*
 * What follows the end of a guest.
 */
#include "tests/check_run.h"
#include "vmcore/guest/policy.h"

#include <check.h>
#include <string.h>

#define EXITED(n)   ((n) << 8)
#define SIGNALED(n) (n)

static struct policy_input input(enum guest_restart restart, int wait_status)
{
    return (struct policy_input){
        .end = {.kind = POLICY_END_EXIT, .wait_status = wait_status, .uptime_ms = 5000},
        .restart = restart,
        .want_up = true,
    };
}

static struct policy_verdict decide(const struct policy_input *in)
{
    struct policy_verdict v;

    policy_decide(in, &v);
    return v;
}

START_TEST(a_clean_end_stays_down_unless_restart_is_always)
{
    for (int r = 0; r < RESTART_COUNT; r++) {
        struct policy_input in = input((enum guest_restart)r, EXITED(0));
        struct policy_verdict v = decide(&in);

        ck_assert_int_eq(v.event, r == RESTART_ALWAYS ? GUEST_R_RETRY : GUEST_R_DONE);
        ck_assert(v.want_up == (r == RESTART_ALWAYS));
    }
}
END_TEST

START_TEST(an_end_that_nobody_can_tell_is_no_failure_unless_it_hung)
{
    struct policy_input in = input(RESTART_ON_FAILURE, 0);
    char text[128];

    in.end.kind = POLICY_END_UNTOLD;
    ck_assert_int_eq(decide(&in).event, GUEST_R_DONE);
    ck_assert_str_eq(policy_cause(&in.end, text, sizeof(text)),
                     "ended; how is known to its parent only");
    in.restart = RESTART_ALWAYS;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    in.end.hung = HANG_KILL;
    in.end.text = "no answer for 30 s";
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    ck_assert_str_eq(policy_cause(&in.end, text, sizeof(text)), "hung: no answer for 30 s");
    in.end.hung = HANG_RESTART;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    in = input(RESTART_ALWAYS, 0);
    in.end.kind = POLICY_END_LEFT;
    in.want_up = false;
    ck_assert_int_eq(decide(&in).event, GUEST_R_DONE);
    ck_assert_str_eq(policy_cause(&in.end, text, sizeof(text)), "let go; it runs on");
}
END_TEST

START_TEST(a_failure_is_retried_or_shown)
{
    static const int statuses[] = {EXITED(3), SIGNALED(6), SIGNALED(9)};

    for (size_t i = 0; i < UM_ARRAY_LEN(statuses); i++)
        for (int r = 0; r < RESTART_COUNT; r++) {
            struct policy_input in = input((enum guest_restart)r, statuses[i]);
            struct policy_verdict v = decide(&in);

            ck_assert_int_eq(v.event, r == RESTART_NEVER ? GUEST_R_FAIL : GUEST_R_RETRY);
            ck_assert_uint_eq(v.failures, 1);
            if (r != RESTART_NEVER)
                ck_assert_int_eq(v.delay_ms, POLICY_DELAY_MIN_MS);
        }
}
END_TEST

START_TEST(a_panic_or_a_time_limit_is_a_failure_whatever_the_status)
{
    struct policy_input in = input(RESTART_ON_FAILURE, EXITED(0));

    in.end.panicked = true;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    in.end.panicked = false;
    in.end.timed_out = true;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
}
END_TEST

START_TEST(a_hung_guest_is_restarted_or_left_down_by_its_hang_policy_alone)
{
    for (int r = 0; r < RESTART_COUNT; r++) {
        struct policy_input in = input((enum guest_restart)r, SIGNALED(9));
        char text[64];

        in.end.text = "no answer for 30 s";
        in.end.hung = HANG_RESTART;
        ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
        ck_assert_int_eq(decide(&in).delay_ms, POLICY_DELAY_MIN_MS);
        in.end.hung = HANG_KILL;
        ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
        ck_assert_str_eq(policy_cause(&in.end, text, sizeof(text)), "hung: no answer for 30 s");
        in.want_up = false; /* its owner stopped it meanwhile */
        ck_assert_int_eq(decide(&in).event, GUEST_R_DONE);
    }
}
END_TEST

START_TEST(a_guest_that_hangs_for_ever_is_given_up_like_any_other)
{
    struct policy_input in = input(RESTART_NEVER, SIGNALED(9));

    in.end.hung = HANG_RESTART;
    in.failures = POLICY_FAILURES_MAX - 1;
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
}
END_TEST

START_TEST(a_panic_while_it_was_being_killed_is_the_cause)
{
    struct policy_input in = input(RESTART_NEVER, SIGNALED(6));
    char text[64];

    in.end.hung = HANG_RESTART;
    in.end.panicked = true;
    in.end.text = "oops";
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    ck_assert_str_eq(policy_cause(&in.end, text, sizeof(text)), "kernel panic: oops");
}
END_TEST

START_TEST(five_failures_in_a_row_are_enough)
{
    struct policy_input in = input(RESTART_ON_FAILURE, EXITED(1));
    int64_t delay = POLICY_DELAY_MIN_MS;

    for (unsigned i = 1; i < POLICY_FAILURES_MAX; i++, delay *= 2) {
        struct policy_verdict v = decide(&in);

        ck_assert_int_eq(v.event, GUEST_R_RETRY);
        ck_assert_int_eq(v.delay_ms, delay);
        ck_assert_uint_eq(v.failures, i);
        ck_assert(!v.braked);
        in.failures = v.failures;
        in.ends = v.ends;
    }
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    ck_assert(decide(&in).braked);
    ck_assert(!decide(&in).want_up);
}
END_TEST

START_TEST(a_long_life_forgets_earlier_failures)
{
    struct policy_input in = input(RESTART_ON_FAILURE, EXITED(1));

    in.failures = in.ends = POLICY_FAILURES_MAX;
    in.end.uptime_ms = POLICY_STABLE_MS;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    ck_assert_uint_eq(decide(&in).failures, 1);
    ck_assert_int_eq(decide(&in).delay_ms, POLICY_DELAY_MIN_MS);
}
END_TEST

START_TEST(restart_always_backs_off_but_never_fails_on_clean_ends)
{
    struct policy_input in = input(RESTART_ALWAYS, EXITED(0));
    int64_t last = 0;

    for (int i = 0; i < 5000; i++) {
        struct policy_verdict v = decide(&in);

        ck_assert_int_eq(v.event, GUEST_R_RETRY);
        ck_assert_int_ge(v.delay_ms, last);
        ck_assert_int_le(v.delay_ms, POLICY_DELAY_MAX_MS);
        ck_assert_uint_eq(v.failures, 0);
        last = v.delay_ms;
        in.ends = v.ends;
    }
    ck_assert_int_eq(last, POLICY_DELAY_MAX_MS);
}
END_TEST

START_TEST(restart_always_has_the_brake_for_crashes_and_clean_ends_do_not_count_as_such)
{
    struct policy_input in = input(RESTART_ALWAYS, EXITED(0));

    in.failures = POLICY_FAILURES_MAX - 1;
    in.ends = 20;
    ck_assert_uint_eq(decide(&in).failures, 0);
    in.end.wait_status = SIGNALED(6);
    in.failures = 0;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    ck_assert_uint_eq(decide(&in).failures, 1);
    ck_assert_int_eq(decide(&in).delay_ms, POLICY_DELAY_MAX_MS);
    in.failures = POLICY_FAILURES_MAX - 1;
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    ck_assert(decide(&in).braked);
}
END_TEST

START_TEST(a_failure_that_is_final_anyway_is_not_the_brakes)
{
    struct policy_input in = input(RESTART_NEVER, EXITED(1));

    in.failures = POLICY_FAILURES_MAX;
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    ck_assert(!decide(&in).braked);
}
END_TEST

START_TEST(a_user_who_stopped_it_is_obeyed_and_one_who_started_it_again_too)
{
    struct policy_input in = input(RESTART_ALWAYS, SIGNALED(9));

    in.want_up = false;
    in.failures = 3;
    ck_assert_int_eq(decide(&in).event, GUEST_R_DONE);
    ck_assert_uint_eq(decide(&in).failures, 0);
    in.want_up = in.start_asked = true;
    in.restart = RESTART_NEVER;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    ck_assert_int_eq(decide(&in).delay_ms, 0);
}
END_TEST

START_TEST(errors_that_stay_are_not_retried)
{
    struct policy_input in = input(RESTART_ALWAYS, 0);

    in.end.kind = POLICY_END_PREPARE;
    ck_assert_int_eq(decide(&in).event, GUEST_R_FAIL);
    in.end.retryable = true;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    in.end.kind = POLICY_END_LOST;
    in.end.retryable = false;
    ck_assert_int_eq(decide(&in).event, GUEST_R_RETRY);
    in.end.kind = POLICY_END_CANCEL;
    ck_assert_int_eq(decide(&in).event, GUEST_R_DONE);
}
END_TEST

static const struct {
    struct policy_end end;
    const char *text;
} causes[] = {
    {{.kind = POLICY_END_EXIT, .wait_status = EXITED(0)}, "powered off"},
    {{.kind = POLICY_END_EXIT, .wait_status = EXITED(3)}, "exit status 3"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(9)}, "killed by signal 9 (Killed)"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(6)},
     "killed by signal 6 (Aborted), probably a kernel panic"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(6), .panicked = true, .text = "no init"},
     "kernel panic: no init"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(6), .panicked = true}, "kernel panic"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(9), .timed_out = true}, "not ready in time"},
    {{.kind = POLICY_END_EXIT, .wait_status = EXITED(0), .stopping = true}, "stopped"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(9), .stopping = true}, "killed"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(6), .panicked = true, .starved = true},
     "killed by the host: its memory limit (limit:memory) was reached"},
    {{.kind = POLICY_END_EXIT, .wait_status = SIGNALED(9), .starved = true, .stopping = true},
     "killed"},
    {{.kind = POLICY_END_LOST}, "monitor died"},
    {{.kind = POLICY_END_PREPARE, .text = "disk is gone"}, "cannot start: disk is gone"},
    {{.kind = POLICY_END_SPAWN}, "cannot start: its monitor could not be started"},
    {{.kind = POLICY_END_CANCEL}, "stopped before it was started"},
};

START_TEST(causes_read_well)
{
    char buf[200], small[8];

    ck_assert_str_eq(policy_cause(&causes[_i].end, buf, sizeof(buf)), causes[_i].text);
    ck_assert_uint_lt(strlen(policy_cause(&causes[_i].end, small, sizeof(small))), sizeof(small));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *t = tcase_create("end");

    tcase_add_test(t, a_clean_end_stays_down_unless_restart_is_always);
    tcase_add_test(t, an_end_that_nobody_can_tell_is_no_failure_unless_it_hung);
    tcase_add_test(t, a_failure_is_retried_or_shown);
    tcase_add_test(t, a_panic_or_a_time_limit_is_a_failure_whatever_the_status);
    tcase_add_test(t, a_hung_guest_is_restarted_or_left_down_by_its_hang_policy_alone);
    tcase_add_test(t, a_guest_that_hangs_for_ever_is_given_up_like_any_other);
    tcase_add_test(t, a_panic_while_it_was_being_killed_is_the_cause);
    tcase_add_test(t, five_failures_in_a_row_are_enough);
    tcase_add_test(t, a_long_life_forgets_earlier_failures);
    tcase_add_test(t, restart_always_backs_off_but_never_fails_on_clean_ends);
    tcase_add_test(t, restart_always_has_the_brake_for_crashes_and_clean_ends_do_not_count_as_such);
    tcase_add_test(t, a_failure_that_is_final_anyway_is_not_the_brakes);
    tcase_add_test(t, a_user_who_stopped_it_is_obeyed_and_one_who_started_it_again_too);
    tcase_add_test(t, errors_that_stay_are_not_retried);
    tcase_add_loop_test(t, causes_read_well, 0, UM_ARRAY_LEN(causes));
    suite_add_tcase(s, t);
    return check_run(s);
}
