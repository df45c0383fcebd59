/* A guest in memory: its table driven step by step, its JSON, its row, its logs. */
#include "tests/umld/core/fixture.h"
#include "umld/console_log.h"
#include "umld/guest.h"
#include "umld/settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct guest *make(const char *name, const char *const *words)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err;
    struct guest *g = NULL;

    for (; words && *words; words++)
        ck_assert_msg(guest_definition_apply(&def, *words, "/", &err) == UM_OK, "%s", err.message);
    def.name = strdup(name);
    def.owner = getuid();
    ck_assert_msg(guest_create(umld, &def, &g, &err) == UM_OK, "%s", err.message);
    fixture_commit();
    return g;
}

/* One event; what it wants done is looked at, not done. */
static unsigned step(struct guest *g, enum guest_event event, enum guest_state expected)
{
    unsigned effects;

    if (event == GUEST_T_EXPIRED)
        g->expired_in = g->state;
    guest_step(g, event);
    ck_assert_str_eq(guest_state_info(g->state)->name, guest_state_info(expected)->name);
    effects = g->effects;
    g->effects = 0;
    return effects;
}

static void run_up(struct guest *g)
{
    ck_assert(step(g, GUEST_U_START, GUEST_PREPARING) & EFFECT_PREPARE);
    ck_assert(step(g, GUEST_R_READY, GUEST_BOOTING) & EFFECT_SPAWN);
    step(g, GUEST_M_UP, GUEST_RUNNING);
    step(g, GUEST_M_READY, GUEST_RUNNING);
    ck_assert(g->ready && g->kernel_up && g->want_up);
}

static void end_with(struct guest *g, int wait_status, enum guest_event verdict)
{
    g->end.kind = POLICY_END_EXIT;
    g->end.wait_status = g->wait_status = wait_status;
    ck_assert(step(g, GUEST_P_EXITED, GUEST_RELEASING) & EFFECT_RELEASE);
    guest_judge_end(g);
    ck_assert_uint_eq(g->inbox_count, 1);
    ck_assert_str_eq(guest_event_name((enum guest_event)g->inbox[0]), guest_event_name(verdict));
    g->inbox_count = 0;
}

START_TEST(a_life_from_start_to_stop)
{
    struct guest *g = make("web", NULL);

    run_up(g);
    ck_assert(step(g, GUEST_U_STOP, GUEST_STOPPING) & EFFECT_LADDER);
    ck_assert(!g->want_up);
    end_with(g, 0, GUEST_R_DONE);
    step(g, GUEST_R_DONE, GUEST_STOPPED);
    ck_assert_ptr_null(g->cause);
}
END_TEST

START_TEST(events_that_mean_nothing_change_nothing)
{
    struct guest *g = make("web", NULL);

    for (int e = GUEST_R_READY; e < GUEST_EVENT_COUNT; e++)
        ck_assert_uint_eq(step(g, (enum guest_event)e, GUEST_STOPPED), 0);
    ck_assert(!g->want_up);
}
END_TEST

START_TEST(the_monitor_is_asked_before_anything_harder)
{
    struct guest *g = make("web", NULL);

    run_up(g);
    ck_assert(step(g, GUEST_U_STOP, GUEST_STOPPING) & EFFECT_LADDER);
    ck_assert(step(g, GUEST_T_EXPIRED, GUEST_KILLING) & EFFECT_KILL);
    ck_assert(!g->kill_asked && !g->end.timed_out);
    ck_assert(step(g, GUEST_T_EXPIRED, GUEST_KILLING) & EFFECT_KILL);
    ck_assert_msg(um_timer_armed(g->limit), "killing goes on until the end is proven");
}
END_TEST

START_TEST(a_boot_that_takes_too_long_is_said_to_have)
{
    struct guest *g = make("web", NULL);

    step(g, GUEST_U_START, GUEST_PREPARING);
    step(g, GUEST_R_READY, GUEST_BOOTING);
    step(g, GUEST_T_EXPIRED, GUEST_KILLING);
    end_with(g, SIGKILL, GUEST_R_FAIL);
    step(g, GUEST_R_FAIL, GUEST_FAILED);
    ck_assert_str_eq(g->cause, "not ready in time");
    ck_assert(!g->want_up);
}
END_TEST

START_TEST(a_start_while_it_stops_brings_it_back_without_counting_a_restart)
{
    struct guest *g = make("web", NULL);

    run_up(g);
    step(g, GUEST_U_STOP, GUEST_STOPPING);
    step(g, GUEST_U_START, GUEST_STOPPING);
    end_with(g, 0, GUEST_R_RETRY);
    step(g, GUEST_R_RETRY, GUEST_BACKOFF);
    ck_assert_int_eq(g->backoff_ms, 0);
    step(g, GUEST_T_EXPIRED, GUEST_PREPARING);
    ck_assert_uint_eq(g->restarts, 0);
}
END_TEST

START_TEST(failures_are_counted_until_a_user_starts_it)
{
    struct guest *g = make("web", (const char *[]){"restart=onFailure", NULL});

    run_up(g);
    for (unsigned n = 1; n < POLICY_FAILURES_MAX; n++) {
        end_with(g, 3 << 8, GUEST_R_RETRY);
        step(g, GUEST_R_RETRY, GUEST_BACKOFF);
        ck_assert_uint_eq(g->failures, n);
        step(g, GUEST_T_EXPIRED, GUEST_PREPARING);
        step(g, GUEST_R_READY, GUEST_BOOTING);
    }
    end_with(g, 3 << 8, GUEST_R_FAIL);
    step(g, GUEST_R_FAIL, GUEST_FAILED);
    step(g, GUEST_U_START, GUEST_PREPARING);
    ck_assert_uint_eq(g->failures, 0);
}
END_TEST

