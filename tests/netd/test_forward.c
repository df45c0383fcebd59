#include "netd/frame.h"
#include "tests/netd/fake_link.h"
#include "tests/vmcore/base/suite.h"

#include <string.h>

static struct netd_switch *sw;
static struct fake_link *links[4];

static void start(void)
{
    sw = netd_switch_new(&netd_switch_config_default);
    ck_assert_ptr_nonnull(sw);
}

static void add(int i, const struct netd_port_config *config)
{
    links[i] = fake_link_new(sw, config);
}

static void add_all(void)
{
    for (int i = 0; i < 4; i++)
        add(i, &netd_port_config_default);
}

static void stop(void)
{
    for (int i = 0; i < 4; i++) {
        fake_link_free(links[i]);
        links[i] = NULL;
    }
    netd_switch_free(sw);
}

/* What each port has got since the last time. */
static void expect(int a, int b, int c, int d)
{
    const int want[4] = {a, b, c, d};

    for (int i = 0; i < 4; i++) {
        if (!links[i])
            continue;
        ck_assert_msg(links[i]->count == want[i], "port %d got %d, not %d", i, links[i]->count,
                      want[i]);
        links[i]->count = 0;
    }
}

/* VLAN of the tag of the last frame of a port, -1: none. */
static int last_tag(int i)
{
    const uint8_t *b = links[i]->frames[links[i]->count - 1].bytes;

    return b[12] == 0x81 ? (b[14] & 15) << 8 | b[15] : -1;
}

START_TEST(unknown_goes_everywhere_known_to_its_port_broadcast_to_all_others)
{
    add_all();
    fake_link_input(links[0], 2, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
    fake_link_input(links[1], 1, 2, -1, 60, 0);
    expect(1, 0, 0, 0);
    fake_link_input(links[0], 2, 1, -1, 60, 0);
    expect(0, 1, 0, 0);
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
}
END_TEST

START_TEST(a_hub_passes_everything_to_all_and_learns_nothing)
{
    add_all();
    netd_switch_set_hub(sw, true);
    fake_link_input(links[1], 255, 2, -1, 60, 0);
    expect(1, 0, 1, 1);
    fake_link_input(links[0], 2, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
    ck_assert_uint_eq(netd_mac_count(netd_switch_macs(sw)), 0);
}
END_TEST

START_TEST(a_frame_for_its_own_port_is_dropped_there)
{
    add_all();
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    fake_link_input(links[0], 255, 2, -1, 60, 0);
    expect(0, 2, 2, 2);
    fake_link_input(links[0], 2, 1, -1, 60, 0);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_SAME_PORT), 1);
}
END_TEST

START_TEST(addresses_of_a_removed_port_are_forgotten_and_its_id_is_not_used_again)
{
    uint32_t old;

    add_all();
    fake_link_input(links[3], 255, 9, -1, 60, 0);
    fake_link_input(links[3], 255, 8, -1, 60, 0);
    expect(2, 2, 2, 0);
    old = links[3]->port;
    fake_link_free(links[3]);
    add(3, &netd_port_config_default);
    ck_assert_uint_ne(links[3]->port, old);
    ck_assert_ptr_null(netd_switch_counters(sw, old));
    fake_link_input(links[0], 9, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
    fake_link_input(links[0], 8, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
}
END_TEST

START_TEST(ageing_makes_an_address_unknown_again)
{
    int64_t age = netd_switch_config_default.mac.age_ns;

    add_all();
    fake_link_input(links[1], 255, 2, -1, 60, 0);
    expect(1, 0, 1, 1);
    netd_switch_tick(sw, age - 1);
    ck_assert_int_gt(netd_switch_due(sw), age - 1);
    fake_link_input(links[0], 2, 1, -1, 60, age - 1);
    expect(0, 1, 0, 0);
    netd_switch_tick(sw, 2 * age);
    fake_link_input(links[0], 2, 1, -1, 60, 2 * age);
    expect(0, 1, 1, 1);
}
END_TEST

START_TEST(lengths_from_14_to_64_kib_pass_whole_others_are_counted)
{
    struct netd_port_config small = netd_port_config_default;

    small.frame_max = 1514;
    add(0, &netd_port_config_default);
    add(1, &netd_port_config_default);
    add(2, &small);
    fake_link_input(links[0], 255, 1, -1, 14, 0);
    fake_link_input(links[0], 255, 1, -1, 1514, 0);
    ck_assert_uint_eq(links[2]->frames[1].len, 1514);
    expect(0, 2, 2, 0);
    fake_link_input(links[0], 255, 1, -1, 13, 0);
    fake_link_input(links[0], 255, 1, -1, NETD_FRAME_MAX, 0);
    ck_assert_uint_eq(links[1]->frames[0].len, NETD_FRAME_MAX);
    expect(0, 1, 0, 0);
    fake_link_input(links[0], 255, 1, -1, NETD_FRAME_MAX + 1, 0);
    fake_link_input(links[2], 255, 2, -1, 1515, 0);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_RUNT), 1);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_GIANT), 1);
    ck_assert_uint_eq(fake_link_drops(links[2], NETD_DROP_GIANT), 2);
}
END_TEST

