/*
 * The pure parts: shape of the command table, option parsing, the escape machine, conversions.
 */
#include "cli/args.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/text.h"
#include "tests/check_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool in_rows(const struct option_row *rows, const struct option_row *o)
{
    for (; rows && rows->name; rows++)
        if (rows != o &&
            (strcmp(rows->name, o->name) == 0 || (o->letter && rows->letter == o->letter)))
            return true;
    return false;
}

START_TEST(every_command_is_described)
{
    for (size_t i = 0; command_table[i]; i++) {
        const struct command *c = command_table[i];
        const char *last = strrchr(c->summary, '.');

        ck_assert_ptr_nonnull(c->usage);
        ck_assert_uint_gt(strlen(c->summary), 10);
        ck_assert_uint_lt(strlen(c->summary), 61);
        ck_assert_msg(!last || last[1], "%s: summary ends in a full stop", c->name);
        ck_assert_msg(!c->run != !c->verb, "%s: one way to run", c->name);
        ck_assert(c->max_words < 0 || c->max_words >= c->min_words);
        ck_assert_msg(c->min_words == 0 || c->usage[0], "%s: usage", c->name);
    }
}
END_TEST

START_TEST(no_option_twice)
{
    for (size_t i = 0; command_table[i]; i++)
        for (const struct option_row *o = command_table[i]->options; o && o->name; o++) {
            ck_assert_msg(!in_rows(command_table[i]->options, o), "%s --%s", command_table[i]->name,
                          o->name);
            ck_assert_msg(!in_rows(command_global_options, o), "%s --%s is global",
                          command_table[i]->name, o->name);
            ck_assert_uint_gt(strlen(o->help), 5);
            ck_assert(!o->choices || o->value);
        }
}
END_TEST

START_TEST(every_name_and_alias_finds_its_command)
{
    for (size_t i = 0; command_table[i]; i++) {
        const char *names[] = {command_table[i]->name, command_table[i]->alias};

        for (size_t n = 0; n < 2 && names[n]; n++) {
            char *copy = strdup(names[n]), *space = strchr(copy, ' ');
            char *argv[] = {copy, space ? space + 1 : NULL, NULL};
            int used = 0;

            if (space)
                *space = '\0';
            ck_assert_ptr_eq(command_find(argv, space ? 2 : 1, &used), command_table[i]);
            ck_assert_int_eq(used, space ? 2 : 1);
            free(copy);
        }
    }
}
END_TEST

START_TEST(nearest_command)
{
    ck_assert_str_eq(command_nearest("strat"), "start");
    ck_assert_str_eq(command_nearest("crete"), "create");
    ck_assert_str_eq(command_nearest("kernel lsit"), "kernel list");
    ck_assert_str_eq(command_nearest("intro"), "introspect");
    ck_assert_ptr_null(command_nearest("xyzzy"));
    ck_assert_ptr_null(command_nearest(""));
    ck_assert_ptr_null(command_nearest("a word that is longer than any command could ever be"));
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"30", 30000}, {"500ms", 500}, {"2m", 120000}, {"1h", 3600000}, {"7s", 7000}};
    static const char *const bad[] = {"", "0", "-1", "1d", "ms", "1.5", "1 s", "99999999999999999"};
    int64_t ms = 0;

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++) {
        ck_assert(args_duration(good[i].text, &ms));
        ck_assert_int_eq(ms, good[i].ms);
    }
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(!args_duration(bad[i], &ms), "%s", bad[i]);
}
END_TEST

/* Feed the text in pieces of each size: the outcome must not depend on how bytes arrive. */
static void check_escape(const char *typed, const char *sent, bool detaches)
{
    for (size_t piece = 1; piece <= strlen(typed); piece++) {
        struct session_escape e = SESSION_ESCAPE_INIT;
        char all[64] = "", out[64];
        bool detached = false;
        size_t n = 0, len;

        for (size_t at = 0; at < strlen(typed) && !detached; at += piece) {
            size_t take = strlen(typed) - at < piece ? strlen(typed) - at : piece;

            detached = session_escape_feed(&e, typed + at, take, out, &len);
            ck_assert_uint_le(len, take + 1);
            memcpy(all + n, out, len);
            n += len;
        }
        all[n] = '\0';
        ck_assert_str_eq(all, sent);
        ck_assert(detached == detaches);
    }
}

