/*
 * main() of a Check suite from a list of tests.
 */
#ifndef TESTS_VMCORE_MONITOR_SUITE_H
#define TESTS_VMCORE_MONITOR_SUITE_H

#include "tests/check_run.h"

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

static int suite_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}

#define SUITE_MAIN(name, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
                                                                                                   \
        return suite_run(name, tests, sizeof(tests) / sizeof(tests[0]));                           \
    }

#endif
