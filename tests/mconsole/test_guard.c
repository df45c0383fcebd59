#include "mconsole/guard.h"
#include "tests/check_run.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum mconsole_verb verb;
    const char *command, *question; /* NULL: none */
} questions[] = {
    {MCONSOLE_REMOVE, "remove ubd0", "config ubd0"},
    {MCONSOLE_REMOVE, "remove ubd15", "config ubd15"},
    {MCONSOLE_REMOVE, "remove ubd017", "config ubd017"}, /* octal, as the kernel reads it */
    {MCONSOLE_REMOVE, "remove ubdp", "config ubdp"},
    {MCONSOLE_REMOVE, "remove ubd16", NULL}, /* these the kernel refuses itself */
    {MCONSOLE_REMOVE, "remove ubdq", NULL},
    {MCONSOLE_REMOVE, "remove ubd", NULL},
    {MCONSOLE_REMOVE, "remove ubd0x", NULL},
    {MCONSOLE_REMOVE, "remove eth0", NULL},
    {MCONSOLE_STACK, "stack 1", "proc 1/exe"},
    {MCONSOLE_STACK, "stack 002", "proc 2/exe"},
    {MCONSOLE_EXEC, "exec ls", "help"},
    {MCONSOLE_VERSION_CMD, "version", NULL},
    {MCONSOLE_HALT, "halt", NULL},
    {MCONSOLE_CONFIG, "config ubd0", NULL},
};

START_TEST(what_depends_on_the_guest_is_asked_first)
{
    struct mconsole_guard g;
    enum mconsole_verdict verdict =
        mconsole_guard_begin(&g, questions[_i].verb, questions[_i].command);

    if (!questions[_i].question) {
        ck_assert_int_eq(verdict, MCONSOLE_SEND);
        return;
    }
    ck_assert_int_eq(verdict, MCONSOLE_ASK);
    ck_assert_str_eq(g.ask, questions[_i].question);
    ck_assert(um_str_starts(g.ask, mconsole_verb_info(g.ask_verb)->name));
    ck_assert_int_eq(g.peek, questions[_i].verb == MCONSOLE_STACK);
}
END_TEST

#define DISKS                                                                                      \
    "\n  98       0 ubda 42 11 3402 44 0\n  98       1 ubda1 1 1 1\n  98      32 ubdc 0 0\n"
#define HELP                                                                                       \
    "Commands:\n    version - Get kernel version\n    proc <file> - contents; exec nothing\n"

struct reply {
    enum um_code code;
    int32_t status;
    const char *text; /* NULL: not asked */
};

static const struct {
    enum mconsole_verb verb;
    const char *command;
    struct reply replies[2];
    enum um_code verdict;
    const char *message;
} verdicts[] = {
    {MCONSOLE_REMOVE, "remove ubd0", {{UM_OK, 0, "root"}, {UM_OK, 0, DISKS}}, UM_OK, NULL},
    {MCONSOLE_REMOVE, "remove ubdc", {{UM_OK, 0, "a,b"}, {UM_OK, 0, DISKS}}, UM_OK, NULL},
    /* an entry without a file: the kernel says `Device doesn't exist` */
    {MCONSOLE_REMOVE, "remove ubd5", {{UM_OK, 0, ""}}, UM_OK, NULL},
    {MCONSOLE_REMOVE,
     "remove ubd1",
     {{UM_OK, 0, "/missing"}, {UM_OK, 0, DISKS}},
     UM_E_INVALID,
     "never set up"},
    {MCONSOLE_REMOVE,
     "remove ubd0",
     {{UM_OK, 0, "root_fs"}, {UM_OK, 0, "\n"}},
     UM_E_INVALID,
     "crashes the kernel"},
    {MCONSOLE_REMOVE,
     "remove ubd0",
     {{UM_OK, 0, "root_fs"}, {UM_E_GUEST_ERROR, 1, "Proc not available"}},
     UM_E_INVALID,
     "cannot be told (Proc not available)"},
    {MCONSOLE_REMOVE,
     "remove ubd0",
     {{UM_E_UNRESPONSIVE, 0, "no answer"}},
     UM_E_UNRESPONSIVE,
     "no answer"},
    {MCONSOLE_REMOVE,
     "remove ubd0",
     {{UM_E_GUEST_ERROR, 0, "malformed"}},
     UM_E_GUEST_ERROR,
     "malformed"},
    {MCONSOLE_STACK, "stack 1", {{UM_OK, 0, "\n"}, {UM_OK, 0, "Linux"}}, UM_OK, NULL},
    {MCONSOLE_STACK,
     "stack 1",
     {{UM_E_GUEST_ERROR, 1, "Read of file failed"}, {UM_E_GUEST_ERROR, 1, "no matter"}},
     UM_OK,
     NULL},
    {MCONSOLE_STACK,
     "stack 1",
     {{UM_OK, 0, "\n"}, {UM_E_UNRESPONSIVE, 0, "no answer"}},
     UM_E_UNRESPONSIVE,
     "no answer"},
    {MCONSOLE_STACK,
     "stack 2",
     {{UM_E_GUEST_ERROR, 1, "Failed to open file"}},
     UM_E_INVALID,
     "kernel thread"},
    {MCONSOLE_STACK,
     "stack 2",
     {{UM_E_GUEST_ERROR, 1, "Proc not available"}},
     UM_E_INVALID,
     "\"stack 2\" is refused"},
    {MCONSOLE_EXEC, "exec ls", {{UM_OK, 0, HELP "    exec <command> - run it\n"}}, UM_OK, NULL},
    {MCONSOLE_EXEC, "exec ls", {{UM_OK, 0, HELP}}, UM_E_INVALID, "patched"},
    {MCONSOLE_EXEC,
     "exec ls",
     {{UM_OK, 0, HELP "    executor - not it\n"}},
     UM_E_INVALID,
     "patched"},
    {MCONSOLE_EXEC, "exec ls", {{UM_E_GUEST_ERROR, 1, "exec - no"}}, UM_E_INVALID, "patched"},
};

