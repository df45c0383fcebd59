/*
 * The rules every change of the state table must keep, and the table itself as a golden file.
 */
#include "tests/check_run.h"
#include "vmcore/guest/state.h"

#include "golden.h"

#include <check.h>

static bool defined(int s, int e)
{
    return guest_next((enum guest_state)s, (enum guest_event)e).defined;
}

static struct guest_transition next(int s, int e)
{
    return guest_next((enum guest_state)s, (enum guest_event)e);
}

static const struct guest_state_info *info(int s)
{
    return guest_state_info((enum guest_state)s);
}

START_TEST(every_transient_state_has_one_time_limit_and_no_stable_state_has_one)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++) {
        ck_assert_msg(info(s)->stable == (info(s)->timeout_ms == 0), "%s", info(s)->name);
        ck_assert_msg(info(s)->stable == !defined(s, GUEST_T_EXPIRED), "%s", info(s)->name);
        ck_assert_int_ge(info(s)->timeout_ms, 0);
    }
}
END_TEST

START_TEST(a_state_that_holds_a_process_hears_of_its_end_of_kill_and_of_a_lost_monitor)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++) {
        if (!info(s)->has_process)
            continue;
        ck_assert_msg(defined(s, GUEST_P_EXITED), "%s", info(s)->name);
        ck_assert_msg(defined(s, GUEST_U_KILL), "%s", info(s)->name);
        ck_assert_msg(defined(s, GUEST_N_LOST), "%s", info(s)->name);
        ck_assert_int_eq(next(s, GUEST_U_KILL).next, GUEST_KILLING);
        ck_assert_int_eq(next(s, GUEST_P_EXITED).next, GUEST_RELEASING);
        ck_assert_int_eq(next(s, GUEST_N_LOST).next, s);
    }
}
END_TEST

START_TEST(only_a_proven_end_leaves_the_states_that_hold_a_process)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++)
        for (int e = 0; e < GUEST_EVENT_COUNT; e++) {
            struct guest_transition t = next(s, e);

            if (!t.defined || !info(s)->has_process || info((int)t.next)->has_process)
                continue;
            /* SPAWN_ERR: the process never came to be. LEAVE: it never was ours, and goes on. */
            ck_assert_msg(e == GUEST_P_EXITED || e == GUEST_A_GONE || e == GUEST_P_SPAWN_ERR ||
                              e == GUEST_U_LEAVE,
                          "%s %s", info(s)->name, guest_event_name((enum guest_event)e));
            ck_assert_int_eq(t.next, GUEST_RELEASING);
            ck_assert_int_eq(t.action, e == GUEST_U_LEAVE ? GUEST_ACT_LEAVE : GUEST_ACT_RELEASE);
        }
}
END_TEST

START_TEST(a_process_appears_only_by_spawning_or_because_it_was_there)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++)
        for (int e = 0; e < GUEST_EVENT_COUNT; e++) {
            struct guest_transition t = next(s, e);

            if (t.defined && !info(s)->has_process && info((int)t.next)->has_process) {
                ck_assert_int_eq(t.action, e == GUEST_U_ADOPT ? GUEST_ACT_WATCH : GUEST_ACT_SPAWN);
                ck_assert(e == GUEST_R_READY || e == GUEST_U_ADOPT);
            }
            if (t.defined && t.action == GUEST_ACT_SPAWN)
                ck_assert(!info(s)->has_process);
            /* The daemon begins there; the only event that leads there is about what runs already.
             */
            if (t.defined && t.next == GUEST_ADOPTING)
                ck_assert(s == GUEST_ADOPTING || (s == GUEST_STOPPED && e == GUEST_U_ADOPT));
            if (t.defined && t.action == GUEST_ACT_ATTACH)
                ck_assert_int_eq(s, GUEST_ADOPTING);
        }
}
END_TEST

/* Bit set of what can be reached from a set of states. */
static unsigned reachable(unsigned set)
{
    for (unsigned before = 0; before != set;) {
        before = set;
        for (int s = 0; s < GUEST_STATE_COUNT; s++)
            for (int e = 0; e < GUEST_EVENT_COUNT; e++)
                if ((set & 1u << s) && defined(s, e))
                    set |= 1u << next(s, e).next;
    }
    return set;
}