static struct netd_port_config access_port(uint16_t vlan)
{
    struct netd_port_config c = netd_port_config_default;

    c.vlan_mode = NETD_VLAN_ACCESS;
    c.vlan = vlan;
    return c;
}

static struct netd_port_config trunk_port(uint8_t *set, uint16_t native)
{
    struct netd_port_config c = netd_port_config_default;

    c.vlan_mode = NETD_VLAN_TRUNK;
    c.vlan = native;
    c.vlan_set = set;
    return c;
}

START_TEST(access_and_trunk_ports_put_tags_in_and_take_them_out)
{
    uint8_t set[NETD_VLAN_SET_BYTES] = {1 << 5 | 1 << 6}; /* VLANs 5 and 6 */
    struct netd_port_config five = access_port(5), six = access_port(6);
    struct netd_port_config trunk = trunk_port(set, 6);

    add(0, &five);
    add(1, &six);
    add(2, &trunk);
    add(3, &five);
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    ck_assert_int_eq(last_tag(2), 5);
    ck_assert_uint_eq(links[2]->frames[0].len, 64);
    ck_assert_uint_eq(links[2]->frames[0].bytes[16], 8); /* what was behind the addresses */
    ck_assert_int_eq(last_tag(3), -1);
    expect(0, 0, 1, 1);
    fake_link_input(links[2], 1, 9, 5, 60, 0);
    ck_assert_int_eq(last_tag(0), -1);
    ck_assert_uint_eq(links[0]->frames[0].len, 60);
    ck_assert_uint_eq(links[0]->frames[0].bytes[12], 8);
    expect(1, 0, 0, 0);
    fake_link_input(links[1], 255, 2, -1, 60, 0);
    ck_assert_int_eq(last_tag(2), -1); /* 6 is without tag there */
    expect(0, 0, 1, 0);
    fake_link_input(links[2], 255, 9, -1, 60, 0);
    expect(0, 1, 0, 0);
}
END_TEST

START_TEST(a_priority_tag_becomes_a_vlan_tag_and_keeps_its_priority)
{
    uint8_t set[NETD_VLAN_SET_BYTES] = {1 << 5};
    struct netd_port_config five = access_port(5), trunk = trunk_port(set, 0);

    add(0, &five);
    add(1, &trunk);
    add(2, &five);
    fake_link_input(links[0], 255, 1, 0xa000, 60, 0);
    ck_assert_int_eq(last_tag(1), 5);
    ck_assert_uint_eq(links[1]->frames[0].bytes[14] >> 4, 0xa);
    ck_assert_uint_eq(links[1]->frames[0].len, 64);
    ck_assert_int_eq(last_tag(2), -1);
    ck_assert_uint_eq(links[2]->frames[0].len, 60);
}
END_TEST

START_TEST(a_port_sends_only_to_vlans_that_it_is_in)
{
    uint8_t set[NETD_VLAN_SET_BYTES] = {1 << 5};
    struct netd_port_config five = access_port(5), trunk = trunk_port(set, 0);

    add(0, &five);
    add(1, &trunk);
    fake_link_input(links[0], 255, 1, 5, 60, 0); /* tagged, into an access port */
    fake_link_input(links[1], 255, 2, 6, 60, 0);
    fake_link_input(links[1], 255, 2, -1, 60, 0);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_VLAN), 1);
    ck_assert_uint_eq(fake_link_drops(links[1], NETD_DROP_VLAN), 2);
}
END_TEST

