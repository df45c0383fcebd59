/* The order of starts: circles, what is missing, who waits; and places among those that boot. */
#include "tests/umld/core/fixture.h"
#include "umld/db.h"
#include "umld/guest_order.h"
#include "umld/pressure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct guest *make(const char *name, const char *depends)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err;
    struct guest *g = NULL;

    def.name = strdup(name);
    def.owner = getuid();
    ck_assert(guest_definition_set_depends(&def, depends));
    ck_assert_msg(guest_create(umld, &def, &g, &err) == UM_OK, "%s", err.message);
    return g;
}

static enum um_code check(const char *name, const char *depends, struct um_error *err)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    enum um_code code;

    def.name = strdup(name);
    ck_assert(guest_definition_set_depends(&def, depends));
    code = guest_order_check(umld, &def, err);
    guest_definition_done(&def);
    return code;
}

/* As if it had come there by itself. */
static void put(struct guest *g, enum guest_state state, bool ready)
{
    g->state = state;
    g->ready = ready;
    g->want_up = state != GUEST_STOPPED && state != GUEST_FAILED;
}

START_TEST(circles_of_any_length_are_named_and_other_graphs_are_fine)
{
    struct um_error err;

    make("b", "c");
    make("c", "d,e");
    make("d", "");
    make("e", "d,nobody");
    ck_assert_int_eq(check("a", "b,c,d,e", &err), UM_OK);
    ck_assert_int_eq(check("d", "x", &err), UM_OK);
    ck_assert_int_eq(check("d", "b", &err), UM_E_INVALID);
    ck_assert_str_eq(err.object, "guest \"d\"");
    ck_assert_str_eq(err.field, "depends");
    ck_assert_ptr_nonnull(strstr(err.message, "d -> b -> c -> d"));
    ck_assert_int_eq(check("nobody", "b", &err), UM_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "nobody -> b -> c -> e -> nobody"));
}
END_TEST

START_TEST(a_long_chain_is_walked_without_recursion_and_its_circle_found)
{
    struct um_error err;
    char name[32], next[32];

    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        snprintf(next, sizeof(next), "g%d", i + 1);
        make(name, next);
    }
    ck_assert_int_eq(check("g2000", "other", &err), UM_OK);
    ck_assert_int_eq(check("g2000", "g0", &err), UM_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "g2000 -> g0 -> g1 -> "));
}
END_TEST

/* No definition can make one, but an edited database can. */
START_TEST(a_stored_circle_is_walked_once)
{
    struct guest *a = make("a", "b"), *b = make("b", "c");
    struct um_error err;

    make("c", "");
    ck_assert(guest_definition_set_depends(&guest_find(umld, "c")->def, "b"));
    ck_assert_int_eq(check("top", "a", &err), UM_OK);
    ck_assert_int_eq(guest_order_known(a, &err), UM_OK);
    ck_assert_int_eq(guest_order_known(b, &err), UM_OK);
}
END_TEST

START_TEST(what_is_missing_is_found_at_any_depth_but_not_behind_what_is_ready)
{
    struct guest *a = make("a", "b"), *b = make("b", "c");
    json_t *warnings = json_array();
    struct um_error err;

    make("c", "ghost");
    guest_order_warn(umld, &a->def, warnings);
    ck_assert_uint_eq(json_array_size(warnings), 0);
    guest_order_warn(umld, &guest_find(umld, "c")->def, warnings);
    ck_assert_uint_eq(json_array_size(warnings), 1);
    json_decref(warnings);
    ck_assert_int_eq(guest_order_known(a, &err), UM_E_BAD_CONFIG);
    ck_assert_str_eq(err.object, "guest \"c\"");
    ck_assert_ptr_nonnull(strstr(err.message, "\"ghost\""));
    put(b, GUEST_RUNNING, true);
    ck_assert_int_eq(guest_order_known(a, &err), UM_OK);
    put(b, GUEST_PAUSED, true);
    ck_assert_int_eq(guest_order_known(a, &err), UM_E_BAD_CONFIG);
}
END_TEST

START_TEST(dependents_are_counted_and_named_as_far_as_there_is_room)
{
    struct guest *db = make("db", "");
    char name[32], names[64];

    ck_assert_int_eq(guest_order_needed_by(db, names, sizeof(names)), 0);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "guest%02d", i);
        make(name, "db");
    }
    ck_assert_int_eq(guest_order_needed_by(db, names, sizeof(names)), 20);
    ck_assert_ptr_eq(strstr(names, "guest00, guest01, "), names);
    ck_assert_str_eq(names + strlen(names) - 5, ", ...");
    guest_remove(guest_find(umld, "guest00"));
    ck_assert_int_eq(guest_order_needed_by(db, names, sizeof(names)), 19);
}
END_TEST

