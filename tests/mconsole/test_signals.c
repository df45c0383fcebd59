/*
 * The lines of a guest's notification.
 */
#include "mconsole/signals.h"
#include "tests/check_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The only line of a text; good until the next call. */
static const struct mconsole_signal *one(const char *text)
{
    static struct mconsole_signal s;
    struct mconsole_signals all = MCONSOLE_SIGNALS(text, strlen(text));
    struct mconsole_signal more;

    ck_assert_msg(mconsole_signal_next(&all, &s), "%s", text);
    ck_assert_msg(!mconsole_signal_next(&all, &more), "%s", text);
    return &s;
}

START_TEST(each_form_has_its_kind)
{
    static const struct {
        const char *line;
        enum mconsole_signal_kind kind;
        const char *value;
        bool yes;
    } rows[] = {
        {"READY=1", MCONSOLE_SIGNAL_READY, "1", false},
        {"STATUS=warming up", MCONSOLE_SIGNAL_STATUS, "warming up", false},
        {"STATUS=", MCONSOLE_SIGNAL_STATUS, "", false},
        {"HEALTH=ok", MCONSOLE_SIGNAL_HEALTH, "", true},
        {"HEALTH=ok all 3 disks", MCONSOLE_SIGNAL_HEALTH, "all 3 disks", true},
        {"HEALTH=failing", MCONSOLE_SIGNAL_HEALTH, "", false},
        {"HEALTH=failing disk full", MCONSOLE_SIGNAL_HEALTH, "disk full", false},
        {"WANT=reboot", MCONSOLE_SIGNAL_WANT, "reboot", true},
        {"WANT=halt", MCONSOLE_SIGNAL_WANT, "halt", false},
        {"hello", MCONSOLE_SIGNAL_TEXT, "hello", false},
        {"status=x", MCONSOLE_SIGNAL_TEXT, "status=x", false},
        {" STATUS=x", MCONSOLE_SIGNAL_TEXT, " STATUS=x", false},
        {"METRICS=1", MCONSOLE_SIGNAL_TEXT, "METRICS=1", false},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        const struct mconsole_signal *s = one(rows[i].line);

        ck_assert_msg(s->kind == rows[i].kind, "%s", rows[i].line);
        ck_assert_str_eq(s->line, rows[i].line);
        ck_assert_str_eq(s->value, rows[i].value);
        ck_assert_msg(s->yes == rows[i].yes, "%s", rows[i].line);
        ck_assert_ptr_null(s->problem);
    }
}
END_TEST

START_TEST(the_value_is_what_follows)
{
    static const char text[] = "HEALTH=failing  disk full\nSTATUS=a=b\n";
    struct mconsole_signals all = MCONSOLE_SIGNALS(text, strlen(text));
    struct mconsole_signal s;

    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_str_eq(s.value, "disk full");
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_str_eq(s.value, "a=b");
    ck_assert(!mconsole_signal_next(&all, &s));
}
END_TEST

START_TEST(metrics_have_a_name_and_a_finite_number)
{
    static const struct {
        const char *line, *name;
        double number;
    } rows[] = {
        {"METRIC requests 12", "requests", 12},       {"METRIC _x9 -0.5", "_x9", -0.5},
        {"METRIC t_seconds 1e-3", "t_seconds", 1e-3}, {"METRIC a   +7.25", "a", 7.25},
        {"METRIC big 1e308", "big", 1e308},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        const struct mconsole_signal *s = one(rows[i].line);

        ck_assert_msg(s->kind == MCONSOLE_SIGNAL_METRIC, "%s", rows[i].line);
        ck_assert_str_eq(s->name, rows[i].name);
        ck_assert_double_eq(s->number, rows[i].number);
    }
}
END_TEST

START_TEST(what_cannot_be_used_is_bad_and_says_why)
{
    static const char *const lines[] = {
        "READY=0",           "READY=",         "READY=10",        "READY=1 ",      "HEALTH=",
        "HEALTH=okay",       "HEALTH=failed",  "HEALTH=OK",       "WANT=",         "WANT=poweroff",
        "WANT=halt now",     "METRIC ",        "METRIC x",        "METRIC x ",     "METRIC x y",
        "METRIC 9x 1",       "METRIC x-y 1",   "METRIC x{a=1} 1", "METRIC x 0x10", "METRIC x inf",
        "METRIC x nan",      "METRIC x 1e999", "METRIC x 1 2",    "METRIC x 1,5",  "METRIC a:b 1",
        "METRIC x infinity", "METRIC x 1e",    "METRIC  x 1",
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(lines); i++) {
        const struct mconsole_signal *s = one(lines[i]);

        ck_assert_msg(s->kind == MCONSOLE_SIGNAL_BAD, "%s", lines[i]);
        ck_assert_ptr_nonnull(s->problem);
    }
}
END_TEST

