/*
 * depends and protect: what they may say, and how they are changed.
 */
#include "tests/check_run.h"
#include "vmcore/guest/definition.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define MAX 16

static struct um_error errors[MAX];

static struct guest_definition named(const char *name)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;

    d.name = strdup(name);
    return d;
}

static size_t check(const struct guest_definition *d)
{
    size_t n = 99;

    guest_definition_check(d, errors, MAX, &n);
    return n;
}

START_TEST(dependencies_are_a_list_that_is_replaced_as_a_whole)
{
    struct guest_definition d = named("web"), copy;

    ck_assert(guest_definition_set_depends(&d, "db,dns"));
    ck_assert(guest_definition_copy(&d, &copy));
    ck_assert(guest_definition_set_depends(&d, "cache"));
    ck_assert_uint_eq(d.depends.n, 1);
    ck_assert_str_eq(d.depends.v[0], "cache");
    ck_assert_uint_eq(check(&d), 0);
    ck_assert(guest_definition_set_depends(&d, ""));
    ck_assert_uint_eq(d.depends.n, 0);
    ck_assert_uint_eq(copy.depends.n, 2);
    ck_assert_str_eq(copy.depends.v[1], "dns");
    guest_definition_done(&d);
    guest_definition_done(&copy);
}
END_TEST

static const struct {
    const char *names, *fragment;
} bad_depends[] = {
    {"db,web", "depends on itself"},
    {"db,dns,db", "\"db\" is named twice"},
    {"a/b", "\"a/b\" is no name"},
};

START_TEST(each_faulty_dependency_gives_its_problem)
{
    struct guest_definition d = named("web");

    ck_assert(guest_definition_set_depends(&d, bad_depends[_i].names));
    ck_assert_uint_eq(check(&d), 1);
    ck_assert_str_eq(errors[0].field, "depends");
    ck_assert_msg(strstr(errors[0].message, bad_depends[_i].fragment) != NULL, "%s",
                  errors[0].message);
    guest_definition_done(&d);
}
END_TEST

START_TEST(dependencies_are_bounded)
{
    struct guest_definition d = named("web");
    char name[16];

    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        ck_assert(um_strv_add(&d.depends, name));
    }
    ck_assert_uint_eq(check(&d), 1);
    ck_assert_ptr_nonnull(strstr(errors[0].message, "the limit is 64"));
    guest_definition_done(&d);
}
END_TEST

START_TEST(protection_has_a_reason_and_is_lifted_by_an_empty_one)
{
    struct guest_definition d = named("web"), copy;

    ck_assert(guest_definition_set_protect(&d, "stop=the shop"));
    ck_assert(guest_definition_set_protect(&d, "remove=a=b"));
    ck_assert(guest_definition_set_protect(&d, "stop=the new shop"));
    ck_assert_uint_eq(check(&d), 0);
    ck_assert(guest_definition_copy(&d, &copy));
    ck_assert_str_eq(guest_definition_protected(&d, "stop"), "the new shop");
    ck_assert_str_eq(guest_definition_protected(&d, "remove"), "a=b");
    ck_assert(guest_definition_set_protect(&d, "stop="));
    ck_assert_ptr_null(guest_definition_protected(&d, "stop"));
    ck_assert(guest_definition_set_protect(&d, "remove"));
    ck_assert_uint_eq(d.protect.n, 0);
    ck_assert_str_eq(guest_definition_protected(&copy, "stop"), "the new shop");
    guest_definition_done(&d);
    guest_definition_done(&copy);
}
END_TEST

START_TEST(unknown_verbs_and_useless_reasons_are_refused)
{
    struct guest_definition d = named("web");
    char text[300];

    ck_assert(guest_definition_set_protect(&d, "reboot=why"));
    ck_assert_uint_eq(check(&d), 1);
    ck_assert_ptr_nonnull(strstr(errors[0].message, "cannot be protected from \"reboot=why\""));
    ck_assert(guest_definition_set_protect(&d, "reboot"));
    snprintf(text, sizeof(text), "stop=%0250d", 0);
    ck_assert(guest_definition_set_protect(&d, text));
    ck_assert(guest_definition_set_protect(&d, "remove=a\033b"));
    ck_assert_uint_eq(check(&d), 2);
    ck_assert_ptr_nonnull(strstr(errors[0].message, "1 to 199 bytes"));
    guest_definition_done(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("definition policy");
    TCase *t = tcase_create("words");

    tcase_add_test(t, dependencies_are_a_list_that_is_replaced_as_a_whole);
    tcase_add_loop_test(t, each_faulty_dependency_gives_its_problem, 0, UM_ARRAY_LEN(bad_depends));
    tcase_add_test(t, dependencies_are_bounded);
    tcase_add_test(t, protection_has_a_reason_and_is_lifted_by_an_empty_one);
    tcase_add_test(t, unknown_verbs_and_useless_reasons_are_refused);
    suite_add_tcase(s, t);
    return check_run(s);
}
