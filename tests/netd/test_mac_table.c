#include "netd/bucket.h"
#include "netd/mac_table.h"
#include "tests/vmcore/base/suite.h"

static const struct netd_mac_limits limits = {
    .entries = 100, .per_port = 60, .age_ns = 1000, .guard_ns = 10};
static struct netd_mac_table *table;

static void setup(void)
{
    table = netd_mac_table_new(&limits);
    ck_assert_ptr_nonnull(table);
}

static void teardown(void)
{
    netd_mac_table_free(table);
}

START_TEST(an_address_is_found_where_it_was_seen_in_its_vlan_only)
{
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 5, 0, NULL), NETD_MAC_NEW);
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 5, 1, NULL), NETD_MAC_KNOWN);
    ck_assert_int_eq(netd_mac_learn(table, 1, 7, 6, 1, NULL), NETD_MAC_NEW);
    ck_assert_uint_eq(netd_mac_find(table, 1, 0), 5);
    ck_assert_uint_eq(netd_mac_find(table, 1, 7), 6);
    ck_assert_uint_eq(netd_mac_find(table, 1, 8), NETD_MAC_NOWHERE);
    ck_assert_uint_eq(netd_mac_find(table, 2, 0), NETD_MAC_NOWHERE);
}
END_TEST

START_TEST(what_is_not_seen_again_is_forgotten_after_its_time)
{
    netd_mac_learn(table, 1, 0, 5, 0, NULL);
    netd_mac_learn(table, 2, 0, 5, 0, NULL);
    netd_mac_learn(table, 2, 0, 5, 500, NULL);
    ck_assert(netd_mac_fix(table, 3, 0, 5));
    ck_assert_uint_eq(netd_mac_age(table, 999), 0);
    ck_assert_uint_eq(netd_mac_age(table, 1000), 1);
    ck_assert_uint_eq(netd_mac_find(table, 1, 0), NETD_MAC_NOWHERE);
    ck_assert_uint_eq(netd_mac_find(table, 2, 0), 5);
    ck_assert_uint_eq(netd_mac_age(table, 1000000), 1);
    ck_assert_uint_eq(netd_mac_find(table, 3, 0), 5);
}
END_TEST

START_TEST(an_address_moves_when_its_guard_time_is_over)
{
    netd_mac_learn(table, 1, 0, 5, 100, NULL);
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 6, 109, NULL), NETD_MAC_REFUSED);
    ck_assert_uint_eq(netd_mac_find(table, 1, 0), 5);
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 6, 110, NULL), NETD_MAC_MOVED);
    ck_assert_uint_eq(netd_mac_find(table, 1, 0), 6);
}
END_TEST

START_TEST(a_fixed_address_never_moves_until_it_is_forgotten)
{
    netd_mac_learn(table, 1, 0, 6, 0, NULL);
    ck_assert(netd_mac_fix(table, 1, 0, 5));
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 6, 1000000, NULL), NETD_MAC_REFUSED);
    ck_assert_uint_eq(netd_mac_find(table, 1, 0), 5);
    ck_assert(netd_mac_forget(table, 1, 0));
    ck_assert(!netd_mac_forget(table, 1, 0));
    ck_assert_int_eq(netd_mac_learn(table, 1, 0, 6, 1000000, NULL), NETD_MAC_NEW);
}
END_TEST

START_TEST(one_port_cannot_fill_the_table_and_all_together_cannot_overfill_it)
{
    for (uint64_t mac = 0; mac < 200; mac++)
        netd_mac_learn(table, mac, 0, 1, 0, NULL);
    ck_assert_uint_eq(netd_mac_count(table), limits.per_port);
    ck_assert_int_eq(netd_mac_learn(table, 500, 0, 1, 0, NULL), NETD_MAC_FULL);
    for (uint64_t mac = 1000; mac < 1200; mac++)
        netd_mac_learn(table, mac, 0, 2, 0, NULL);
    ck_assert_uint_eq(netd_mac_count(table), limits.entries);
    ck_assert(!netd_mac_fix(table, 5000, 0, 3));
    ck_assert_uint_eq(netd_mac_find(table, 0, 0), 1);
    /* What goes makes room, and the count of the port goes with it. */
    netd_mac_forget_port(table, 1);
    ck_assert_uint_eq(netd_mac_count(table), limits.entries - limits.per_port);
    ck_assert_uint_eq(netd_mac_find(table, 0, 0), NETD_MAC_NOWHERE);
    ck_assert_int_eq(netd_mac_learn(table, 500, 0, 1, 0, NULL), NETD_MAC_NEW);
}
END_TEST

START_TEST(a_move_counts_at_the_new_port)
{
    for (uint64_t mac = 0; mac < 60; mac++)
        netd_mac_learn(table, mac, 0, 1, 0, NULL);
    netd_mac_learn(table, 100, 0, 2, 0, NULL);
    ck_assert_int_eq(netd_mac_learn(table, 100, 0, 1, 50, NULL), NETD_MAC_FULL);
    ck_assert_int_eq(netd_mac_learn(table, 0, 0, 2, 50, NULL), NETD_MAC_MOVED);
    ck_assert_int_eq(netd_mac_learn(table, 100, 0, 1, 50, NULL), NETD_MAC_MOVED);
}
END_TEST

START_TEST(all_entries_are_listed_once)
{
    struct netd_mac_entry e;
    uint32_t at = 0, count = 0, sum = 0;

    for (uint64_t mac = 1; mac <= 10; mac++)
        netd_mac_learn(table, mac, 0, (uint32_t)mac, 0, NULL);
    netd_mac_forget(table, 4, 0);
    while (netd_mac_next(table, &at, &e)) {
        count++;
        sum += e.port;
    }
    ck_assert_uint_eq(count, 9);
    ck_assert_uint_eq(sum, 51);
}
END_TEST

START_TEST(a_bucket_gives_its_burst_and_then_its_rate)
{
    struct netd_bucket b = {.rate = 10, .burst = 5};
    int64_t now = 1000000000;
    int taken = 0;

    while (netd_bucket_take(&b, 1, now))
        taken++;
    ck_assert_int_eq(taken, 5);
    ck_assert(!netd_bucket_take(&b, 1, now + 99000000));
    ck_assert(netd_bucket_take(&b, 1, now + 100000000));
    ck_assert(!netd_bucket_take(&b, 1, now + 100000000));
    /* A long rest gives no more than the burst. */
    now += INT64_C(1000000000000);
    for (taken = 0; netd_bucket_take(&b, 1, now); taken++)
        ;
    ck_assert_int_eq(taken, 5);
}
END_TEST

START_TEST(a_bucket_without_rate_gives_anything)
{
    struct netd_bucket b = {.rate = 0};

    for (int i = 0; i < 1000; i++)
        ck_assert(netd_bucket_take(&b, 1000000, 0));
}
END_TEST

static const struct suite_test tests[] = {
    {&an_address_is_found_where_it_was_seen_in_its_vlan_only, 0},
    {&what_is_not_seen_again_is_forgotten_after_its_time, 0},
    {&an_address_moves_when_its_guard_time_is_over, 0},
    {&a_fixed_address_never_moves_until_it_is_forgotten, 0},
    {&one_port_cannot_fill_the_table_and_all_together_cannot_overfill_it, 0},
    {&a_move_counts_at_the_new_port, 0},
    {&all_entries_are_listed_once, 0},
    {&a_bucket_gives_its_burst_and_then_its_rate, 0},
    {&a_bucket_without_rate_gives_anything, 0},
};
SUITE_MAIN_WITH("mac table", tests, setup, teardown)
