/* Numbers of ports, several ports of one number, and what the switch tells of them. */
#include "netd/frame.h"
#include "tests/netd/fake_link.h"
#include "tests/vmcore/base/suite.h"

#include <string.h>

static struct netd_switch *sw;
static struct fake_link *links[4];
static struct netd_event events[16];
static int event_count;

static void on_event(um_unused void *arg, const struct netd_event *event)
{
    ck_assert_int_lt(event_count, 16);
    events[event_count++] = *event;
}

static void start_with(int64_t guard_ns)
{
    struct netd_switch_config config = netd_switch_config_default;

    config.mac.guard_ns = guard_ns;
    sw = netd_switch_new(&config);
    ck_assert_ptr_nonnull(sw);
    netd_switch_observe(sw, on_event, NULL);
    event_count = 0;
}

static void start(void)
{
    start_with(0);
}

static void stop(void)
{
    for (int i = 0; i < 4; i++) {
        fake_link_free(links[i]);
        links[i] = NULL;
    }
    netd_switch_free(sw);
}

static uint32_t add(int i, uint32_t number)
{
    struct netd_port_config config = netd_port_config_default;

    config.number = number;
    links[i] = fake_link_new(sw, &config);
    return netd_switch_number(sw, links[i]->port);
}

/* Frames that each port has got since the last time. */
static void expect(int a, int b, int c, int d)
{
    const int want[4] = {a, b, c, d};

    for (int i = 0; i < 4; i++) {
        ck_assert_msg(links[i]->count == want[i], "port %d got %d, not %d", i, links[i]->count,
                      want[i]);
        links[i]->count = 0;
    }
}

/* The last event. */
static void expect_event(enum netd_event_kind kind, int port, uint64_t mac)
{
    const struct netd_event *e = &events[event_count - 1];

    ck_assert_int_gt(event_count, 0);
    ck_assert_int_eq(e->kind, kind);
    ck_assert_uint_eq(e->port, links[port]->port);
    ck_assert_uint_eq(e->mac, mac);
}

START_TEST(a_port_gets_the_lowest_free_number_or_the_one_it_asks_for)
{
    ck_assert_uint_eq(add(0, 0), 1);
    ck_assert_uint_eq(add(1, 7), 7);
    ck_assert_uint_eq(add(2, 2), 2);
    ck_assert_uint_eq(add(3, 0), 3);
    fake_link_free(links[0]);
    ck_assert_uint_eq(add(0, 0), 1);
    ck_assert_uint_eq(netd_switch_number(sw, 4000), 0);
}
END_TEST

START_TEST(a_number_out_of_range_is_refused)
{
    struct netd_port_config config = netd_port_config_default;
    const struct netd_link_ops none = {NULL, NULL, NULL};

    config.number = NETD_PORT_SLOTS + 1;
    ck_assert_uint_eq(netd_switch_add(sw, &config, &none, NULL), NETD_MAC_NOWHERE);
    for (int i = 0; i < 4; i++)
        add(i, 0);
}
END_TEST

START_TEST(ports_of_one_number_get_the_same_and_do_not_reach_each_other)
{
    add(0, 5);
    add(1, 5);
    add(2, 5);
    add(3, 0);
    fake_link_input(links[1], 255, 1, -1, 60, 0);
    expect(0, 0, 0, 1);
    fake_link_input(links[3], 1, 9, -1, 60, 0);
    expect(1, 1, 1, 0);
    fake_link_input(links[0], 1, 2, -1, 60, 0);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_SAME_PORT), 1);
}
END_TEST

START_TEST(an_address_does_not_move_between_ports_of_one_number)
{
    add(0, 5);
    add(1, 5);
    add(2, 0);
    add(3, 0);
    event_count = 0;
    fake_link_input(links[1], 255, 1, -1, 60, 0);
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    ck_assert_int_eq(event_count, 1);
    expect_event(NETD_SEEN_LEARNT, 0, 0x020000000001);
}
END_TEST

START_TEST(the_others_of_a_number_go_on_without_the_first)
{
    add(0, 5);
    add(1, 5);
    add(2, 5);
    add(3, 0);
    fake_link_input(links[1], 255, 1, -1, 60, 0);
    links[3]->count = 0;
    fake_link_free(links[0]);
    add(0, 5);
    fake_link_input(links[3], 255, 9, -1, 60, 0);
    expect(1, 1, 1, 0);
    fake_link_input(links[2], 9, 1, -1, 60, 0);
    expect(0, 0, 0, 1);
    fake_link_input(links[3], 1, 9, -1, 60, 0);
    expect(1, 1, 1, 0);
}
END_TEST

START_TEST(ports_and_addresses_are_told_of)
{
    for (int i = 0; i < 4; i++) {
        add(i, 0);
        expect_event(NETD_SEEN_PORT_UP, i, 0);
    }
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    expect_event(NETD_SEEN_LEARNT, 0, 0x020000000001);
    fake_link_input(links[1], 1, 2, -1, 60, 0);
    expect_event(NETD_SEEN_LEARNT, 1, 0x020000000002);
    fake_link_input(links[1], 3, 1, -1, 60, 0);
    ck_assert_int_eq(events[event_count - 2].kind, NETD_SEEN_MOVED);
    ck_assert_uint_eq(events[event_count - 2].old_port, links[0]->port);
    expect_event(NETD_SEEN_UNKNOWN, 1, 0x020000000003);
    event_count = 0;
    fake_link_input(links[0], 1, 4, -1, 60, 0);
    fake_link_input(links[0], 1, 4, -1, 60, 0);
    ck_assert_int_eq(event_count, 1);
    netd_switch_remove(sw, links[3]->port);
    expect_event(NETD_SEEN_PORT_DOWN, 3, 0);
}
END_TEST

START_TEST(an_address_that_is_not_believed_is_told_of)
{
    netd_switch_free(sw);
    start_with(1000);
    for (int i = 0; i < 4; i++)
        add(i, 0);
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    fake_link_input(links[1], 255, 1, -1, 60, 10);
    expect_event(NETD_SEEN_REFUSED, 1, 0x020000000001);
    ck_assert_uint_eq(events[event_count - 1].old_port, links[0]->port);
}
END_TEST

static const struct suite_test tests[] = {
    {&a_port_gets_the_lowest_free_number_or_the_one_it_asks_for, 0},
    {&a_number_out_of_range_is_refused, 0},
    {&ports_of_one_number_get_the_same_and_do_not_reach_each_other, 0},
    {&an_address_does_not_move_between_ports_of_one_number, 0},
    {&the_others_of_a_number_go_on_without_the_first, 0},
    {&ports_and_addresses_are_told_of, 0},
    {&an_address_that_is_not_believed_is_told_of, 0},
};
SUITE_MAIN_WITH("ports", tests, start, stop)
