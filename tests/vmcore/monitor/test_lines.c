#include "tests/vmcore/monitor/suite.h"
#include "vmcore/monitor/lines.h"

#include <stdio.h>
#include <string.h>

static bool found(const char *pattern, const char *text, size_t piece)
{
    struct mon_lines s;
    bool result = false;

    ck_assert(mon_lines_init(&s, pattern));
    for (size_t at = 0, len = strlen(text); at < len && !result; at += piece)
        result = mon_lines_feed(&s, text + at, len - at < piece ? len - at : piece, true);
    mon_lines_done(&s);
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
    char text[3 * MON_LINE_MAX + 1];

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ck_assert(!found("^b|a$", text, 100));
    text[MON_LINE_MAX] = 'b'; /* first of the second piece: not the beginning of a line */
    ck_assert(!found("^b", text, 100));
    ck_assert(found("b", text, 100));
}
END_TEST

START_TEST(the_last_line_that_says_something_is_kept)
{
    static const char text[] = "one\r\nbwrap: no such file\r\n\r\n";
    struct mon_lines s;

    ck_assert(mon_lines_init(&s, NULL));
    ck_assert(!mon_lines_feed(&s, text, strlen(text), true));
    ck_assert_str_eq(s.last, "bwrap: no such file");
    mon_lines_done(&s);
}
END_TEST

START_TEST(after_a_reset_half_a_line_is_forgotten)
{
    struct mon_lines s;

    ck_assert(mon_lines_init(&s, "half"));
    ck_assert(!mon_lines_feed(&s, "ha", 2, true));
    mon_lines_reset(&s);
    ck_assert(!mon_lines_feed(&s, "lf", 2, true));
    ck_assert(!mon_lines_feed(&s, "half", 4, false)); /* not sought */
    mon_lines_done(&s);
}
END_TEST

SUITE_MAIN("lines", patterns_match_lines_however_they_arrive,
           an_endless_line_is_cut_and_does_not_match_at_its_inner_ends,
           the_last_line_that_says_something_is_kept, after_a_reset_half_a_line_is_forgotten)
