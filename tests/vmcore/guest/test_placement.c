/*
 * Where guests are kept, and when they are moved or let go.
 */
#include "tests/check_run.h"
#include "vmcore/guest/placement.h"

#include <check.h>

START_TEST(a_new_guest_goes_where_fewest_are)
{
    struct placement_cpu cpus[] = {{0, 100, 2}, {1, 900, 1}, {2, 300, 1}, {3, 300, 1}};
    struct placement_state st = {.released = false};

    ck_assert_int_eq(placement_choose(&st, cpus, 4), 2);
    ck_assert_int_eq(placement_choose(NULL, cpus, 1), 0);
    ck_assert_int_eq(placement_choose(&st, NULL, 0), -1);
    st.released = true;
    ck_assert_int_eq(placement_choose(&st, cpus, 4), -1);
}
END_TEST

START_TEST(a_saturated_host_lets_all_go_and_takes_them_back_only_when_calm)
{
    struct placement_cpu cpus[] = {{0, 950, 2}, {1, 920, 1}};
    struct placement_guest guests[] = {
        {1, 0, 500, true, 9}, {2, 0, 400, true, 9}, {3, 1, 900, true, 9}, {4, -1, 10, false, 9}};
    struct placement_state st = {.released = false};
    struct placement_move moves[8];

    ck_assert_uint_eq(placement_balance(&st, cpus, 2, guests, 4, moves, 8), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(moves[i].cpu, -1);
    ck_assert(st.released);
    for (int i = 0; i < 3; i++)
        guests[i].cpu = -1;
    cpus[0].pinned = cpus[1].pinned = 0;
    cpus[0].busy = cpus[1].busy = 800; /* between the two limits: nothing changes */
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, guests, 4, moves, 8), 0);
    ck_assert(st.released);
    cpus[0].busy = cpus[1].busy = 740;
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, guests, 4, moves, 8), 3);
    ck_assert(!st.released);
    /* Spread, not all on one. */
    ck_assert_int_ne(moves[0].cpu, moves[1].cpu);
    /* Not pinnable: left alone. */
    for (int i = 0; i < 3; i++)
        ck_assert_uint_ne(moves[i].id, 4);
}
END_TEST

START_TEST(one_guest_at_a_time_moves_from_the_busiest_to_the_idlest)
{
    struct placement_cpu cpus[] = {{0, 900, 3}, {1, 100, 0}, {2, 400, 1}};
    struct placement_guest guests[] = {
        {1, 0, 100, true, 9}, {2, 0, 350, true, 9}, {3, 0, 850, true, 9}, {4, 2, 400, true, 9}};
    struct placement_state st = {.released = false};
    struct placement_move moves[8];

    ck_assert_uint_eq(placement_balance(&st, cpus, 3, guests, 4, moves, 8), 1);
    ck_assert_uint_eq(moves[0].id, 2);
    ck_assert_int_eq(moves[0].cpu, 1);
}
END_TEST

START_TEST(what_cannot_get_better_stays)
{
    struct placement_cpu cpus[] = {{0, 800, 1}, {1, 0, 0}};
    struct placement_guest lone = {1, 0, 800, true, 9}; /* would only change places */
    struct placement_guest fresh = {2, 0, 300, true, PLACEMENT_SETTLED - 1};
    struct placement_guest fixed = {3, 0, 300, false, 9};
    struct placement_state st = {.released = false};
    struct placement_move moves[8];

    ck_assert_uint_eq(placement_balance(&st, cpus, 2, &lone, 1, moves, 8), 0);
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, &fresh, 1, moves, 8), 0);
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, &fixed, 1, moves, 8), 0);
    cpus[1].busy = 800 - PLACEMENT_UNEVEN + 1;
    fresh.ticks = 9;
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, &fresh, 1, moves, 8), 0);
    ck_assert_uint_eq(placement_balance(&st, NULL, 0, &fresh, 1, moves, 8), 0);
    ck_assert_uint_eq(placement_balance(&st, cpus, 2, &fresh, 1, moves, 0), 0);
}
END_TEST

START_TEST(a_move_never_repeats_itself_under_a_steady_load)
{
    /* Five guests of equal load on two CPUs: the picture settles. */
    struct placement_guest guests[5];
    struct placement_state st = {.released = false};
    struct placement_move moves[8];
    int last_move = -1;

    for (int i = 0; i < 5; i++)
        guests[i] = (struct placement_guest){(uint64_t)i, 0, 160, true, 9};
    for (int tick = 0; tick < 50; tick++) {
        struct placement_cpu cpus[] = {{0, 0, 0}, {1, 0, 0}};
        size_t n;

        for (int i = 0; i < 5; i++) {
            cpus[guests[i].cpu].busy += guests[i].load;
            cpus[guests[i].cpu].pinned++;
            guests[i].ticks++;
        }
        n = placement_balance(&st, cpus, 2, guests, 5, moves, 8);
        ck_assert_uint_le(n, 1);
        if (n) {
            guests[moves[0].id].cpu = moves[0].cpu;
            guests[moves[0].id].ticks = 0;
            last_move = tick;
        }
    }
    ck_assert_int_ge(last_move, 0);
    ck_assert_int_lt(last_move, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("placement");
    TCase *t = tcase_create("balance");

    tcase_add_test(t, a_new_guest_goes_where_fewest_are);
    tcase_add_test(t, a_saturated_host_lets_all_go_and_takes_them_back_only_when_calm);
    tcase_add_test(t, one_guest_at_a_time_moves_from_the_busiest_to_the_idlest);
    tcase_add_test(t, what_cannot_get_better_stays);
    tcase_add_test(t, a_move_never_repeats_itself_under_a_steady_load);
    suite_add_tcase(s, t);
    return check_run(s);
}
