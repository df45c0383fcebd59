/*
 * Limits as words: both directions, and what is no limit.
 */
#include "tests/check_run.h"
#include "vmcore/guest/definition.h"

#include <check.h>

static const struct row {
    enum guest_limit which;
    const char *text;
    uint64_t value;
    const char *back; /* NULL: as it was written */
} rows[] = {
    {LIMIT_MEMORY, "256M", UINT64_C(256) << 20, NULL},
    {LIMIT_MEMORY, "1048576K", UINT64_C(1) << 30, "1G"},
    {LIMIT_MEMORY, "none", 0, NULL},
    {LIMIT_PIDS, "16", 16, NULL},
    {LIMIT_PIDS, "4194304", 4194304, NULL},
    {LIMIT_CPU, "50%", 50, NULL},
    {LIMIT_CPU, "150", 150, "150%"},
    {LIMIT_IO, "10M", UINT64_C(10) << 20, NULL},
};

START_TEST(each_is_read_and_written)
{
    const struct row *r = &rows[_i];
    uint64_t value = 77;
    char text[32];

    ck_assert(guest_limit_parse(r->which, r->text, &value));
    ck_assert_uint_eq(value, r->value);
    guest_limit_format(r->which, value, text, sizeof(text));
    ck_assert_str_eq(text, r->back ? r->back : r->text);
}
END_TEST

static const struct {
    enum guest_limit which;
    const char *text;
} bad[] = {
    {LIMIT_MEMORY, ""},   {LIMIT_MEMORY, "23M"}, {LIMIT_MEMORY, "2T"},
    {LIMIT_MEMORY, "-1"}, {LIMIT_MEMORY, "1x"},  {LIMIT_PIDS, "15"},
    {LIMIT_PIDS, "1K"},   {LIMIT_PIDS, "many"},  {LIMIT_CPU, "0"},
    {LIMIT_CPU, "%"},     {LIMIT_CPU, "50%%"},   {LIMIT_CPU, "1000000000000%"},
    {LIMIT_IO, "1000"},   {LIMIT_IO, "None"},
};

START_TEST(anything_else_is_refused_with_what_is_allowed)
{
    uint64_t value = 77;
    char text[96];

    ck_assert_msg(!guest_limit_parse(bad[_i].which, bad[_i].text, &value), "%s", bad[_i].text);
    ck_assert_uint_eq(value, 77);
    guest_limit_allowed(bad[_i].which, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, " from "));
    ck_assert_ptr_nonnull(strstr(text, ", or none"));
}
END_TEST

START_TEST(names_go_both_ways)
{
    enum guest_limit which = LIMIT_COUNT;

    for (int i = 0; i < LIMIT_COUNT; i++) {
        ck_assert(guest_limit_from_name(guest_limit_name((enum guest_limit)i), &which));
        ck_assert_int_eq(which, i);
    }
    ck_assert(!guest_limit_from_name("swap", &which));
    ck_assert_str_eq(guest_limit_name(LIMIT_COUNT), "?");
}
END_TEST

START_TEST(a_definition_keeps_them_and_lets_them_go)
{
    struct guest_definition d = GUEST_DEFINITION_INIT, copy;

    d.limits.value[LIMIT_CPU] = 50;
    ck_assert(guest_definition_copy(&d, &copy));
    ck_assert_uint_eq(copy.limits.value[LIMIT_CPU], 50);
    ck_assert(guest_definition_unset(&copy, "limit:cpu"));
    ck_assert_uint_eq(copy.limits.value[LIMIT_CPU], 0);
    ck_assert(!guest_definition_unset(&copy, "limit:cpu"));
    ck_assert(!guest_definition_unset(&copy, "limit:none"));
    guest_definition_done(&copy);
    guest_definition_done(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, each_is_read_and_written, 0, UM_ARRAY_LEN(rows));
    tcase_add_loop_test(t, anything_else_is_refused_with_what_is_allowed, 0, UM_ARRAY_LEN(bad));
    tcase_add_test(t, names_go_both_ways);
    tcase_add_test(t, a_definition_keeps_them_and_lets_them_go);
    suite_add_tcase(s, t);
    return check_run(s);
}
