#include "mconsole/verbs.h"
#include "tests/check_run.h"

#include "mconsole/wire.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *line, *command;
    enum mconsole_verb verb;
} good[] = {
    {"version", "version", MCONSOLE_VERSION_CMD},
    {"  version\t ", "version", MCONSOLE_VERSION_CMD},
    {"halt", "halt", MCONSOLE_HALT},
    {"reboot", "reboot", MCONSOLE_REBOOT},
    {"config con0", "config con0", MCONSOLE_CONFIG},
    {"config \t ubd1=/a b,/c", "config ubd1=/a b,/c", MCONSOLE_CONFIG},
    {"config vec0:transport=bess,dst=/x", "config vec0:transport=bess,dst=/x", MCONSOLE_CONFIG},
    {"config mem=-16M", "config mem=-16M", MCONSOLE_CONFIG},
    {"remove ubd1", "remove ubd1", MCONSOLE_REMOVE},
    {"sysrq", "sysrq", MCONSOLE_SYSRQ},
    {"sysrq  s", "sysrq s", MCONSOLE_SYSRQ},
    {"sysrq 9", "sysrq 9", MCONSOLE_SYSRQ},
    {"help", "help", MCONSOLE_HELP},
    {"cad", "cad", MCONSOLE_CAD},
    {"stop", "stop", MCONSOLE_STOP},
    {"go", "go", MCONSOLE_GO},
    {"log   hello  world ", "log hello  world\n", MCONSOLE_LOG},
    {"log gr\xc3\xbc\xc3\x9f", "log gr\xc3\xbc\xc3\x9f\n", MCONSOLE_LOG},
    {"proc cpuinfo", "proc cpuinfo", MCONSOLE_PROC},
    {"proc /1/status", "proc /1/status", MCONSOLE_PROC},
    {"proc kmsgx", "proc kmsgx", MCONSOLE_PROC},
    {"stack 1", "stack 1", MCONSOLE_STACK},
    {"stack 20", "stack 20", MCONSOLE_STACK},
    {"exec ls -l /", "exec ls -l /", MCONSOLE_EXEC},
    /* pieces of files are taken as they are */
    {"log   two\n  lines \n", "log   two\n  lines \n", MCONSOLE_LOG},
    {"log \n", "log \n", MCONSOLE_LOG},
};

START_TEST(a_good_command_is_rewritten_exactly)
{
    struct um_buf command = UM_BUF_INIT;
    struct um_error err = UM_ERROR_INIT;
    enum mconsole_verb verb = MCONSOLE_VERB_COUNT;

    ck_assert_msg(mconsole_command_check(good[_i].line, false, &command, &verb, &err) == UM_OK,
                  "%s: %s", good[_i].line, err.message);
    ck_assert_str_eq(command.data, good[_i].command);
    ck_assert_int_eq(verb, good[_i].verb);
    um_buf_done(&command);
}
END_TEST

static const struct {
    const char *line, *message, *hint;
} bad[] = {
    {"", "empty", "version halt"},
    {" \t ", "empty", "version halt"},
    {"cadx", "would take for \"cad\"", "stack"},
    {"haltfoo", "would take for \"halt\"", "commands:"},
    {"gopher", "would take for \"go\"", "commands:"},
    {"Version", "unknown mconsole command \"Version\"", "commands:"},
    {"vers", "unknown mconsole command \"vers\"", "commands:"},
    {"execute", "would take for \"exec\"", "commands:"},
    {"exec", "needs an argument", "usage: exec COMMAND"},
    {"version 1", "takes no argument", "usage: version"},
    {"halt now", "takes no argument", "usage: halt"},
    {"reboot x", "takes no argument", "usage: reboot"},
    {"help me", "takes no argument", "usage: help"},
    {"cad x", "takes no argument", "usage: cad"},
    {"stop x", "takes no argument", "usage: stop"},
    {"go x", "takes no argument", "usage: go"},
    {"config", "needs an argument", "usage: config DEV[=SPEC]"},
    {"remove ", "needs an argument", "usage: remove DEV"},
    {"remove ubd1 ubd2", "takes one argument", "usage: remove DEV"},
    {"log", "needs an argument", "usage: log TEXT"},
    {"proc", "needs an argument", "usage: proc PATH"},
    {"proc a b", "takes one argument", "usage: proc PATH"},
    {"stack", "needs an argument", "usage: stack PID"},
    {"stack init", "takes a process id", "usage: stack PID"},
    {"stack -1", "takes a process id", "usage: stack PID"},
    {"sysrq sync", "one letter", "usage: sysrq [KEY]"},
    {"sysrq s u", "takes one argument", "usage: sysrq [KEY]"},
    {"log two\nlines", "control characters", ""},
    {"log two\nlines \x1b\n", "control characters", ""},
    {"exec two\nlines\n", "control characters", ""},
    {"version\n", "control characters", ""},
    {"log \x7f", "control characters", ""},
    {"sysrq t", "refused", "--force"},
    {"stack 0", "refused", "--force"},
    {"stack 000", "refused", "--force"},
    {"proc kmsg", "refused", "--force"},
    {"proc //kmsg", "refused", "--force"},
    {"proc kcore", "refused", "--force"},
};

