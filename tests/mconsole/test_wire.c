#include "mconsole/wire.h"
#include "tests/check_run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Numbers as they lie on the wire, data behind them. */
static size_t packet(unsigned char *buf, const uint32_t *numbers, size_t count, const void *data,
                     size_t len)
{
    memcpy(buf, numbers, count * 4);
    memcpy(buf + count * 4, data, len);
    return count * 4 + len;
}

static size_t reply_packet(unsigned char *buf, uint32_t err, uint32_t more, uint32_t said,
                           const void *data, size_t len)
{
    return packet(buf, (uint32_t[]){err, more, said}, 3, data, len);
}

static size_t notify_packet(unsigned char *buf, uint32_t type, uint32_t said, const void *data,
                            size_t len)
{
    return packet(buf, (uint32_t[]){0xcafebabe, 2, type, said}, 4, data, len);
}

START_TEST(a_request_is_magic_version_length_text)
{
    static const unsigned char expected[] = {0xbe, 0xba, 0xfe, 0xca, 2,   0,   0,   0,   4,
                                             0,    0,    0,    'h',  'a', 'l', 't', '\0'};
    struct mconsole_request r;

    ck_assert_uint_eq(mconsole_encode_request("halt", &r), sizeof(expected));
    ck_assert_mem_eq(&r, expected, sizeof(expected));
}
END_TEST

START_TEST(a_request_has_1_to_511_bytes)
{
    struct mconsole_request r;
    char text[600];

    memset(text, 'x', sizeof(text));
    text[511] = '\0';
    ck_assert_uint_eq(mconsole_encode_request(text, &r), 524);
    ck_assert_uint_eq(r.len, 511);
    ck_assert_int_eq(r.data[511], 0);
    text[511] = 'x';
    text[512] = '\0';
    ck_assert_uint_eq(mconsole_encode_request(text, &r), 0);
    ck_assert_uint_eq(mconsole_encode_request("", &r), 0);
    ck_assert_uint_eq(mconsole_encode_request("a", &r), 14);
}
END_TEST

START_TEST(a_reply_is_decoded_with_a_negative_error)
{
    struct mconsole_reply r;
    unsigned char buf[600];
    size_t n = reply_packet(buf, (uint32_t)-EBUSY, 1, 5, "busy", 5);

    ck_assert(mconsole_decode_reply(buf, n, &r));
    ck_assert_int_eq(r.err, -EBUSY);
    ck_assert_uint_eq(r.more, 1);
    ck_assert_uint_eq(r.len, 5);
    ck_assert_str_eq(r.data, "busy");
}
END_TEST

static const struct {
    const char *name;
    uint32_t said;
    size_t size; /* of the datagram */
    bool ok;
} reply_sizes[] = {
    {"nothing", 0, 0, false},
    {"one byte", 0, 1, false},
    {"header short of a byte", 0, 11, false},
    {"header alone", 0, 12, true},
    {"NUL only", 1, 13, true},
    {"one byte promised, none there", 1, 12, false},
    {"exact", 100, 112, true},
    {"one byte missing", 100, 111, false},
    {"surplus bytes", 100, 120, true},
    {"largest", 512, 524, true},
    {"largest, a byte missing", 512, 523, false},
    {"length over the maximum", 513, 524, false},
    {"datagram over the maximum", 512, 525, false},
    {"length near 2^32", 0xffffffff, 524, false},
    {"length that wraps with the header", 0xfffffff4, 524, false},
};

START_TEST(reply_sizes_are_checked)
{
    struct mconsole_reply r = {.err = 77};
    unsigned char buf[600], zero[600] = {0};

    reply_packet(buf, 0, 0, reply_sizes[_i].said, zero, 580);
    ck_assert_msg(mconsole_decode_reply(buf, reply_sizes[_i].size, &r) == reply_sizes[_i].ok, "%s",
                  reply_sizes[_i].name);
    if (!reply_sizes[_i].ok)
        ck_assert_int_eq(r.err, 77); /* outputs only on success */
}
END_TEST

