/* The event store: numbers, limits, times, what one event may hold; filters of readers. */
#include "tests/umld/core/fixture.h"
#include "umld/event_filter.h"
#include "umld/events.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool count_up(const struct db_row *row, void *arg)
{
    int64_t *next = arg;

    ck_assert_int_eq(db_row_int(row, 0), *next);
    ++*next;
    return true;
}

/* Stored rows after a number, none missing between them. */
static int rows_after(int64_t seq)
{
    int64_t next = seq + 1;

    return db_each(umld->db, DBQ_EVENT_RANGE, count_up, &next, seq, INT64_C(1) << 40,
                   INT64_C(1) << 40);
}

static bool next_row(um_unused const struct db_row *row, um_unused void *arg)
{
    return true;
}

static int all_rows(void)
{
    return db_each(umld->db, DBQ_EVENT_RANGE, next_row, NULL, INT64_C(0), INT64_C(1) << 40,
                   INT64_C(1) << 40);
}

static void emit(int count)
{
    for (int i = 0; i < count; i++)
        events_emit(umld, "test.number", "object", "key", "value \"quoted\"\n", NULL);
    fixture_commit();
}

static void set(enum setting which, const char *name, const char *value)
{
    db_run(umld->db, DBQ_SETTING_PUT, name, value);
    fixture_commit();
    fixture_reopen(); /* settings are read when the daemon starts, and when one changes them */
    ck_assert_int_eq(settings_int(umld, which), atoll(value));
}

struct patience {
    int64_t first, deadline;
    struct um_timer *timer;
};

static void look(void *arg)
{
    struct patience *p = arg;

    if (events_first(umld->events) == p->first || um_clock_mono_ns() > p->deadline)
        um_loop_stop(umld->loop);
    else
        um_timer_arm(p->timer, 5 * UM_MS_NS);
}

/* Let the daemon's timers run until the oldest event is this one. */
static void run_until_first(int64_t first)
{
    struct patience p = {.first = first, .deadline = um_clock_mono_ns() + 20 * UM_SEC_NS};

    p.timer = um_timer_new(umld->loop, look, &p);
    um_timer_arm(p.timer, 0);
    um_loop_run(umld->loop);
    um_timer_free(p.timer);
    fixture_commit();
    ck_assert_int_eq(events_first(umld->events), first);
}

START_TEST(a_hundred_thousand_events_have_no_gap_and_no_double)
{
    int64_t before = events_last(umld->events);

    for (int i = 0; i < 100; i++)
        emit(1000);
    ck_assert_int_eq(events_last(umld->events), before + 100000);
    ck_assert_int_eq(rows_after(before), 100000);
}
END_TEST

START_TEST(more_than_are_kept_go_oldest_first_and_numbers_go_on)
{
    int64_t last;

    set(SETTING_EVENTS, "events-keep", "2000");
    emit(2900);
    last = events_last(umld->events);
    ck_assert_int_eq(rows_after(0), (int)last); /* a few too many are let be */
    emit(3000);
    last = events_last(umld->events);
    run_until_first(last - 1999);
    ck_assert_int_eq(rows_after(last - 2000), 2000);
    ck_assert_int_eq(all_rows(), 2000);
    fixture_reopen();
    ck_assert_int_eq(events_first(umld->events), last - 1999);
    ck_assert_int_eq(events_last(umld->events), last);
    emit(1);
    ck_assert_int_eq(events_last(umld->events), last + 1);
}
END_TEST

START_TEST(numbers_go_on_even_if_none_is_kept)
{
    emit(10);
    db_run(umld->db, DBQ_EVENT_PRUNE, events_last(umld->events));
    fixture_commit();
    fixture_reopen();
    ck_assert_int_eq(events_last(umld->events), 10);
    ck_assert_int_eq(events_first(umld->events), 11);
    emit(1);
    ck_assert_int_eq(events_last(umld->events), 11);
}
END_TEST

/* Rows as of an older daemon: `days` old, one second apart. */
static void emit_old(int count, int64_t days)
{
    int64_t when = um_clock_wall_ns() - days * 86400 * UM_SEC_NS;

    for (int i = 0; i < count; i++)
        db_run(umld->db, DBQ_EVENT_INSERT, (int64_t)(i + 1), when + i * UM_SEC_NS, "test.old",
               "object", "{}");
    fixture_commit();
    fixture_reopen();
    ck_assert_int_eq(events_last(umld->events), count);
}

START_TEST(events_that_are_too_old_go_in_steps)
{
    emit_old(5000, 40);
    emit(10);
    set(SETTING_EVENT_DAYS, "events-days", "30");
    run_until_first(5001);
    ck_assert_int_eq(rows_after(5000), 10);
    ck_assert_int_eq(all_rows(), 10);
}
END_TEST

START_TEST(the_place_of_a_time_is_found)
{
    int64_t base, now;

    emit_old(100, 1);
    base = um_clock_wall_ns() - 86400 * UM_SEC_NS;
    emit(10);
    now = um_clock_wall_ns();
    ck_assert_int_eq(events_at(umld->events, 0), 1);
    ck_assert_int_eq(events_at(umld->events, now + UM_SEC_NS), 111);
    ck_assert_int_eq(events_at(umld->events, now - 3600 * UM_SEC_NS), 101);
    /* Within the second that base may be late. */
    ck_assert_int_ge(events_at(umld->events, base + 50 * UM_SEC_NS), 50);
    ck_assert_int_le(events_at(umld->events, base + 50 * UM_SEC_NS), 52);
}
END_TEST