START_TEST(a_name_has_64_characters_at_most)
{
    char line[128], name[80];

    memset(name, 'n', sizeof(name));
    name[64] = '\0';
    snprintf(line, sizeof(line), "METRIC %s 1", name);
    ck_assert_int_eq(one(line)->kind, MCONSOLE_SIGNAL_METRIC);
    ck_assert_str_eq(one(line)->name, name);
    name[64] = 'n';
    name[65] = '\0';
    snprintf(line, sizeof(line), "METRIC %s 1", name);
    ck_assert_int_eq(one(line)->kind, MCONSOLE_SIGNAL_BAD);
}
END_TEST

START_TEST(lines_end_in_newline_carriage_return_nul_or_the_end)
{
    static const char text[] = "\n\nREADY=1\r\n\nSTATUS=x\0\nHEALTH=ok\0";
    struct mconsole_signals all = MCONSOLE_SIGNALS(text, sizeof(text));
    struct mconsole_signal s;

    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_int_eq(s.kind, MCONSOLE_SIGNAL_READY);
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_str_eq(s.line, "STATUS=x");
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_str_eq(s.line, "HEALTH=ok");
    ck_assert(!mconsole_signal_next(&all, &s));
}
END_TEST

START_TEST(a_line_cut_off_by_the_kernel_is_not_believed)
{
    static const char last[] = "METRIC x 12";
    char text[MCONSOLE_DATA_MAX];
    struct mconsole_signals all;
    struct mconsole_signal s;
    size_t first = sizeof(text) - strlen(last);

    memset(text, 'a', sizeof(text));
    text[first - 1] = '\n';
    memcpy(text + first, last, strlen(last));
    all = MCONSOLE_SIGNALS(text, sizeof(text));
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_int_eq(s.kind, MCONSOLE_SIGNAL_TEXT);
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_int_eq(s.kind, MCONSOLE_SIGNAL_BAD);
    ck_assert_ptr_nonnull(strstr(s.problem, "512"));

    text[sizeof(text) - 1] = '\n'; /* the same size, but the line is whole */
    all = MCONSOLE_SIGNALS(text, sizeof(text));
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert(mconsole_signal_next(&all, &s));
    ck_assert_int_eq(s.kind, MCONSOLE_SIGNAL_METRIC);
    ck_assert_double_eq(s.number, 1);
}
END_TEST

START_TEST(text_is_utf_8_without_control_characters)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        {"STATUS=a\033[31mb\177", "STATUS=a?[31mb?"},
        {"STATUS=gr\303\274n \342\234\223 \360\237\230\200",
         "STATUS=gr\303\274n \342\234\223 \360\237\230\200"},
        {"STATUS=\374\300\200", "STATUS=???"},
        {"STATUS=\355\240\200", "STATUS=???"}, /* a surrogate */
        {"STATUS=x\302\233y", "STATUS=x??y"},  /* C1: a control sequence introducer */
        {"STATUS=\342\234", "STATUS=??"},      /* cut in the middle of a character */
        {"STATUS=a\tb\001", "STATUS=a?b?"},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_str_eq(one(rows[i].text)->line, rows[i].line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signal");
    TCase *tc = tcase_create("signal");

    tcase_add_test(tc, each_form_has_its_kind);
    tcase_add_test(tc, the_value_is_what_follows);
    tcase_add_test(tc, metrics_have_a_name_and_a_finite_number);
    tcase_add_test(tc, what_cannot_be_used_is_bad_and_says_why);
    tcase_add_test(tc, a_name_has_64_characters_at_most);
    tcase_add_test(tc, lines_end_in_newline_carriage_return_nul_or_the_end);
    tcase_add_test(tc, a_line_cut_off_by_the_kernel_is_not_believed);
    tcase_add_test(tc, text_is_utf_8_without_control_characters);
    suite_add_tcase(suite, tc);
    return check_run(suite);
}
