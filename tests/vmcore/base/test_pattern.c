#include "tests/vmcore/base/suite.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/pattern.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

static struct um_pattern *compiled(const char *text)
{
    struct um_pattern *p = NULL;
    struct um_error err = UM_ERROR_INIT;

    ck_assert_msg(um_pattern_new(text, "test", "p", &p, &err) == UM_OK, "%s: %s", text,
                  err.message);
    return p;
}

static bool matches(const char *text, const char *line)
{
    struct um_pattern *p = compiled(text);
    bool result = um_pattern_matches(p, line, strlen(line), 0);

    um_pattern_free(p);
    return result;
}

START_TEST(expressions_mean_what_posix_says)
{
    static const struct {
        const char *pattern, *line;
        bool match;
    } rows[] = {
        {"login:", "web login: ", true},
        {"^login:", "web login:", false},
        {"^$", "", true},
        {"^$", "a", false},
        {"a|b|cd", "xcd", true},
        {"^(a|b|cd)$", "cd", true},
        {"^(a|b|cd)$", "c", false},
        {"^(ab*c)+$", "acabbbcac", true},
        {"^(ab*c)+$", "acabbbca", false},
        {"^a{2,3}$", "a", false},
        {"^a{2,3}$", "aaa", true},
        {"^a{2,3}$", "aaaa", false},
        {"^a{2,}b$", "aaaaaab", true},
        {"^a{,2}b$", "aaab", false},
        {"^a{0}b$", "b", true},
        {"^(a{2}b){2}$", "aabaab", true},
        {"^(a|b{2}){3}c?$", "abbac", true},
        {"a{x", "a{x", true},
        {"[]a]", "]", true},
        {"^[^]a]$", "b", true},
        {"^[^]a]$", "]", false},
        {"[a-c-]", "-", true},
        {"^[[:digit:]]+\\.[[:digit:]]+$", "12.5", true},
        {"^[[:digit:]]+\\.[[:digit:]]+$", "12x5", false},
        {"[\\]", "\\", true},
        {"^\\w+\\s\\W\\S$", "foo !x", true},
        {"x*", "", true},
        {"(a*)*b", "aaac", false},
        {"()a", "a", true},
        {"(|a)b", "b", true},
        {"a$|^b", "b", true},
        {"\\*\\(", "*(", true},
        {".", "\xff", true},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_msg(matches(rows[i].pattern, rows[i].line) == rows[i].match, "%s, %s",
                      rows[i].pattern, rows[i].line);
}
END_TEST

START_TEST(the_ends_of_a_piece_are_not_the_ends_of_the_line)
{
    struct um_pattern *p = compiled("^ab|cd$|^$");

    ck_assert(um_pattern_matches(p, "ab", 2, 0));
    ck_assert(!um_pattern_matches(p, "ab", 2, UM_PATTERN_NO_BEGIN));
    ck_assert(um_pattern_matches(p, "cd", 2, UM_PATTERN_NO_BEGIN));
    ck_assert(!um_pattern_matches(p, "cd", 2, UM_PATTERN_NO_END));
    ck_assert(!um_pattern_matches(p, "", 0, UM_PATTERN_NO_END));
    um_pattern_free(p);
}
END_TEST

START_TEST(faulty_patterns_are_refused_with_the_reason)
{
    static const struct {
        const char *pattern, *reason;
    } rows[] = {
        {"", "empty"},
        {"(a*)\\1", "back-references"},
        {"\\", "backslash"},
        {"((a{1,100}){1,100}){1,100}", "too large"},
        {"(((((a{255}){255}){255}){255}){255})", "too large"},
        {"(((((){255}){255}){255}){255}){255}x{256}", "over 255"},
        {"a{30000}", "over 255"},
        {"a{3,2}", "{m,n}"},
        {"a{3", "{m,n}"},
        {"(", "without its )"},
        {"a(b", "without its )"},
        {"[a", "without its ]"},
        {"[", "without its ]"},
        {"[z-a]", "range"},
        {"[[:nothing:]]", "[:class:]"},
        {"[[.a.]]", "[:class:]"},
        {"*a", "nothing"},
        {"a|+", "nothing"},
    };
    char longest[UM_PATTERN_MAX + 2];
    struct um_error err;
    struct um_pattern *p;

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(um_pattern_new(rows[i].pattern, "t", "p", &p, &err), UM_E_INVALID);
        ck_assert_msg(strstr(err.message, rows[i].reason), "%s: %s", rows[i].pattern, err.message);
    }
    memset(longest, '(', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(um_pattern_new(longest, "t", "p", &p, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "longer"));
    memset(longest, '.', sizeof(longest));
    longest[sizeof(longest) - 2] = '\0';
    um_pattern_free(compiled(longest));
    for (size_t i = 0; i < UM_PATTERN_MAX; i += 2)
        memcpy(longest + i, "\\w", 2); /* as many sets as a pattern can have */
    um_pattern_free(compiled(longest));
}
END_TEST

enum { DEPTH = 3 };
static unsigned seed = 4711;

static unsigned dice(unsigned sides)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % sides;
}

