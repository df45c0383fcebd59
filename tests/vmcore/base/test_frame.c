#include "tests/vmcore/base/suite.h"
#include "vmcore/base/frame.h"

#include <string.h>

#define FEED(f, text) ck_assert(um_frame_feed(f, text, sizeof(text) - 1))

static void expect(struct um_frame_in *f, const char *want)
{
    const char *text;
    size_t len;

    if (!want) {
        ck_assert_int_eq(um_frame_next(f, &text, &len), UM_FRAME_NONE);
        return;
    }
    ck_assert_int_eq(um_frame_next(f, &text, &len), UM_FRAME_READY);
    ck_assert_str_eq(text, want);
    ck_assert_uint_eq(len, strlen(want));
}

START_TEST(frames_end_at_nul)
{
    struct um_frame_in f;
    const char *rest;

    um_frame_init(&f, 100);
    FEED(&f, "{\"a\"");
    expect(&f, NULL);
    FEED(&f, ":1}\0{}\0{\"b\"");
    expect(&f, "{\"a\":1}");
    expect(&f, "{}");
    expect(&f, NULL);
    ck_assert_int_eq(f.mode, UM_FRAME_NUL);
    ck_assert_uint_eq(um_frame_rest(&f, &rest), 4);
    ck_assert_mem_eq(rest, "{\"b\"", 4);
    um_frame_done(&f);
}
END_TEST

START_TEST(line_mode_is_chosen_by_a_line_feed_after_a_value)
{
    struct um_frame_in f;

    um_frame_init(&f, 100);
    FEED(&f, "{}\n{\"a\":1}\n{");
    expect(&f, "{}");
    ck_assert_int_eq(f.mode, UM_FRAME_LINE);
    expect(&f, "{\"a\":1}");
    expect(&f, NULL);
    FEED(&f, "}\n");
    expect(&f, "{}");
    um_frame_done(&f);
}
END_TEST

/* Whatever the pieces in which it comes. */
START_TEST(pretty_printed_json_is_one_nul_frame)
{
    static const char text[] = "\n{\n \"a\": \"}\\\"\n\",\n \"b\": [\n]\n}";
    struct um_frame_in f;

    um_frame_init(&f, 100);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        ck_assert(um_frame_feed(&f, text + i, 1));
        expect(&f, NULL);
    }
    ck_assert(um_frame_feed(&f, "", 1));
    expect(&f, text);
    ck_assert_int_eq(f.mode, UM_FRAME_NUL);
    um_frame_done(&f);
}
END_TEST

START_TEST(nul_after_a_line_feed_in_one_piece_is_not_line_mode)
{
    struct um_frame_in f;

    um_frame_init(&f, 100);
    FEED(&f, "{}\n\0");
    expect(&f, "{}\n");
    ck_assert_int_eq(f.mode, UM_FRAME_NUL);
    um_frame_done(&f);
}
END_TEST

START_TEST(frames_over_the_limit_are_refused_with_and_without_end)
{
    struct um_frame_in f;
    const char *text;
    size_t len;

    um_frame_init(&f, 8);
    FEED(&f, "12345678\0");
    expect(&f, "12345678");
    FEED(&f, "123456789\0");
    ck_assert_int_eq(um_frame_next(&f, &text, &len), UM_FRAME_TOO_LONG);
    um_frame_done(&f);
    um_frame_init(&f, 8);
    FEED(&f, "12345678");
    ck_assert_int_eq(um_frame_next(&f, &text, &len), UM_FRAME_NONE);
    FEED(&f, "9");
    ck_assert_int_eq(um_frame_next(&f, &text, &len), UM_FRAME_TOO_LONG);
    um_frame_done(&f);
    um_frame_done(NULL);
}
END_TEST

static const struct suite_test tests[] = {
    {&frames_end_at_nul, 0},
    {&line_mode_is_chosen_by_a_line_feed_after_a_value, 0},
    {&pretty_printed_json_is_one_nul_frame, 0},
    {&nul_after_a_line_feed_in_one_piece_is_not_line_mode, 0},
    {&frames_over_the_limit_are_refused_with_and_without_end, 0},
};
SUITE_MAIN("frame", tests)
