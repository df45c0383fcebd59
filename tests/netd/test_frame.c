#include "netd/drop.h"
#include "netd/frame.h"
#include "tests/vmcore/base/suite.h"

#include <string.h>

static const uint8_t plain[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45};
static const uint8_t tagged[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0,
                                 0,    0,    9,    0x81, 0,    0xb0, 7, 8, 0};

START_TEST(a_plain_frame_has_addresses_and_no_vlan)
{
    struct netd_frame f;

    ck_assert_int_eq(netd_frame_parse(plain, sizeof(plain), &f), NETD_PASS);
    ck_assert_uint_eq(f.dst, 0x020000000001);
    ck_assert_uint_eq(f.src, 0x020000000009);
    ck_assert(!f.tagged && f.vlan == 0 && f.tci == 0);
    ck_assert(!netd_mac_is_group(f.dst));
}
END_TEST

START_TEST(a_tag_gives_vlan_and_priority)
{
    struct netd_frame f;

    ck_assert_int_eq(netd_frame_parse(tagged, sizeof(tagged), &f), NETD_PASS);
    ck_assert(f.tagged);
    ck_assert_uint_eq(f.vlan, 7);
    ck_assert_uint_eq(f.tci, 0xb007);
    ck_assert(netd_mac_is_group(f.dst));
}
END_TEST

START_TEST(every_shorter_frame_is_refused_with_its_reason)
{
    struct netd_frame f = {.dst = 42};

    for (size_t len = 0; len < NETD_HEADER_LEN; len++)
        ck_assert_int_eq(netd_frame_parse(plain, len, &f), NETD_DROP_RUNT);
    for (size_t len = NETD_HEADER_LEN; len < NETD_HEADER_LEN + NETD_TAG_LEN; len++)
        ck_assert_int_eq(netd_frame_parse(tagged, len, &f), NETD_DROP_BAD_TAG);
    ck_assert_uint_eq(f.dst, 42);
}
END_TEST

START_TEST(impossible_sources_and_tags_are_refused)
{
    uint8_t bytes[sizeof(tagged)];
    struct netd_frame f;

    memcpy(bytes, tagged, sizeof(bytes));
    bytes[14] = 0x0f;
    bytes[15] = 0xff;
    ck_assert_int_eq(netd_frame_parse(bytes, sizeof(bytes), &f), NETD_DROP_BAD_TAG);
    bytes[15] = 0xfe;
    ck_assert_int_eq(netd_frame_parse(bytes, sizeof(bytes), &f), NETD_PASS);
    bytes[6] = 3;
    ck_assert_int_eq(netd_frame_parse(bytes, sizeof(bytes), &f), NETD_DROP_BAD_SOURCE);
    memset(bytes + 6, 0, 6);
    ck_assert_int_eq(netd_frame_parse(bytes, sizeof(bytes), &f), NETD_DROP_BAD_SOURCE);
}
END_TEST

START_TEST(every_reason_has_a_name_of_its_own)
{
    for (int i = 0; i < NETD_DROP_COUNT; i++) {
        ck_assert_ptr_nonnull(netd_drop_name((enum netd_drop)i));
        ck_assert_uint_gt(strlen(netd_drop_text((enum netd_drop)i)), 10);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(netd_drop_name((enum netd_drop)i), netd_drop_name((enum netd_drop)k));
    }
}
END_TEST

static const struct suite_test tests[] = {
    {&a_plain_frame_has_addresses_and_no_vlan, 0},
    {&a_tag_gives_vlan_and_priority, 0},
    {&every_shorter_frame_is_refused_with_its_reason, 0},
    {&impossible_sources_and_tags_are_refused, 0},
    {&every_reason_has_a_name_of_its_own, 0},
};
SUITE_MAIN("frame", tests)