START_TEST(transparent_ports_pass_tags_as_they_are)
{
    add_all();
    fake_link_input(links[0], 255, 1, 7, 60, 0);
    ck_assert_int_eq(last_tag(1), 7);
    fake_link_input(links[0], 255, 1, 0xe000, 60, 0);
    ck_assert_int_eq(last_tag(1), 0);
    ck_assert_uint_eq(links[1]->frames[1].len, 64);
}
END_TEST

START_TEST(ports_of_one_isolation_group_reach_others_only)
{
    struct netd_port_config guest = netd_port_config_default;

    guest.isolation = 1;
    add(0, &guest);
    add(1, &guest);
    add(2, &netd_port_config_default);
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    expect(0, 0, 1, 0);
    fake_link_input(links[1], 255, 2, -1, 60, 0);
    expect(0, 0, 1, 0);
    fake_link_input(links[0], 2, 1, -1, 60, 0);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_ISOLATED), 1);
    fake_link_input(links[2], 2, 3, -1, 60, 0);
    expect(0, 1, 0, 0);
}
END_TEST

START_TEST(a_storm_is_cut_to_its_rate_and_unicast_passes)
{
    struct netd_port_config c = netd_port_config_default;

    c.storm_rate = 10;
    add(0, &c);
    add(1, &netd_port_config_default);
    for (int i = 0; i < 100; i++)
        fake_link_input(links[0], 255, 1, -1, 60, 1000);
    expect(0, 10, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[0], NETD_DROP_STORM), 90);
    fake_link_input(links[0], 2, 1, -1, 60, 1000);
    expect(0, 1, 0, 0);
}
END_TEST

START_TEST(a_guarded_address_is_not_believed_at_another_port)
{
    struct netd_switch_config c = netd_switch_config_default;

    netd_switch_free(sw);
    c.mac.guard_ns = 1000;
    sw = netd_switch_new(&c);
    add_all();
    fake_link_input(links[0], 255, 1, -1, 60, 0);
    expect(0, 1, 1, 1);
    fake_link_input(links[1], 255, 1, -1, 60, 999);
    expect(0, 0, 0, 0);
    ck_assert_uint_eq(fake_link_drops(links[1], NETD_DROP_MOVED), 1);
    fake_link_input(links[1], 255, 1, -1, 60, 1000);
    expect(1, 0, 1, 1);
}
END_TEST

START_TEST(no_more_ports_than_allowed)
{
    struct netd_switch_config c = netd_switch_config_default;
    struct netd_link_ops none = {NULL, NULL, NULL};

    netd_switch_free(sw);
    c.ports_max = 2;
    sw = netd_switch_new(&c);
    add(0, &netd_port_config_default);
    add(1, &netd_port_config_default);
    ck_assert_uint_eq(netd_switch_add(sw, &netd_port_config_default, &none, NULL),
                      NETD_MAC_NOWHERE);
}
END_TEST

static const struct suite_test tests[] = {
    {&unknown_goes_everywhere_known_to_its_port_broadcast_to_all_others, 0},
    {&a_hub_passes_everything_to_all_and_learns_nothing, 0},
    {&a_frame_for_its_own_port_is_dropped_there, 0},
    {&addresses_of_a_removed_port_are_forgotten_and_its_id_is_not_used_again, 0},
    {&ageing_makes_an_address_unknown_again, 0},
    {&lengths_from_14_to_64_kib_pass_whole_others_are_counted, 0},
    {&access_and_trunk_ports_put_tags_in_and_take_them_out, 0},
    {&a_priority_tag_becomes_a_vlan_tag_and_keeps_its_priority, 0},
    {&a_port_sends_only_to_vlans_that_it_is_in, 0},
    {&transparent_ports_pass_tags_as_they_are, 0},
    {&ports_of_one_isolation_group_reach_others_only, 0},
    {&a_storm_is_cut_to_its_rate_and_unicast_passes, 0},
    {&a_guarded_address_is_not_believed_at_another_port, 0},
    {&no_more_ports_than_allowed, 0},
};
SUITE_MAIN_WITH("forward", tests, start, stop)