START_TEST(its_row_holds_what_a_new_daemon_needs)
{
    struct guest *g =
        make("web", (const char *[]){"mem=64M", "con1=managed", "restart=always", NULL});
    json_t *before, *after;

    run_up(g);
    g->boot = 7;
    g->wait_status = 3 << 8;
    guest_set_cause(g, "because");
    fixture_commit();
    before = guest_definition_json(&g->def);
    fixture_reopen();
    g = guest_find(umld, "web");
    ck_assert_ptr_nonnull(g);
    after = guest_definition_json(&g->def);
    ck_assert(json_equal(before, after));
    ck_assert_int_eq(g->state, GUEST_RUNNING);
    ck_assert(g->want_up);
    ck_assert_uint_eq(g->boot, 7);
    ck_assert_str_eq(g->cause, "because");
    ck_assert_ptr_eq(guest_by_id(umld, g->id), g);
    json_decref(before);
    json_decref(after);
}
END_TEST

START_TEST(its_definition_survives_json_both_ways)
{
    struct guest *g = make("web", (const char *[]){"mem=64M", "con=null", "con1=pts", "hostfs=/usr",
                                                   "ready=kernel", "pinned=off", "owner=17",
                                                   "autostart=on", NULL});
    json_t *json = guest_definition_json(&g->def), *again;
    struct guest_definition copy = GUEST_DEFINITION_INIT;
    struct um_error errors[4];
    size_t count = 0;

    ck_assert(guest_definition_from_json(json, NULL, 0, &copy, errors, 4, &count));
    again = guest_definition_json(&copy);
    ck_assert_msg(json_equal(json, again), "%s\n%s", json_dumps(json, 0), json_dumps(again, 0));
    json_decref(json);
    json_decref(again);
    guest_definition_done(&copy);
}
END_TEST

START_TEST(names_are_found_removed_and_free_again)
{
    char name[32];
    struct guest_definition twice = GUEST_DEFINITION_INIT;
    struct um_error err;
    struct guest *g;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        make(name, NULL);
    }
    ck_assert_int_eq(guest_count(umld), 3000);
    twice.name = strdup("g1234");
    ck_assert_int_eq(guest_create(umld, &twice, &g, &err), UM_E_EXISTS);
    guest_definition_done(&twice);
    guest_remove(guest_find(umld, "g1234"));
    ck_assert_ptr_null(guest_find(umld, "g1234"));
    make("g1234", NULL);
    ck_assert(!guests_effects(umld->guests));
    ck_assert_int_eq(guest_count(umld), 3000);
    fixture_reopen();
    ck_assert_int_eq(guest_count(umld), 3000);
}
END_TEST

static void part(const char *dir, const char *name, const char *text)
{
    char file[200];
    FILE *f;

    snprintf(file, sizeof(file), "%s/%s", dir, name);
    f = fopen(file, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(a_log_is_read_over_its_parts_in_order)
{
    struct console_log log;
    struct um_error err;
    char dir[100], data[64] = "";

    snprintf(dir, sizeof(dir), "%s/log", fixture_dir);
    mkdir(dir, 0700);
    part(dir, "con0.2.10.log", "ten ");
    part(dir, "con0.2.9.log", "nine ");
    part(dir, "con0.1.0.log", "old ");
    part(dir, "con0.2.11.log", "eleven");
    part(dir, "con00.2.1.log", "other");
    part(dir, "con0.2.12.log.tmp", "other");
    part(dir, "con0.x.1.log", "other");
    ck_assert_int_eq(console_log_scan(dir, "con0", 2, &log, &err), UM_OK);
    ck_assert_uint_eq(log.count, 3);
    ck_assert_int_eq(console_log_bytes(&log), 15);
    ck_assert_int_eq(console_log_read(dir, "con0", &log, 3, data, 8), 8);
    ck_assert_str_eq(data, "e ten el");
    ck_assert_int_eq(console_log_read(dir, "con0", &log, 15, data, 8), 0);
    console_log_done(&log);
    ck_assert_int_eq(console_log_scan(dir, "con0", -1, &log, &err), UM_OK);
    ck_assert_uint_eq(log.count, 4);
    ck_assert_int_eq(log.parts[0].boot, 1);
    console_log_done(&log);
    ck_assert_int_eq(console_log_scan("/no/such/dir", "con0", 1, &log, &err), UM_OK);
    ck_assert_uint_eq(log.count, 0);
}
END_TEST

static TCase *guests(void)
{
    TCase *tc = tcase_create("guest");

    tcase_add_test(tc, a_life_from_start_to_stop);
    tcase_add_test(tc, events_that_mean_nothing_change_nothing);
    tcase_add_test(tc, the_monitor_is_asked_before_anything_harder);
    tcase_add_test(tc, a_boot_that_takes_too_long_is_said_to_have);
    tcase_add_test(tc, a_start_while_it_stops_brings_it_back_without_counting_a_restart);
    tcase_add_test(tc, failures_are_counted_until_a_user_starts_it);
    tcase_add_test(tc, its_row_holds_what_a_new_daemon_needs);
    tcase_add_test(tc, its_definition_survives_json_both_ways);
    tcase_add_test(tc, names_are_found_removed_and_free_again);
    tcase_add_test(tc, a_log_is_read_over_its_parts_in_order);
    return tc;
}

int main(void)
{
    return fixture_main((TCase *(*const[])(void)){guests}, 1, "umld guest");
}