START_TEST(every_state_is_reachable_and_can_reach_stopped)
{
    unsigned all = (1u << GUEST_STATE_COUNT) - 1;

    ck_assert_uint_eq(reachable(1u << GUEST_STOPPED), all);
    for (int s = 0; s < GUEST_STATE_COUNT; s++)
        ck_assert_msg(reachable(1u << s) & 1u << GUEST_STOPPED, "%s", info(s)->name);
}
END_TEST

START_TEST(start_stop_and_kill_are_possible_or_remembered_everywhere)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++) {
        ck_assert_msg(defined(s, GUEST_U_STOP), "%s", info(s)->name);
        ck_assert_msg(defined(s, GUEST_U_KILL), "%s", info(s)->name);
        /* A paused guest is up already; starting it says nothing about resuming. */
        ck_assert_msg(defined(s, GUEST_U_START) == (s != GUEST_PAUSED), "%s", info(s)->name);
    }
}
END_TEST

START_TEST(names_are_unique_both_ways)
{
    enum guest_state back;

    for (int s = 0; s < GUEST_STATE_COUNT; s++) {
        ck_assert(guest_state_from_name(info(s)->name, &back));
        ck_assert_int_eq(back, s);
    }
    ck_assert(!guest_state_from_name("asleep", &back));
    for (int a = 0; a < GUEST_EVENT_COUNT; a++)
        for (int b = 0; b <= a; b++)
            ck_assert((strcmp(guest_event_name((enum guest_event)a),
                              guest_event_name((enum guest_event)b)) == 0) == (a == b));
    for (int e = 0; e < GUEST_EVENT_COUNT; e++) {
        const char *words = guest_event_words((enum guest_event)e);

        ck_assert_ptr_nonnull(strchr(words, ' '));
        ck_assert_ptr_null(strchr(words, '_'));
    }
    ck_assert_str_eq(guest_event_words_of("X_LATER"), "X_LATER");
    for (int a = 0; a < GUEST_ACTION_COUNT; a++)
        for (int b = 0; b <= a; b++)
            ck_assert((strcmp(guest_action_name((enum guest_action)a),
                              guest_action_name((enum guest_action)b)) == 0) == (a == b));
}
END_TEST

START_TEST(an_unlisted_user_event_is_refused_and_others_are_dropped)
{
    struct guest_transition t = next(GUEST_STOPPED, GUEST_U_PAUSE);

    ck_assert(!t.defined);
    ck_assert_int_eq(t.action, GUEST_ACT_REFUSE);
    ck_assert_int_eq(t.next, GUEST_STOPPED);
    t = next(GUEST_STOPPED, GUEST_M_UP);
    ck_assert(!t.defined);
    ck_assert_int_eq(t.action, GUEST_ACT_NONE);
    ck_assert_int_eq(next(GUEST_PAUSED, GUEST_U_REBOOT).action, GUEST_ACT_REFUSE);
}
END_TEST

START_TEST(stop_of_a_paused_guest_resumes_it_first)
{
    ck_assert_int_eq(next(GUEST_PAUSED, GUEST_U_STOP).action, GUEST_ACT_GO_AND_HALT);
    ck_assert_int_eq(next(GUEST_PAUSED, GUEST_U_STOP).next, GUEST_STOPPING);
}
END_TEST

START_TEST(the_table_is_the_one_that_was_reviewed)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    guest_table_print(out);
    fclose(out);
    golden_compare("guest_table.txt", text);
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("state");
    TCase *t = tcase_create("table");

    tcase_add_test(t, every_transient_state_has_one_time_limit_and_no_stable_state_has_one);
    tcase_add_test(t, a_state_that_holds_a_process_hears_of_its_end_of_kill_and_of_a_lost_monitor);
    tcase_add_test(t, only_a_proven_end_leaves_the_states_that_hold_a_process);
    tcase_add_test(t, a_process_appears_only_by_spawning_or_because_it_was_there);
    tcase_add_test(t, every_state_is_reachable_and_can_reach_stopped);
    tcase_add_test(t, start_stop_and_kill_are_possible_or_remembered_everywhere);
    tcase_add_test(t, names_are_unique_both_ways);
    tcase_add_test(t, an_unlisted_user_event_is_refused_and_others_are_dropped);
    tcase_add_test(t, stop_of_a_paused_guest_resumes_it_first);
    tcase_add_test(t, the_table_is_the_one_that_was_reviewed);
    suite_add_tcase(s, t);
    return check_run(s);
}
