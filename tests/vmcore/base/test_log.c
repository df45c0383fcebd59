#include "tests/vmcore/base/suite.h"
#include "vmcore/base/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one line becomes on a standard error of our own. journal: $JOURNAL_STREAM names it. */
static void logged(bool journal, enum um_log_level level, const char *text, char *ret, size_t size)
{
    int p[2], old = dup(STDERR_FILENO);
    struct stat st;
    char name[64];
    ssize_t n;

    ck_assert_int_eq(pipe(p), 0);
    ck_assert_int_eq(fstat(p[1], &st), 0);
    snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + (journal ? 0 : 1));
    ck_assert_int_eq(setenv("JOURNAL_STREAM", name, 1), 0);
    um_log_init("program");
    dup2(p[1], STDERR_FILENO); /* only now: it may be turned elsewhere after the start */
    um_log(level, "guest %s", text);
    dup2(old, STDERR_FILENO);
    close(p[1]);
    n = read(p[0], ret, size - 1);
    ck_assert_int_ge(n, 0);
    ret[n] = '\0';
    close(p[0]);
    close(old);
}

START_TEST(the_journal_gets_priorities_and_nobody_else)
{
    char line[4096];

    logged(true, UM_LOG_WARNING, "web", line, sizeof(line));
    ck_assert_str_eq(line, "<4>guest web\n");
    logged(true, UM_LOG_ERROR, "web", line, sizeof(line));
    ck_assert_str_eq(line, "<3>guest web\n");
    logged(false, UM_LOG_WARNING, "web", line, sizeof(line));
    ck_assert_msg(line[2] == ':' && strstr(line, "] warning: guest web\n"), "%s", line);
}
END_TEST

START_TEST(a_line_is_one_line_and_has_an_end)
{
    char line[8192], text[4000];

    logged(true, UM_LOG_NOTICE, "a\nb\033[2J", line, sizeof(line));
    ck_assert_str_eq(line, "<5>guest a?b?[2J\n");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    logged(true, UM_LOG_NOTICE, text, line, sizeof(line));
    ck_assert_uint_lt(strlen(line), 2049);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
}
END_TEST

START_TEST(the_level_is_the_least_that_is_told)
{
    char line[256];
    enum um_log_level level;

    for (int i = 0; i < UM_LOG_LEVEL_COUNT; i++) {
        ck_assert(um_log_level_from_name(um_log_level_name((enum um_log_level)i), &level));
        ck_assert_int_eq(level, i);
        um_log_set_level(level);
        for (int j = 0; j < UM_LOG_LEVEL_COUNT; j++) {
            logged(true, (enum um_log_level)j, "web", line, sizeof(line));
            ck_assert_int_eq(line[0] != '\0', j <= i);
        }
    }
    ck_assert(!um_log_level_from_name("loud", &level));
}
END_TEST

static const struct suite_test tests[] = {
    {&the_journal_gets_priorities_and_nobody_else, 0},
    {&a_line_is_one_line_and_has_an_end, 0},
    {&the_level_is_the_least_that_is_told, 0},
};

SUITE_MAIN("log", tests)