START_TEST(a_start_waits_is_told_of_changes_and_goes_on)
{
    struct guest *db = make("db", ""), *web = make("web", "db"), *other = make("other", "");

    put(web, GUEST_PREPARING, false);
    ck_assert(!guest_order_met(web));
    ck_assert(web->waits);
    ck_assert_int_eq(umld->order_waiting, 1);
    ck_assert_uint_eq(db->inbox_count, 1);
    ck_assert_int_eq(db->inbox[0], GUEST_U_START);
    db->inbox_count = 0;
    put(db, GUEST_RUNNING, false);
    guest_order_changed(other);
    ck_assert_uint_eq(web->effects, 0);
    guest_order_changed(db);
    ck_assert_uint_eq(web->effects, EFFECT_PREPARE);
    ck_assert(!guest_order_met(web));
    ck_assert_str_eq(web->doing, "waits for db (running)");
    put(db, GUEST_RUNNING, true);
    ck_assert(guest_order_met(web));
    ck_assert(!web->waits);
    ck_assert_int_eq(umld->order_waiting, 0);
}
END_TEST

START_TEST(what_has_failed_is_tried_again_for_who_insists_only)
{
    struct guest *db = make("db", ""), *web = make("web", "db");

    put(web, GUEST_PREPARING, false);
    put(db, GUEST_FAILED, false);
    ck_assert(!guest_order_met(web));
    ck_assert_uint_eq(db->inbox_count, 0);
    ck_assert_int_eq(web->inbox[0], GUEST_R_ERROR);
    web->inbox_count = 0;
    web->looked = false;
    web->insists = true;
    ck_assert(!guest_order_met(web));
    ck_assert_int_eq(db->inbox[0], GUEST_U_START);
    ck_assert(db->insists);
    ck_assert(web->waits);
    ck_assert_uint_eq(web->inbox_count, 0);
}
END_TEST

static int busy;

static int fake_pressure(void)
{
    return busy;
}

/* Two that are about to boot, on a host as busy as that. */
static void two(struct guest **a, struct guest **b, int pressure)
{
    umld->cpu_pressure = fake_pressure;
    busy = pressure;
    *a = make("a", "");
    *b = make("b", "");
    put(*a, GUEST_PREPARING, false);
    put(*b, GUEST_PREPARING, false);
    ck_assert(guest_slot_take(*a, 4));
}

START_TEST(without_a_ceiling_the_load_does_not_matter)
{
    struct guest *a, *b;

    two(&a, &b, 100);
    ck_assert(guest_slot_take(b, 4));
    ck_assert_ptr_null(umld->load_timer);
}
END_TEST

START_TEST(above_the_load_ceiling_one_boots_at_a_time)
{
    struct guest *a, *b;

    ck_assert(db_run(umld->db, DBQ_SETTING_PUT, "load-ceiling", "50"));
    fixture_commit();
    fixture_reopen();
    two(&a, &b, 80);
    ck_assert(!guest_slot_take(b, 4));
    ck_assert_ptr_nonnull(strstr(b->doing, "CPU pressure is 80%, load-ceiling 50%"));
    ck_assert(um_timer_armed(umld->load_timer));
    busy = 50;
    ck_assert(guest_slot_take(b, 4));
    guest_slot_release(b);
    busy = 100;
    ck_assert(!guest_slot_take(b, 4));
    guest_slot_release(a);
    ck_assert_msg(guest_slot_take(b, 4), "one may always boot");
}
END_TEST

START_TEST(pressure_is_read_from_psi_or_estimated_from_the_load)
{
    const char *none = "/no/such/file";
    char psi[256], load[256];

    snprintf(psi, sizeof(psi), "%s",
             fixture_file("psi", "some avg10=37.42 avg60=1.00 avg300=0.00 total=9\n", 48));
    snprintf(load, sizeof(load), "%s", fixture_file("load", "8.00 3.00 1.00 9/300 4242\n", 26));
    ck_assert_int_eq(pressure_read(psi, load, 2), 37);
    ck_assert_int_eq(pressure_read(none, load, 2), 75);
    ck_assert_int_eq(pressure_read(none, load, 8), 0);
    ck_assert_int_eq(pressure_read(none, none, 2), 0);
    ck_assert_int_eq(pressure_read(load, psi, 2), 0);
    ck_assert_int_ge(pressure_cpu(), 0);
    ck_assert_int_le(pressure_cpu(), 100);
}
END_TEST

static TCase *order(void)
{
    TCase *tc = tcase_create("order");

    tcase_add_test(tc, circles_of_any_length_are_named_and_other_graphs_are_fine);
    tcase_add_test(tc, a_long_chain_is_walked_without_recursion_and_its_circle_found);
    tcase_add_test(tc, a_stored_circle_is_walked_once);
    tcase_add_test(tc, what_is_missing_is_found_at_any_depth_but_not_behind_what_is_ready);
    tcase_add_test(tc, dependents_are_counted_and_named_as_far_as_there_is_room);
    tcase_add_test(tc, a_start_waits_is_told_of_changes_and_goes_on);
    tcase_add_test(tc, what_has_failed_is_tried_again_for_who_insists_only);
    tcase_add_test(tc, without_a_ceiling_the_load_does_not_matter);
    tcase_add_test(tc, above_the_load_ceiling_one_boots_at_a_time);
    tcase_add_test(tc, pressure_is_read_from_psi_or_estimated_from_the_load);
    return tc;
}

int main(void)
{
    return fixture_main((TCase *(*const[])(void)){order}, 1, "umld order");
}