START_TEST(the_answers_decide)
{
    struct um_error err = UM_ERROR_INIT;
    struct mconsole_guard g;
    enum mconsole_verdict verdict =
        mconsole_guard_begin(&g, verdicts[_i].verb, verdicts[_i].command);

    for (size_t k = 0; k < 2 && verdicts[_i].replies[k].text; k++) {
        const struct reply *r = &verdicts[_i].replies[k];

        ck_assert_int_eq(verdict, MCONSOLE_ASK);
        verdict = mconsole_guard_next(&g, r->code, r->status, r->text, &err);
    }
    ck_assert_int_eq(verdict, verdicts[_i].verdict ? MCONSOLE_REFUSE : MCONSOLE_SEND);
    ck_assert_msg(err.code == verdicts[_i].verdict, "%d: %s", _i, err.message);
    if (err.code)
        ck_assert_msg(strstr(err.message, verdicts[_i].message), "%s", err.message);
    if (err.code == UM_E_INVALID)
        ck_assert(strstr(err.hint, "--force") && strcmp(err.field, "command") == 0);
}
END_TEST

START_TEST(advice_says_what_to_do_in_the_guest)
{
    ck_assert(strstr(mconsole_advice(MCONSOLE_REMOVE, "remove eth0", -EBUSY), "down"));
    ck_assert(strstr(mconsole_advice(MCONSOLE_REMOVE, "remove vec1", -EBUSY), "down"));
    ck_assert(strstr(mconsole_advice(MCONSOLE_REMOVE, "remove ubd1", -EBUSY), "unmount"));
    ck_assert(strstr(mconsole_advice(MCONSOLE_CONFIG, "config ubd1=/x", -EBUSY), "remove"));
    ck_assert(strstr(mconsole_advice(MCONSOLE_REMOVE, "remove con1", -EINVAL), "getty"));
    ck_assert_ptr_null(mconsole_advice(MCONSOLE_REMOVE, "remove eth0", -ENODEV));
    ck_assert_ptr_null(mconsole_advice(MCONSOLE_REMOVE, "remove mem", -EBUSY));
    ck_assert_ptr_null(mconsole_advice(MCONSOLE_VERSION_CMD, "version", -EBUSY));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("guard");
    Suite *s = suite_create("mconsole/guard");

    suite_add_tcase(s, tc);
    tcase_add_loop_test(tc, what_depends_on_the_guest_is_asked_first, 0, UM_ARRAY_LEN(questions));
    tcase_add_loop_test(tc, the_answers_decide, 0, UM_ARRAY_LEN(verdicts));
    tcase_add_test(tc, advice_says_what_to_do_in_the_guest);
    return check_run(s);
}
