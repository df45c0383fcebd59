#include "tests/vmcore/base/suite.h"
#include "vmcore/base/lines.h"

#include <stdio.h>
#include <string.h>

static void begin(struct um_lines *s, const char *text)
{
    struct um_pattern *pattern;

    ck_assert_int_eq(um_pattern_new(text, NULL, NULL, &pattern, NULL), UM_OK);
    um_lines_init(s, pattern);
}

static bool found(const char *pattern, const char *text, size_t piece)
{
    struct um_lines s;
    bool result = false;

    begin(&s, pattern);
    for (size_t at = 0, len = strlen(text); at < len && !result; at += piece)
        result = um_lines_feed(&s, text + at, len - at < piece ? len - at : piece, true);
    um_lines_done(&s);
    return result;
}

START_TEST(patterns_match_lines_however_they_arrive)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } rows[] = {
        {"login:", "boot\r\nweb login: ", true}, /* a prompt has no newline */
        {"^login:", "boot\r\nweb login: ", false},
        {"^web login: $", "boot\r\nweb login: \n", true},
        {"^foo$", "foobar\n", false}, /* `$` waits for the line's end */
        {"^foo$", "foo\r\n", true},
        {"^ok$", "\033[1;32mok\033[0m\r\n", true}, /* colours */
        {"^ok$", "\033]0;title\aok\n", true},      /* window title, BEL */
        {"^ok$", "\033]0;title\033\\ok\n", true},  /* and ST */
        {"^ok$", "\033(Bok\n", true},              /* character set */
        {"[0-9]+ ready|up", "5 ready\n", true},    /* extended expressions */
        {"title", "\033]0;title\aok\n", false},
        {"^b", "a\nb", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t piece = 1; piece < 64; piece += 7)
            ck_assert_msg(found(rows[i].pattern, rows[i].text, piece) == rows[i].match,
                          "row %zu in pieces of %zu", i, piece);
}
END_TEST

START_TEST(an_endless_line_is_cut_and_does_not_match_at_its_inner_ends)
{
    char text[3 * UM_LINE_MAX + 1];

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ck_assert(!found("^b|a$", text, 100));
    text[UM_LINE_MAX] = 'b'; /* first of the second piece: not the beginning of a line */
    ck_assert(!found("^b", text, 100));
    ck_assert(found("b", text, 100));
}
END_TEST

START_TEST(the_last_line_that_says_something_is_kept)
{
    static const char text[] = "one\r\nbwrap: no such file\r\n\r\n";
    struct um_lines s;

    um_lines_init(&s, NULL);
    ck_assert(!um_lines_feed(&s, text, strlen(text), true));
    ck_assert_str_eq(s.last, "bwrap: no such file");
    um_lines_done(&s);
}
END_TEST

START_TEST(after_a_reset_half_a_line_is_forgotten)
{
    struct um_lines s;

    begin(&s, "half");
    ck_assert(!um_lines_feed(&s, "ha", 2, true));
    um_lines_reset(&s);
    ck_assert(!um_lines_feed(&s, "lf", 2, true));
    ck_assert(!um_lines_feed(&s, "half", 4, false)); /* not sought */
    um_lines_done(&s);
}
END_TEST

START_TEST(the_line_that_matched_is_kept_though_others_follow)
{
    static const char text[] = "one\nweb login:\nthree login:\nfour\n";
    struct um_lines s;

    begin(&s, "login");
    ck_assert(um_lines_feed(&s, text, strlen(text), true));
    ck_assert_str_eq(s.match, "web login:");
    um_lines_done(&s);
}
END_TEST

static const struct suite_test tests[] = {
    {&patterns_match_lines_however_they_arrive, 0},
    {&an_endless_line_is_cut_and_does_not_match_at_its_inner_ends, 0},
    {&the_last_line_that_says_something_is_kept, 0},
    {&after_a_reset_half_a_line_is_forgotten, 0},
    {&the_line_that_matched_is_kept_though_others_follow, 0},
};
SUITE_MAIN("lines", tests)