static bool take_text(const struct db_row *row, void *arg)
{
    json_t *data = json_loads(db_row_text(row, 4), 0, NULL);

    ck_assert_ptr_nonnull(data);
    snprintf(arg, 8192, "%s", json_string_value(json_object_get(data, "text")));
    json_decref(data);
    return false;
}

static const char *stored(const char *text)
{
    static char back[8192];

    events_emit(umld, "test.text", "object", "text", text, NULL);
    ck_assert_int_eq(
        db_each(umld->db, DBQ_EVENT_ABOUT, take_text, back, "object", "test.text", INT64_C(1)), 1);
    return back;
}

START_TEST(a_value_is_bounded_and_always_text)
{
    char big[EVENT_VALUE_MAX * 2];

    memset(big, 'x', sizeof(big));
    big[EVENT_VALUE_MAX] = '\0';
    ck_assert_str_eq(stored(big), big);
    big[EVENT_VALUE_MAX] = 'x';
    big[sizeof(big) - 1] = '\0';
    ck_assert_uint_eq(strlen(stored(big)), EVENT_VALUE_MAX);
    ck_assert_str_eq(stored(big) + EVENT_VALUE_MAX - 4, "x...");
    /* Not within a character: each is two bytes, the cut would be in the middle of one. */
    for (size_t i = 0; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xa4", 3);
    ck_assert_uint_eq(strlen(stored(big)), EVENT_VALUE_MAX - 4 + 3);
    ck_assert_str_eq(stored("bad \xff\xfe bytes"), "bad ?? bytes");
    ck_assert_str_eq(stored(""), "");
}
END_TEST

static bool wants(const char *params, const char *type, const char *object)
{
    json_t *json = json_loads(params, 0, NULL);
    struct event_filter filter;
    struct um_error err;
    bool result;

    ck_assert_ptr_nonnull(json);
    ck_assert_msg(event_filter_read(json, &filter, &err) == UM_OK, "%s", err.message);
    result = event_filter_wants(&filter, type, object);
    event_filter_done(&filter);
    json_decref(json);
    return result;
}

START_TEST(filters_take_names_globs_types_and_beginnings_of_types)
{
    ck_assert(wants("{}", "guest.state", "web"));
    ck_assert(wants("{\"guest\":\"web\"}", "guest.state", "web"));
    ck_assert(!wants("{\"guest\":\"web\"}", "guest.state", "web2"));
    ck_assert(wants("{\"guests\":[\"db\",\"web*\"]}", "guest.state", "web2"));
    ck_assert(!wants("{\"guests\":[\"db\",\"web?\"]}", "guest.state", "web12"));
    ck_assert(wants("{\"types\":[\"guest.*\"]}", "guest.state", "web"));
    ck_assert(!wants("{\"types\":[\"guest.*\"]}", "job.ended", "web"));
    ck_assert(wants("{\"types\":[\"guest.state\",\"job.ended\"]}", "job.ended", "web"));
    ck_assert(!wants("{\"types\":[\"guest.stat\"]}", "guest.state", "web"));
    ck_assert(!wants("{\"types\":[\"guest.*\"],\"guests\":[\"db\"]}", "guest.state", "web"));
    ck_assert(wants("{\"types\":[\"*\"],\"guests\":[\"*\"]}", "x", "y"));
}
END_TEST

START_TEST(filters_that_mean_nothing_are_refused)
{
    static const char *const rows[] = {
        "{\"guests\":[\"\"]}",        "{\"guests\":[\"a b\"]}",     "{\"guests\":[\"[ab]\"]}",
        "{\"types\":[\"\"]}",         "{\"types\":[\"guest.*x\"]}", "{\"types\":[\"Guest.state\"]}",
        "{\"types\":[\"guest.**\"]}",
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        json_t *json = json_loads(rows[i], 0, NULL);
        struct event_filter filter;
        struct um_error err;

        ck_assert_msg(event_filter_read(json, &filter, &err) == UM_E_INVALID, "%s", rows[i]);
        event_filter_done(&filter);
        json_decref(json);
    }
}
END_TEST

static TCase *events(void)
{
    TCase *tc = tcase_create("events");

    tcase_add_test(tc, a_hundred_thousand_events_have_no_gap_and_no_double);
    tcase_add_test(tc, more_than_are_kept_go_oldest_first_and_numbers_go_on);
    tcase_add_test(tc, numbers_go_on_even_if_none_is_kept);
    tcase_add_test(tc, events_that_are_too_old_go_in_steps);
    tcase_add_test(tc, the_place_of_a_time_is_found);
    tcase_add_test(tc, a_value_is_bounded_and_always_text);
    tcase_add_test(tc, filters_take_names_globs_types_and_beginnings_of_types);
    tcase_add_test(tc, filters_that_mean_nothing_are_refused);
    return tc;
}

int main(void)
{
    return fixture_main((TCase *(*const[])(void)){events}, 1, "umld events");
}