static const struct {
    const char *name;
    uint32_t numbers[4];
    size_t size;
    bool ok;
} notify_sizes[] = {
    {"nothing", {0xcafebabe, 2, 0, 0}, 0, false},
    {"header short of a byte", {0xcafebabe, 2, 3, 0}, 15, false},
    {"empty user", {0xcafebabe, 2, 3, 0}, 16, true},
    {"bad magic", {0xcafebabf, 2, 3, 0}, 16, false},
    {"version 1", {0xcafebabe, 1, 3, 0}, 16, false},
    {"version 3", {0xcafebabe, 3, 3, 0}, 16, false},
    {"unknown type", {0xcafebabe, 2, 4, 0}, 16, false},
    {"byte missing", {0xcafebabe, 2, 3, 10}, 25, false},
    {"exact", {0xcafebabe, 2, 3, 10}, 26, true},
    {"largest", {0xcafebabe, 2, 3, 512}, 528, true},
    {"length over the maximum", {0xcafebabe, 2, 3, 513}, 528, false},
    {"datagram over the maximum", {0xcafebabe, 2, 3, 512}, 529, false},
    {"length near 2^32", {0xcafebabe, 2, 3, 0xfffffff8}, 528, false},
    {"right hang", {0xcafebabe, 2, 2, 0}, 16, true},
    {"normal of 24 bytes", {0xcafebabe, 2, 3, 8}, 24, true},
};

START_TEST(notification_sizes_are_checked)
{
    struct mconsole_notify n = {.type = 77};
    unsigned char buf[600], zero[600] = {0};

    packet(buf, notify_sizes[_i].numbers, 4, zero, 580);
    ck_assert_msg(mconsole_decode_notify(buf, notify_sizes[_i].size, &n) == notify_sizes[_i].ok,
                  "%s", notify_sizes[_i].name);
    if (!notify_sizes[_i].ok)
        ck_assert_uint_eq(n.type, 77);
}
END_TEST

START_TEST(m16_socket_and_panic_lose_their_nul_and_user_keeps_all)
{
    struct mconsole_notify n;
    unsigned char buf[600];

    ck_assert(mconsole_decode_notify(buf, notify_packet(buf, 0, 6, "/a/b\0", 6), &n));
    ck_assert_uint_eq(n.len, 5); /* exactly one */
    ck_assert(mconsole_decode_notify(buf, notify_packet(buf, 1, 5, "oops", 5), &n));
    ck_assert_uint_eq(n.type, MCONSOLE_NOTIFY_PANIC);
    ck_assert_uint_eq(n.len, 4);
    ck_assert_str_eq(n.data, "oops");
    ck_assert(mconsole_decode_notify(buf, notify_packet(buf, 3, 7, "READY=1", 7), &n));
    ck_assert_uint_eq(n.len, 7);
    ck_assert_str_eq(n.data, "READY=1");
    ck_assert(mconsole_decode_notify(buf, notify_packet(buf, 3, 2, "a", 2), &n));
    ck_assert_uint_eq(n.len, 2);
}
END_TEST

START_TEST(a_full_user_notification_is_nul_terminated)
{
    struct mconsole_notify n;
    unsigned char buf[600];
    char text[512];

    memset(text, 'x', sizeof(text));
    ck_assert(mconsole_decode_notify(buf, notify_packet(buf, 3, 512, text, 512), &n));
    ck_assert_uint_eq(n.len, 512);
    ck_assert_uint_eq(strlen(n.data), 512);
}
END_TEST

