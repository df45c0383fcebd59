#include "tests/vmcore/base/suite.h"
#include "vmcore/base/kv.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

START_TEST(buffer_grows_consumes_and_is_taken)
{
    struct um_buf b = UM_BUF_INIT;
    char *text;

    um_buf_consume(&b, 5);
    for (int i = 0; i < 1000; i++)
        um_buf_printf(&b, "%d,", i % 10);
    ck_assert_uint_eq(b.len, 2000);
    um_buf_consume(&b, 1998);
    ck_assert_str_eq(b.data, "9,");
    um_buf_consume(&b, 100);
    ck_assert_uint_eq(b.len, 0);
    um_buf_append(&b, NULL, 0);
    um_buf_puts(&b, "end");
    text = um_buf_take(&b);
    ck_assert_str_eq(text, "end");
    ck_assert_ptr_null(b.data);
    free(text);
    text = um_buf_take(&b);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(string_list_copies_and_is_terminated)
{
    struct um_strv a = {NULL, 0}, b = {NULL, 0};

    ck_assert(um_strv_add(&a, "one") && um_strv_addf(&a, "%d", 2) && um_strv_copy(&a, &b));
    um_strv_done(&a);
    ck_assert_uint_eq(b.n, 2);
    ck_assert_str_eq(b.v[1], "2");
    ck_assert_ptr_null(b.v[2]);
    ck_assert(um_strv_contains(&b, "one") && !um_strv_contains(&b, "on"));
    um_strv_done(&b);
    um_strv_done(NULL);
}
END_TEST

START_TEST(integers_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {{"0", true, 0},
                {"-5", true, -5},
                {"100", true, 100},
                {"101", false, 0},
                {"-11", false, 0},
                {"", false, 0},
                {"-", false, 0},
                {"+5", false, 0},
                {" 5", false, 0},
                {"5 ", false, 0},
                {"5x", false, 0},
                {"0x5", false, 0},
                {"99999999999999999999", false, 0}};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        int64_t value = 77;

        ck_assert_msg(um_parse_int(rows[i].text, -10, 100, &value) == rows[i].ok, "%s",
                      rows[i].text);
        ck_assert_int_eq(value, rows[i].ok ? rows[i].value : 77);
    }
}
END_TEST

