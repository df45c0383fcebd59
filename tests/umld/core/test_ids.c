/* Which users guests may be: the option, the two files of the host, and who gets which. */
#include "tests/umld/core/fixture.h"
#include "umld/guest_ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(a_range_is_two_numbers)
{
    static const char *const bad[] = {"",    "5",     "5-",   "-5",           "0-10", "10-5",
                                      "a-b", "1-2-3", "1 -2", "1-2147483648", "1,5"};
    struct um_userns_range r = {7, 7};

    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_msg(!guest_ids_parse(bad[i], &r), "%s", bad[i]);
    ck_assert_uint_eq(r.count, 7);
    ck_assert(guest_ids_parse("200000-265535", &r));
    ck_assert_uint_eq(r.first, 200000);
    ck_assert_uint_eq(r.count, 65536);
    ck_assert(guest_ids_parse("5-5", &r));
    ck_assert_uint_eq(r.count, 1);
}
END_TEST

static bool from_files(const char *uids, const char *gids, struct um_userns_range *ret)
{
    char path[256];

    snprintf(path, sizeof(path), "%s", fixture_file("subuid", uids, strlen(uids)));
    return guest_ids_of_files(path, fixture_file("subgid", gids, strlen(gids)), "umld", 321, ret);
}

START_TEST(what_both_files_give_is_the_range)
{
    struct um_userns_range r = {7, 7};

    ck_assert(from_files("bob:100000:65536\numld:165536:65536\n", "umld:165536:65536\n", &r));
    ck_assert(r.first == 165536 && r.count == 65536);
    ck_assert(from_files("321:1000:100\n", "umld:1050:100", &r));
    ck_assert(r.first == 1050 && r.count == 50);
    ck_assert(!from_files("umld:1000:100\n", "umld:2000:100\n", &r));
    ck_assert(!from_files("umld:1000:100\n", "bob:1000:100\n", &r));
    ck_assert(!from_files("umld:0:100\n", "umld:0:100\n", &r));
    ck_assert(!from_files("umld:x:y\numld\n:\n", "umld:1:1\n", &r));
    ck_assert(!guest_ids_of_files("/nonexistent", "/nonexistent", "umld", 321, &r));
    ck_assert(r.first == 1050 && r.count == 50);
}
END_TEST

START_TEST(user_mode_has_no_range_and_a_range_needs_root)
{
    const struct um_userns_range asked = {200000, 10};
    struct um_error err;

    ck_assert(!guest_ids_any(umld));
    ck_assert_str_eq(guest_ids_why(umld), "");
    ck_assert(guest_ids_ours(umld, geteuid()));
    ck_assert(!guest_ids_ours(umld, 200000));
    guest_ids_close(umld);
    ck_assert_int_eq(guest_ids_open(umld, &asked, geteuid(), getegid(), &err), UM_E_BAD_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "only in system mode"));
}
END_TEST

static struct guest *make(const char *name, enum um_code expected)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err = UM_ERROR_INIT;
    struct guest *g = NULL;

    def.name = strdup(name);
    ck_assert_int_eq(guest_create(umld, &def, &g, &err), expected);
    guest_definition_done(&def);
    return g;
}

static void open_range(const char *text)
{
    struct um_userns_range asked;
    struct um_error err;
    enum um_code code;

    ck_assert(guest_ids_parse(text, &asked));
    guest_ids_close(umld);
    umld->system = true;
    code = guest_ids_open(umld, &asked, geteuid(), getegid(), &err);
    ck_assert_msg(code == UM_OK, "%s", err.message);
}

/* Only root can. */
START_TEST(no_two_guests_have_the_same_and_the_range_ends)
{
    struct guest *g[4];
    uid_t first;

    open_range("200000-200003");
    for (int i = 0; i < 4; i++) {
        g[i] = make((char[]){(char)('a' + i), '\0'}, UM_OK);
        ck_assert(g[i]->uid >= 200000 && g[i]->uid <= 200003);
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(g[i]->uid, g[j]->uid);
    }
    make("e", UM_E_NO_RESOURCES);
    ck_assert_ptr_null(guest_find(umld, "e"));
    fixture_commit();
    first = g[0]->uid;
    guest_remove(g[0]);
    fixture_commit();
    guests_effects(umld->guests);
    ck_assert_uint_eq(make("f", UM_OK)->uid, first);
}
END_TEST

START_TEST(it_is_kept_across_restarts_and_given_anew_outside_of_the_range)
{
    struct um_error err;
    struct guest *g;
    uid_t uid;

    open_range("200000-200009");
    uid = make("a", UM_OK)->uid;
    fixture_commit();
    fixture_reopen();
    g = guest_find(umld, "a");
    ck_assert_uint_eq(g->uid, uid);
    open_range("200000-200009");
    ck_assert_int_eq(guest_ids_give(g, &err), UM_OK);
    ck_assert_uint_eq(g->uid, uid);
    open_range("300000-300009");
    ck_assert_int_eq(guest_ids_give(g, &err), UM_OK);
    ck_assert(g->uid >= 300000 && g->uid <= 300009);
    guest_ids_close(umld);
    ck_assert_int_eq(guest_ids_give(g, &err), UM_OK);
    ck_assert_uint_eq(g->uid, 0);
}
END_TEST

START_TEST(a_range_with_a_user_of_the_host_is_refused)
{
    const struct um_userns_range asked = {1, 60000};
    struct um_error err;

    guest_ids_close(umld);
    umld->system = true;
    ck_assert_int_eq(guest_ids_open(umld, &asked, 70000, 70000, &err), UM_E_BAD_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "1-60000 contains user "));
}
END_TEST

static TCase *ranges(void)
{
    TCase *t = tcase_create("ranges");

    tcase_add_test(t, a_range_is_two_numbers);
    tcase_add_test(t, what_both_files_give_is_the_range);
    tcase_add_test(t, user_mode_has_no_range_and_a_range_needs_root);
    return t;
}

static TCase *as_root(void)
{
    TCase *t = tcase_create("as root");

    if (geteuid() != 0) {
        puts("only root can make guests other users");
        return t;
    }
    tcase_add_test(t, no_two_guests_have_the_same_and_the_range_ends);
    tcase_add_test(t, it_is_kept_across_restarts_and_given_anew_outside_of_the_range);
    tcase_add_test(t, a_range_with_a_user_of_the_host_is_refused);
    return t;
}

int main(void)
{
    TCase *(*const cases[])(void) = {ranges, as_root};

    return fixture_main(cases, UM_ARRAY_LEN(cases), "ids");
}