START_TEST(m16_debians_watchdog_says_hang_in_24_bytes)
{
    /* Debian uml_watchdog on x86-64: u64 magic, u32 version, u32 type, u32 len, u32 padding */
    uint32_t hang[6] = {0xcafebabe, 0, 2, 2, 0, 0};
    struct mconsole_notify n = {.type = 77};

    ck_assert(mconsole_decode_notify(hang, 24, &n));
    ck_assert_uint_eq(n.type, MCONSOLE_NOTIFY_HANG);
    ck_assert_uint_eq(n.len, 0);
    hang[5] = 0xdeadbeef; /* padding is whatever was there */
    ck_assert(mconsole_decode_notify(hang, 24, &n));
    ck_assert(!mconsole_decode_notify(hang, 23, &n));
    ck_assert(!mconsole_decode_notify(hang, 20, &n));
    hang[3] = 1; /* only HANG comes in that layout */
    ck_assert(!mconsole_decode_notify(hang, 24, &n));
    hang[3] = 2;
    hang[4] = 1;
    ck_assert(!mconsole_decode_notify(hang, 24, &n));
}
END_TEST

static enum mconsole_join_result join(struct mconsole_joined *j, int32_t err, uint32_t more,
                                      const char *data, size_t len)
{
    struct mconsole_reply part = {.err = err, .more = more, .len = (uint32_t)len};

    memcpy(part.data, data, len);
    return mconsole_join(j, &part);
}

START_TEST(parts_lose_one_nul_each_and_the_first_error_counts)
{
    struct mconsole_joined j = {.max = 100};

    ck_assert_int_eq(join(&j, -22, 1, "ab", 3), MCONSOLE_JOIN_MORE);
    ck_assert_int_eq(join(&j, 0, 1, "c\0", 3), MCONSOLE_JOIN_MORE); /* one NUL is the text's */
    ck_assert_int_eq(join(&j, 5, 1, "de", 2), MCONSOLE_JOIN_MORE);  /* none at all */
    ck_assert_int_eq(join(&j, 0, 1, "", 0), MCONSOLE_JOIN_MORE);
    ck_assert_int_eq(join(&j, 7, 0, "", 1), MCONSOLE_JOIN_DONE);
    ck_assert_int_eq(j.err, -22);
    ck_assert_uint_eq(j.parts, 5);
    ck_assert_uint_eq(j.text.len, 6);
    ck_assert_mem_eq(j.text.data, "abc\0de", 7);
    um_buf_done(&j.text);
}
END_TEST

START_TEST(a_joined_reply_stops_at_its_cap)
{
    struct mconsole_joined j = {.max = 10};

    ck_assert_int_eq(join(&j, 0, 1, "12345", 6), MCONSOLE_JOIN_MORE);
    ck_assert_int_eq(join(&j, 0, 1, "67890", 6), MCONSOLE_JOIN_MORE);
    ck_assert_int_eq(join(&j, 0, 1, "", 1), MCONSOLE_JOIN_MORE);
    ck_assert_int_eq(join(&j, 0, 0, "x", 2), MCONSOLE_JOIN_TOO_LONG);
    ck_assert_uint_eq(j.text.len, 10);
    um_buf_done(&j.text);
    j = (struct mconsole_joined){.max = 0};
    ck_assert_int_eq(join(&j, 0, 0, "", 1), MCONSOLE_JOIN_DONE);
    um_buf_done(&j.text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("wire");
    Suite *s = suite_create("mconsole/wire");

    suite_add_tcase(s, tc);
    tcase_add_test(tc, a_request_is_magic_version_length_text);
    tcase_add_test(tc, a_request_has_1_to_511_bytes);
    tcase_add_test(tc, a_reply_is_decoded_with_a_negative_error);
    tcase_add_loop_test(tc, reply_sizes_are_checked, 0, UM_ARRAY_LEN(reply_sizes));
    tcase_add_loop_test(tc, notification_sizes_are_checked, 0, UM_ARRAY_LEN(notify_sizes));
    tcase_add_test(tc, m16_socket_and_panic_lose_their_nul_and_user_keeps_all);
    tcase_add_test(tc, a_full_user_notification_is_nul_terminated);
    tcase_add_test(tc, m16_debians_watchdog_says_hang_in_24_bytes);
    tcase_add_test(tc, parts_lose_one_nul_each_and_the_first_error_counts);
    tcase_add_test(tc, a_joined_reply_stops_at_its_cap);
    return check_run(s);
}
