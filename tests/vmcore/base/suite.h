/* The main() of a test program: a table of test functions, one process each. */
#ifndef TESTS_VMCORE_BASE_SUITE_H
#define TESTS_VMCORE_BASE_SUITE_H

#include "tests/check_run.h"

#include <check.h>
#include <stdlib.h>

struct suite_test {
    const TTest **test; /* Check makes a pointer variable of each test */
    int loops;          /* run for _i = 0 .. loops-1; 0: once */
};

/* setup and teardown are run in each test's process; NULL: none. */
static inline int suite_run(const char *name, const struct suite_test *tests, size_t count,
                            void (*setup)(void), void (*teardown)(void))
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < count; i++)
        tcase_add_loop_test(tcase, *tests[i].test, 0, tests[i].loops ? tests[i].loops : 1);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}

#define SUITE_MAIN_WITH(name, tests, setup, teardown)                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        return suite_run(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown);        \
    }
#define SUITE_MAIN(name, tests) SUITE_MAIN_WITH(name, tests, NULL, NULL)

#endif
