#include "netd/drop.h"
#include "netd/guard.h"
#include "tests/netd/fake_link.h"
#include "tests/vmcore/base/suite.h"

#include <string.h>

#define MAC UINT64_C(0x020000000001)

static uint8_t bytes[512];
static size_t len;

static void start(uint16_t type)
{
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, (uint8_t[]){2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1}, 12);
    bytes[12] = (uint8_t)(type >> 8);
    bytes[13] = (uint8_t)type;
    len = 14;
}

static void add(const void *data, size_t size)
{
    memcpy(bytes + len, data, size);
    len += size;
}

static void add_arp(const uint8_t hardware[6], const uint8_t ip[4])
{
    start(0x0806);
    add((uint8_t[]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
    add(hardware, 6);
    add(ip, 4);
    len += 10;
}

/* An IPv4 packet with 8 bytes of UDP ports and the rest. */
static void add_ipv4(const uint8_t ip[4], uint8_t protocol, uint16_t from, uint16_t to)
{
    start(0x0800);
    add((uint8_t[]){0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0}, 12);
    add(ip, 4);
    add((uint8_t[]){10, 0, 0, 9}, 4);
    add((uint8_t[]){(uint8_t)(from >> 8), (uint8_t)from, (uint8_t)(to >> 8), (uint8_t)to}, 4);
    len += 4;
}

static void add_ipv6(const uint8_t ip[16], uint8_t next)
{
    start(0x86dd);
    add((uint8_t[]){0x60, 0, 0, 0, 0, 64, next, 255}, 8);
    add(ip, 16);
    len += 16;
}

static const uint8_t own4[4] = {10, 0, 0, 1}, other4[4] = {10, 0, 0, 2}, none4[4];
static const uint8_t hardware[6] = {2, 0, 0, 0, 0, 1}, other_hardware[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t own6[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, [15] = 7};
static const uint8_t other6[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, [15] = 7};
static const uint8_t local6[16] = {0xfe, 0x80, [15] = 7}, none6[16];

static int check(const struct netd_guard *guard)
{
    struct netd_frame frame;

    ck_assert_int_eq(netd_frame_parse(bytes, len, &frame), NETD_PASS);
    return netd_guard_check(guard, &frame, bytes, len);
}

/* The same packet behind a tag. */
static void add_tag(uint16_t type)
{
    memmove(bytes + 16, bytes + 12, len - 12);
    memcpy(bytes + 12, (uint8_t[]){(uint8_t)(type >> 8), (uint8_t)type, 0, 5}, 4);
    len += 4;
}

static struct netd_guard guard_of_addresses(void)
{
    struct netd_guard g = {.mac = MAC, .ipv4_count = 1, .ipv6_count = 1};

    memcpy(g.ipv4[0].address, own4, 4);
    g.ipv4[0].bits = 32;
    memcpy(g.ipv6[0].address, own6, 16);
    g.ipv6[0].bits = 64;
    return g;
}

START_TEST(without_a_guard_everything_passes)
{
    struct netd_guard none = {.mac = 0};

    add_arp(other_hardware, other4);
    ck_assert_int_eq(check(&none), NETD_PASS);
    add_ipv4(other4, 17, 67, 68);
    ck_assert_int_eq(check(&none), NETD_PASS);
    start(0x88a8);
    ck_assert_int_eq(check(&none), NETD_PASS);
    start(0x0027);
    ck_assert_int_eq(check(&none), NETD_PASS);
}
END_TEST

START_TEST(a_locked_port_has_one_source_address_in_frames_and_in_arp)
{
    struct netd_guard g = {.mac = MAC};

    add_ipv4(other4, 6, 0, 0);
    ck_assert_int_eq(check(&g), NETD_PASS);
    bytes[11] = 2;
    ck_assert_int_eq(check(&g), NETD_DROP_LOCKED);
    add_arp(hardware, other4);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_arp(other_hardware, other4);
    ck_assert_int_eq(check(&g), NETD_DROP_LOCKED);
}
END_TEST

START_TEST(ipv4_and_arp_come_from_the_ports_own_addresses)
{
    struct netd_guard g = guard_of_addresses();

    add_ipv4(own4, 6, 0, 0);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_tag(0x8100);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv4(other4, 6, 0, 0);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_tag(0x8100);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_arp(hardware, own4);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_arp(hardware, none4); /* a probe */
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_arp(hardware, other4);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
}
END_TEST

START_TEST(a_guest_without_address_may_ask_for_one)
{
    struct netd_guard g = guard_of_addresses();

    g.no_dhcp_server = true;
    add_ipv4(none4, 17, 68, 67);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv4(none4, 17, 68, 53);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_ipv4(none4, 6, 68, 67);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
}
END_TEST

START_TEST(prefixes_are_compared_by_their_bits)
{
    struct netd_guard g = guard_of_addresses();
    static const uint8_t bits[] = {0, 8, 29, 30, 31, 32};

    for (size_t i = 0; i < UM_ARRAY_LEN(bits); i++) {
        g.ipv4[0].bits = bits[i];
        add_ipv4(other4, 6, 0, 0); /* differs from 10.0.0.1 in the last two bits */
        ck_assert_int_eq(check(&g), bits[i] <= 30 ? NETD_PASS : NETD_DROP_SPOOFED);
    }
    g.ipv4_count = 2; /* any of them will do */
    memcpy(g.ipv4[1].address, other4, 4);
    g.ipv4[1].bits = 32;
    ck_assert_int_eq(check(&g), NETD_PASS);
}
END_TEST

START_TEST(ipv6_comes_from_the_ports_own_prefix_or_the_link)
{
    struct netd_guard g = guard_of_addresses();

    add_ipv6(own6, 6);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv6(local6, 6);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv6(none6, 6);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv6(other6, 6);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
}
END_TEST

START_TEST(a_neighbour_advertisement_is_for_the_ports_own_address)
{
    struct netd_guard g = guard_of_addresses();

    add_ipv6(local6, 58);
    add((uint8_t[]){136, 0, 0, 0, 0, 0, 0, 0}, 8);
    add(own6, 16);
    ck_assert_int_eq(check(&g), NETD_PASS);
    memcpy(bytes + len - 16, other6, 16);
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    len -= 1;
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
}
END_TEST

START_TEST(servers_of_dhcp_are_refused_and_clients_pass)
{
    struct netd_guard g = {.no_dhcp_server = true};

    add_ipv4(own4, 17, 67, 68);
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
    add_ipv4(own4, 17, 68, 67);
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv4(own4, 6, 67, 68); /* not UDP */
    ck_assert_int_eq(check(&g), NETD_PASS);
    add_ipv4(own4, 17, 67, 68);
    bytes[14 + 7] = 1; /* a later fragment: no ports */
    ck_assert_int_eq(check(&g), NETD_PASS);
    bytes[14 + 7] = 0;
    len = 14 + 20 + 7; /* too short to tell */
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
    add_ipv6(own6, 17);
    add((uint8_t[]){547 >> 8, 547 & 255, 546 >> 8, 546 & 255, 0, 8, 0, 0}, 8);
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
    bytes[len - 7] = 546 & 255;
    ck_assert_int_eq(check(&g), NETD_PASS);
}
END_TEST

START_TEST(router_advertisements_are_found_behind_extension_headers)
{
    struct netd_guard g = {.no_router = true};
    static const uint8_t types[] = {134, 137};

    for (size_t i = 0; i < UM_ARRAY_LEN(types); i++) {
        add_ipv6(local6, 58);
        add((uint8_t[]){types[i], 0, 0, 0}, 4);
        ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
        add_ipv6(local6, 0);
        add((uint8_t[]){60, 1, [15] = 0}, 16);
        add((uint8_t[]){44, 0, [7] = 0}, 8);
        add((uint8_t[]){58, 0, 0, 1, [7] = 0}, 8); /* the first of several fragments */
        add((uint8_t[]){types[i], 0, 0, 0}, 4);
        ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
        bytes[len - 4] = 128; /* an echo request */
        ck_assert_int_eq(check(&g), NETD_PASS);
    }
}
END_TEST

START_TEST(chains_of_headers_that_are_cut_or_endless_are_refused)
{
    struct netd_guard g = {.no_router = true};

    add_ipv6(local6, 0);
    for (int i = 0; i < 8; i++)
        add((uint8_t[]){0, 0, [7] = 0}, 8);
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
    add_ipv6(local6, 0);
    add((uint8_t[]){58, 200, [7] = 0}, 8);
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
    add_ipv6(local6, 58);
    ck_assert_int_eq(check(&g), NETD_DROP_SERVICE);
}
END_TEST

START_TEST(what_could_hide_a_packet_is_refused_where_something_is_guarded)
{
    static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x8035, 0x0027};
    struct netd_guard g = guard_of_addresses();

    for (size_t i = 0; i < UM_ARRAY_LEN(types); i++) {
        add_ipv4(own4, 6, 0, 0);
        add_tag(types[i]);
        if (types[i] == 0x8100)
            add_tag(0x8100);
        ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    }
    start(0x88cc); /* something else altogether */
    ck_assert_int_eq(check(&g), NETD_PASS);
}
END_TEST

START_TEST(every_cut_packet_is_refused)
{
    struct netd_guard g = guard_of_addresses();
    size_t whole;

    add_ipv4(own4, 6, 0, 0);
    for (len = 14; len < 14 + 20; len++)
        ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_ipv6(own6, 6);
    whole = len;
    for (len = 14; len < whole; len++)
        ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_arp(hardware, own4);
    whole = len;
    for (len = 14; len < whole; len++)
        ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
    add_ipv4(own4, 6, 0, 0);
    bytes[14] = 0x4f; /* options that are not there */
    ck_assert_int_eq(check(&g), NETD_DROP_SPOOFED);
}
END_TEST

START_TEST(a_refused_frame_teaches_the_switch_nothing_and_is_counted)
{
    struct netd_switch *sw = netd_switch_new(&netd_switch_config_default);
    struct netd_port_config config = netd_port_config_default;
    struct fake_link *a, *b;

    config.guard.mac = MAC;
    a = fake_link_new(sw, &config);
    b = fake_link_new(sw, &netd_port_config_default);
    fake_link_input(a, 255, 2, -1, 60, 0);
    ck_assert_int_eq(b->count, 0);
    ck_assert_uint_eq(fake_link_drops(a, NETD_DROP_LOCKED), 1);
    ck_assert_uint_eq(netd_mac_count(netd_switch_macs(sw)), 0);
    fake_link_input(b, 255, 2, -1, 60, 0);
    ck_assert_int_eq(a->count, 1);
    fake_link_free(a);
    fake_link_free(b);
    netd_switch_free(sw);
}
END_TEST

static const struct suite_test tests[] = {
    {&without_a_guard_everything_passes, 0},
    {&a_locked_port_has_one_source_address_in_frames_and_in_arp, 0},
    {&ipv4_and_arp_come_from_the_ports_own_addresses, 0},
    {&a_guest_without_address_may_ask_for_one, 0},
    {&prefixes_are_compared_by_their_bits, 0},
    {&ipv6_comes_from_the_ports_own_prefix_or_the_link, 0},
    {&a_neighbour_advertisement_is_for_the_ports_own_address, 0},
    {&servers_of_dhcp_are_refused_and_clients_pass, 0},
    {&router_advertisements_are_found_behind_extension_headers, 0},
    {&chains_of_headers_that_are_cut_or_endless_are_refused, 0},
    {&what_could_hide_a_packet_is_refused_where_something_is_guarded, 0},
    {&every_cut_packet_is_refused, 0},
    {&a_refused_frame_teaches_the_switch_nothing_and_is_counted, 0},
};
SUITE_MAIN("guard", tests)