START_TEST(a_bad_command_is_refused_with_the_reason)
{
    struct um_buf command = UM_BUF_INIT;
    struct um_error err = UM_ERROR_INIT;
    enum mconsole_verb verb = MCONSOLE_VERB_COUNT;
    enum um_code code = mconsole_command_check(bad[_i].line, false, &command, &verb, &err);

    ck_assert_msg(code == UM_E_INVALID && err.code == UM_E_INVALID, "%s", bad[_i].line);
    ck_assert_msg(strstr(err.message, bad[_i].message), "%s: %s", bad[_i].line, err.message);
    ck_assert_msg(strstr(err.hint, bad[_i].hint), "%s: %s", bad[_i].line, err.hint);
    ck_assert_str_eq(err.field, "command");
    ck_assert_ptr_null(command.data);
    ck_assert_int_eq(verb, MCONSOLE_VERB_COUNT);
    ck_assert_int_eq(mconsole_command_check(bad[_i].line, false, &command, &verb, NULL), code);
}
END_TEST

START_TEST(force_sends_what_is_dangerous_and_nothing_else)
{
    struct um_buf command = UM_BUF_INIT;
    enum mconsole_verb verb;

    ck_assert(mconsole_command_check("sysrq t", true, &command, &verb, NULL) == UM_OK);
    ck_assert_str_eq(command.data, "sysrq t");
    ck_assert(mconsole_command_check("stack 0", true, &command, &verb, NULL) == UM_OK);
    ck_assert_str_eq(command.data, "stack 0"); /* what the buffer held is gone */
    ck_assert(mconsole_command_check("haltfoo", true, &command, &verb, NULL) == UM_E_INVALID);
    ck_assert(mconsole_command_check("halt now", true, &command, &verb, NULL) == UM_E_INVALID);
    um_buf_done(&command);
}
END_TEST

START_TEST(a_command_has_at_most_511_bytes)
{
    struct um_buf command = UM_BUF_INIT;
    struct um_error err = UM_ERROR_INIT;
    char line[1000] = "log   ";
    enum mconsole_verb verb;

    memset(line + 6, 'x', 506); /* "log ", 506 bytes and the newline */
    ck_assert(mconsole_command_check(line, false, &command, &verb, &err) == UM_OK);
    ck_assert_uint_eq(command.len, MCONSOLE_COMMAND_MAX);
    um_buf_done(&command);
    line[6 + 506] = 'x';
    ck_assert(mconsole_command_check(line, false, &command, &verb, &err) == UM_E_INVALID);
    ck_assert(strstr(err.message, "512 bytes") && strstr(err.message, "511"));
    memset(line, 'y', 999); /* a word too long for the message */
    ck_assert(mconsole_command_check(line, false, &command, &verb, &err) == UM_E_INVALID);
}
END_TEST

START_TEST(every_verb_has_a_complete_row)
{
    const struct mconsole_verb_info *info = mconsole_verb_info((enum mconsole_verb)_i);

    ck_assert_ptr_nonnull(info->name);
    ck_assert_ptr_nonnull(info->help);
    ck_assert_int_gt(info->timeout_ms, 0);
    ck_assert_int_lt(info->lane, MCONSOLE_LANE_COUNT);
    /* whatever changes a guest keeps out of the way of those who only look */
    ck_assert_int_eq(info->changes_guest, info->lane == MCONSOLE_LANE_CONTROL);
    for (int k = 0; k < _i; k++)
        ck_assert_str_ne(info->name, mconsole_verb_info((enum mconsole_verb)k)->name);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("verbs");
    Suite *s = suite_create("mconsole/verbs");

    suite_add_tcase(s, tc);
    tcase_add_loop_test(tc, a_good_command_is_rewritten_exactly, 0, UM_ARRAY_LEN(good));
    tcase_add_loop_test(tc, a_bad_command_is_refused_with_the_reason, 0, UM_ARRAY_LEN(bad));
    tcase_add_test(tc, force_sends_what_is_dangerous_and_nothing_else);
    tcase_add_test(tc, a_command_has_at_most_511_bytes);
    tcase_add_loop_test(tc, every_verb_has_a_complete_row, 0, MCONSOLE_VERB_COUNT);
    return check_run(s);
}
