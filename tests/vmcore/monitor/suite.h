/*
 * main() of a Check suite from a list of tests.
 */
#ifndef TESTS_VMCORE_MONITOR_SUITE_H
#define TESTS_VMCORE_MONITOR_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

static int suite_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define SUITE_MAIN(name, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
                                                                                                   \
        return suite_run(name, tests, sizeof(tests) / sizeof(tests[0]));                           \
    }

#endif