/* Random expressions over a and b that both sides understand. */
static void invent(char *out, size_t *len, int depth)
{
    static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]",
                                        "c", "^", "$", "\\.",  "[[:alpha:]]"};
    static const char *const repeats[] = {"*", "+", "?", "{2}", "{1,3}", "{0,1}", "{2,}"};

    for (unsigned parts = 1 + dice(3); parts > 0; parts--) {
        unsigned kind = dice(depth > 0 ? 14 : 10);

        /* glibc repeats a group with an anchor in it wrongly: (^b|x){2}c matches "bbc" there. */
        if ((kind == 6 || kind == 7) && depth < DEPTH)
            kind = 0;

        if (kind >= 10) {
            out[(*len)++] = '(';
            invent(out, len, depth - 1);
            if (dice(2)) {
                out[(*len)++] = '|';
                invent(out, len, depth - 1);
            }
            out[(*len)++] = ')';
        } else {
            *len += (size_t)sprintf(out + *len, "%s", atoms[kind]);
        }
        if (kind != 6 && kind != 7 && dice(3) == 0)
            *len += (size_t)sprintf(out + *len, "%s", repeats[dice(7)]);
    }
    out[*len] = '\0';
}

/* What is written to be understood alike is: glibc is the witness. */
START_TEST(random_expressions_match_what_the_c_library_matches)
{
    int compared = 0;

    for (int round = 0; round < 5000; round++) {
        char pattern[4096], line[16];
        size_t len = 0, n = dice(12);
        struct um_pattern *p;
        regex_t re;
        int flags = (dice(4) ? 0 : REG_NOTBOL) | (dice(4) ? 0 : REG_NOTEOL);

        invent(pattern, &len, DEPTH);
        if (len > 60 || um_pattern_new(pattern, NULL, NULL, &p, NULL))
            continue;
        for (size_t i = 0; i < n; i++)
            line[i] = "abc."[dice(4)];
        line[n] = '\0';
        ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
        ck_assert_msg(um_pattern_matches(p, line, n,
                                         (flags & REG_NOTBOL ? UM_PATTERN_NO_BEGIN : 0u) |
                                             (flags & REG_NOTEOL ? UM_PATTERN_NO_END : 0u)) ==
                          (regexec(&re, line, 0, NULL, flags) == 0),
                      "pattern %s, line \"%s\", flags %d", pattern, line, flags);
        compared++;
        regfree(&re);
        um_pattern_free(p);
    }
    ck_assert_int_gt(compared, 2000);
}
END_TEST

/* With glibc 0.3 ms a byte; here microseconds. The limit is far from both. */
START_TEST(no_pattern_is_slow)
{
    static const char *const rows[] = {
        "(a|b)*a(a|b){60}c",         "((a|b|ab|ba)*){20}c",      "(a*)*(a*)*(a*)*(a|aa)*(a|aa)*c",
        "((((a?){4}){4}){4}b?){2}c", "(.*.*.*.*.*.*.*.*.*.*)*c",
    };
    char line[1024];

    for (size_t i = 0; i < sizeof(line); i++)
        line[i] = dice(2) ? 'a' : 'b';
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        struct um_pattern *p = compiled(rows[i]);
        int64_t begun = um_clock_mono_ns();

        for (int k = 0; k < 16; k++)
            ck_assert(!um_pattern_matches(p, line, sizeof(line), 0));
        ck_assert_msg(um_clock_mono_ns() - begun < 4 * UM_SEC_NS, "%s", rows[i]);
        um_pattern_free(p);
    }
}
END_TEST

static const struct suite_test tests[] = {
    {&expressions_mean_what_posix_says, 0},
    {&the_ends_of_a_piece_are_not_the_ends_of_the_line, 0},
    {&faulty_patterns_are_refused_with_the_reason, 0},
    {&random_expressions_match_what_the_c_library_matches, 0},
    {&no_pattern_is_slow, 0},
};
SUITE_MAIN("pattern", tests)