START_TEST(bare_line_feeds_of_an_early_kernel)
{
    static const struct {
        const char *came, *shown;
        bool bare;
    } cases[] = {
        {"one\n\ntwo\n", "one\r\n\r\ntwo\r\n", true},
        {"one\r\ntwo\nthree", "one\r\ntwo\nthree", false},
        {"one\ntwo\r\nthree\n", "one\r\ntwo\r\nthree\n", false},
        {"\033[2J\n", "\033[2J\n", false},
        {"", "", true},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece <= 20; piece++) {
            size_t left = strlen(cases[i].came), n = 0;
            const char *came = cases[i].came;
            char out[64];
            bool bare = true;

            for (; left > 0; left -= left < piece ? left : piece, came += piece)
                n += session_lines_feed(&bare, came, left < piece ? left : piece, out + n);
            out[n] = '\0';
            ck_assert_str_eq(out, cases[i].shown);
            ck_assert_int_eq(bare, cases[i].bare);
        }
}
END_TEST

START_TEST(escape)
{
    check_escape("~.", "", true);
    check_escape("ls\r~.more", "ls\r", true);
    check_escape("ls\n~.", "ls\n", true);
    check_escape("~~.", "~.", false);
    check_escape("~~\r~~~", "~\r~~", false);
    check_escape("a~.", "a~.", false);
    check_escape("~/bin\r", "~/bin\r", false);
    check_escape("~\r~.", "~\r", true);
    check_escape("~", "", false);
}
END_TEST

START_TEST(what_the_terminal_answers_does_not_begin_a_line)
{
    check_escape("ls\r\033[24;12R~.", "ls\r\033[24;12R", true);
    check_escape("\033[0n\033[?62;4c~.", "\033[0n\033[?62;4c", true);
    check_escape("\033[24;12R~~", "\033[24;12R~", false);
    check_escape("\033[A~.", "\033[A~.", false);
    check_escape("\033~.", "\033~.", false);
    check_escape("\033[3~.", "\033[3~.", false);
    check_escape("a\033[24;12R~.", "a\033[24;12R~.", false);
    check_escape("\033\r~.", "\033\r", true);
}
END_TEST

START_TEST(base64url)
{
    static const char *const rows[][2] = {{"", ""},           {"f", "Zg"},
                                          {"fo", "Zm8"},      {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg"}, {"\xff\xfe\xfb", "__77"},
                                          {"\xfb", "-w"}};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        struct um_buf b = UM_BUF_INIT;

        base64_append(&b, rows[i][0], strlen(rows[i][0]));
        ck_assert_str_eq(b.data ? b.data : "", rows[i][1]);
        um_buf_done(&b);
    }
}
END_TEST

START_TEST(times)
{
    char buf[64];

    ck_assert_int_eq(text_time("1970-01-02T00:00:01.5Z"), 86401);
    ck_assert_int_eq(text_time("yesterday"), -1);
    ck_assert_int_eq(text_time(NULL), -1);
    ck_assert_str_eq(text_duration(59, buf, sizeof(buf)), "59s");
    ck_assert_str_eq(text_duration(187, buf, sizeof(buf)), "3m07s");
    ck_assert_str_eq(text_duration(7500, buf, sizeof(buf)), "2h05m");
    ck_assert_str_eq(text_duration(4 * 86400 + 3 * 3600, buf, sizeof(buf)), "4d03h");
    ck_assert_str_eq(text_duration(-5, buf, sizeof(buf)), "0s");
    ck_assert_str_eq(text_when("2026-11-23T11:15:00.123456Z", buf, sizeof(buf)),
                     "2026-11-23 11:15:00Z");
    ck_assert_str_eq(text_when(NULL, buf, sizeof(buf)), "-");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("units");

    tcase_add_test(tc, every_command_is_described);
    tcase_add_test(tc, no_option_twice);
    tcase_add_test(tc, every_name_and_alias_finds_its_command);
    tcase_add_test(tc, nearest_command);
    tcase_add_test(tc, durations);
    tcase_add_test(tc, escape);
    tcase_add_test(tc, bare_line_feeds_of_an_early_kernel);
    tcase_add_test(tc, what_the_terminal_answers_does_not_begin_a_line);
    tcase_add_test(tc, base64url);
    tcase_add_test(tc, times);
    suite_add_tcase(suite, tc);
    return check_run(suite);
}
