/* The table of a network's states, against its golden file; names both ways. */
#include "umld/network_state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *file_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 65536);

    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_lt(fread(text, 1, 65535, f), 65535);
    fclose(f);
    return text;
}

START_TEST(the_table_is_as_reviewed)
{
    char *text = NULL, *wanted = file_text(NETWORK_GOLDEN);
    size_t size;
    FILE *out = open_memstream(&text, &size);

    network_table_print(out);
    fclose(out);
    ck_assert_str_eq(text, wanted);
    free(text);
    free(wanted);
}
END_TEST

START_TEST(what_is_asked_for_twice_means_nothing_more)
{
    ck_assert_int_eq(network_next(NETWORK_STOPPING, NETWORK_U_REMOVE).action, NETWORK_ACT_NONE);
    ck_assert_int_eq(network_next(NETWORK_HANDOVER, NETWORK_U_RESTART).action, NETWORK_ACT_NONE);
    ck_assert(!network_next(NETWORK_FAILED, NETWORK_P_DIED).defined);
    ck_assert_int_eq(network_next(NETWORK_FAILED, NETWORK_P_DIED).next, NETWORK_FAILED);
}
END_TEST

START_TEST(every_state_in_which_something_may_hang_has_a_limit)
{
    for (int s = 0; s < NETWORK_STATE_COUNT; s++)
        ck_assert_int_eq(network_state_info((enum network_state)s)->timeout_ms > 0,
                         s != NETWORK_RUNNING && s != NETWORK_FAILED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("network");
    TCase *t = tcase_create("state");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_test(t, the_table_is_as_reviewed);
    tcase_add_test(t, what_is_asked_for_twice_means_nothing_more);
    tcase_add_test(t, every_state_in_which_something_may_hang_has_a_limit);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