START_TEST(sizes_read_back_what_was_written)
{
    static const uint64_t values[] = {0, 1, 1000, 1024, 1536, 128 << 20, 1ULL << 40, UINT64_MAX};
    static const char *const bad[] = {"",     "M",  "-1",        "1MB",
                                      "1.5G", " 1", "16777216T", "18446744073709551616"};
    uint64_t bytes;
    char text[32];

    for (size_t i = 0; i < UM_ARRAY_LEN(values); i++) {
        ck_assert(um_parse_size(um_format_size(values[i], text, sizeof(text)), &bytes));
        ck_assert_uint_eq(bytes, values[i]);
    }
    ck_assert_str_eq(um_format_size(128 << 20, text, sizeof(text)), "128M");
    ck_assert(um_parse_size("2g", &bytes) && bytes == 2ULL << 30);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(!um_parse_size(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

START_TEST(names_cannot_leave_their_directory)
{
    static const char *const good[] = {"a", "0", "web.1", "a_b-c", "A"};
    static const char *const bad[] = {"", ".", "..", "-a", "_a", "a/b", "a b", "a\n", "\xc3\xa4"};
    char longest[65];

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++)
        ck_assert_msg(um_name_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(!um_name_valid(bad[i]), "%s", bad[i]);
    memset(longest, 'a', 64);
    longest[64] = '\0';
    ck_assert(!um_name_valid(longest));
    longest[63] = '\0';
    ck_assert(um_name_valid(longest));
}
END_TEST

START_TEST(paths_are_joined_and_dots_removed)
{
    static const struct {
        const char *cwd, *path, *want;
    } rows[] = {{"/a/b", "c", "/a/b/c"},
                {"/a/b", "../c", "/a/c"},
                {"/a/b", "/c//d/", "/c/d"},
                {"/a", "../../../x", "/x"},
                {"/", ".", "/"},
                {"/a/b", "..", "/a"},
                {"/a/b", "../..", "/"},
                {"/a", "./b/./c/..", "/a/b"},
                {"/a", "", "/a"}};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        um_autostr got = um_path_absolute(rows[i].cwd, rows[i].path);

        ck_assert_str_eq(got, rows[i].want);
    }
}
END_TEST

START_TEST(records_keep_order_and_long_values)
{
    struct um_buf b = UM_BUF_INIT;
    char big[2000];
    const char *key, *value;
    size_t pos = 0;

    memset(big, 'v', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    um_kv_add(&b, "a", "x=y");
    um_kv_add(&b, "a", "");
    um_kv_addf(&b, "big", "%s", big);
    key = um_kv_next(b.data, b.len, &pos, &value);
    ck_assert_str_eq(key, "a");
    ck_assert_str_eq(value, "x=y");
    key = um_kv_next(b.data, b.len, &pos, &value);
    ck_assert_str_eq(key, "a");
    ck_assert_str_eq(value, "");
    key = um_kv_next(b.data, b.len, &pos, &value);
    ck_assert_str_eq(key, "big");
    ck_assert_str_eq(value, big);
    ck_assert_ptr_null(um_kv_next(b.data, b.len, &pos, &value));
    ck_assert_uint_eq(pos, b.len);
    um_buf_done(&b);
}
END_TEST

START_TEST(malformed_records_stop_before_the_end)
{
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {{"novalue", 8}, {"=v", 3}, {"a=b", 3}, {"", 1}};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        char data[16];
        const char *value;
        size_t pos = 0;

        memcpy(data, rows[i].data, rows[i].len);
        ck_assert_ptr_null(um_kv_next(data, rows[i].len, &pos, &value));
        ck_assert_uint_lt(pos, rows[i].len);
    }
}
END_TEST

START_TEST(globs_fit_whole_names_and_cannot_be_made_slow)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } rows[] = {
        {"web", "web", true},
        {"web", "web2", false},
        {"web*", "web", true},
        {"web*", "web12", true},
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"?", "a", true},
        {"?", "", false},
        {"*b", "abab", true},
        {"*b?", "abab", false},
        {"a*b*c", "axxbxxc", true},
        {"a*b*c", "axxcxxb", false},
        {"[a]", "a", false},
        {"w?b-*", "web-7", true},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_msg(um_str_glob(rows[i].pattern, rows[i].text) == rows[i].fits, "%s, %s",
                      rows[i].pattern, rows[i].text);
    for (int i = 0; i < 10000; i++) /* exponential ones would take for ever */
        ck_assert(!um_str_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(only_utf8_without_control_characters_is_left)
{
    static const struct {
        const char *text, *clean;
    } rows[] = {
        {"plain\ntext", "plain\ntext"},
        {"gr\303\274n \360\237\230\200", "gr\303\274n \360\237\230\200"},
        {"\033[0m\t\177", "?[0m??"},
        {"a\302\205b\302\240c", "a??b\302\240c"}, /* U+0085 is a control, U+00A0 is not */
        {"\377\300\257\355\260\200", "??????"},
        {"cut \342\202", "cut ??"},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s", rows[i].text);
        um_str_make_utf8(text, strlen(text));
        ck_assert_str_eq(text, rows[i].clean);
    }
}
END_TEST

START_TEST(control_characters_are_replaced)
{
    char buf[64];

    ck_assert_str_eq(um_str_clean("a\x1b[1m\x7f\r\n\tz", buf, sizeof(buf)), "a?[1m??\n\tz");
    ck_assert_str_eq(um_str_clean("\xc2\x9b"
                                  "1m \xc3\xa4",
                                  buf, sizeof(buf)),
                     "?1m \xc3\xa4");
    ck_assert_str_eq(um_str_clean("abcdef", buf, 4), "abc");
    ck_assert_str_eq(um_str_clean("\xc2", buf, sizeof(buf)), "\xc2");
}
END_TEST

static const struct suite_test tests[] = {
    {&buffer_grows_consumes_and_is_taken, 0},
    {&string_list_copies_and_is_terminated, 0},
    {&integers_are_read_whole_or_not_at_all, 0},
    {&sizes_read_back_what_was_written, 0},
    {&names_cannot_leave_their_directory, 0},
    {&paths_are_joined_and_dots_removed, 0},
    {&records_keep_order_and_long_values, 0},
    {&malformed_records_stop_before_the_end, 0},
    {&globs_fit_whole_names_and_cannot_be_made_slow, 0},
    {&control_characters_are_replaced, 0},
    {&only_utf8_without_control_characters_is_left, 0},
};
SUITE_MAIN("str", tests)
