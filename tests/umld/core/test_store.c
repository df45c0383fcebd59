/* The database: opening, refusing, repeating what could not be written; jobs, settings. */
#include "tests/umld/core/fixture.h"
#include "umld/guest.h"
#include "umld/jobs.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[128];

static const char *database(void)
{
    snprintf(path, sizeof(path), "%s/other.db", fixture_dir);
    return path;
}

static struct db *open_other(void)
{
    struct um_error err;
    struct db *db = NULL;

    ck_assert_msg(db_open(database(), &db, &err) == UM_OK, "%s", err.message);
    return db;
}

static bool copy_text(const struct db_row *row, void *arg)
{
    snprintf(arg, 64, "%s", db_row_text(row, 1));
    return false;
}

static const char *setting(struct db *db, char *buf)
{
    buf[0] = '\0';
    ck_assert_int_ge(db_each(db, DBQ_SETTING_ALL, copy_text, buf), 0);
    return buf;
}

START_TEST(what_is_committed_is_there_again)
{
    struct db *db = open_other();
    char text[64];

    ck_assert(!db_dirty(db));
    ck_assert(db_run(db, DBQ_SETTING_PUT, "a", "b"));
    ck_assert(db_dirty(db));
    ck_assert(db_commit(db));
    ck_assert(!db_dirty(db));
    db_close(db);
    db = open_other();
    ck_assert_str_eq(setting(db, text), "b");
    db_close(db);
}
END_TEST

START_TEST(what_is_no_database_is_refused_with_a_remedy)
{
    char junk[8192];
    struct um_error err;
    struct db *db;

    memset(junk, 'x', sizeof(junk));
    fixture_file("other.db", junk, sizeof(junk));
    ck_assert_int_eq(db_open(database(), &db, &err), UM_E_BAD_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "corrupt"));
    ck_assert_ptr_nonnull(strstr(err.hint, "move it away"));
    ck_assert_int_eq(db_open("/proc/none/x.db", &db, &err), UM_E_DENIED);
}
END_TEST

START_TEST(every_statement_has_values_for_its_parameters)
{
    for (int i = 0; i < DBQ_COUNT; i++) {
        size_t marks = 0;

        for (const char *p = db_statements[i].sql; *p; p++)
            marks += *p == '?';
        ck_assert_msg(marks == strlen(db_statements[i].bind), "%s", db_statements[i].sql);
    }
}
END_TEST

/* Another program's transaction stands for a full disk: both end the present one. */
START_TEST(a_write_that_cannot_be_made_now_is_made_later)
{
    struct db *db = open_other(), *rival = open_other();
    char text[64];

    ck_assert(db_run(rival, DBQ_SETTING_PUT, "a", "1"));
    ck_assert(db_run(db, DBQ_SETTING_PUT, "a", "kept"));
    ck_assert(db_stalled(db));
    ck_assert(!db_commit(db));
    ck_assert_msg(!db_run(db, DBQ_JOB_INSERT, "k", "o", INT64_C(0), INT64_C(1)),
                  "a row whose number is needed cannot wait");
    ck_assert_str_eq(setting(db, text), "");
    ck_assert(db_run(rival, DBQ_SETTING_PUT, "a", "2"));
    ck_assert(db_commit(rival));
    for (int i = 0; i < 100 && !db_commit(db); i++)
        usleep(20000);
    ck_assert(!db_dirty(db));
    ck_assert_str_eq(setting(db, text), "kept");
    db_close(rival);
    db_close(db);
}
END_TEST

static bool see_state(const struct db_row *row, void *arg)
{
    snprintf(arg, 32, "%s", db_row_text(row, 3));
    return false;
}

static void expect_state(int64_t id, const char *state)
{
    char text[32] = "";

    ck_assert_int_eq(db_each(umld->db, DBQ_JOB_GET, see_state, text, id), 1);
    ck_assert_str_eq(text, state);
}

static void expect_job(int64_t id, const char *state, const char *error)
{
    json_t *job = job_json(umld, id);

    ck_assert_ptr_nonnull(job);
    ck_assert_str_eq(json_string_value(json_object_get(job, "state")), state);
    ck_assert_str_eq(json_string_value(json_object_get(job, "error")), error);
    json_decref(job);
}

static struct guest *make_guest(const char *name)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error err;
    struct guest *g;

    def.name = strdup(name);
    ck_assert_int_eq(guest_create(umld, &def, &g, &err), UM_OK);
    return g;
}

START_TEST(jobs_end_with_their_outcome)
{
    struct um_error err;
    int64_t done = jobs_begin(umld, "guest.start", "web", 0, NULL, NULL);
    int64_t failed = jobs_begin(umld, "guest.start", "web", 0, NULL, NULL);
    int64_t cancelled = jobs_begin(umld, "image.build", "a", 0, NULL, NULL);

    jobs_phase(umld, cancelled, "mkfs", 1, 3);
    jobs_end(umld, done, NULL);
    um_fail(&err, UM_E_TIMEOUT, "web", NULL, "too slow");
    jobs_end(umld, failed, &err);
    jobs_end(umld, failed, NULL); /* ended is ended */
    um_fail(&err, UM_E_CANCELLED, "a", NULL, "by hand");
    jobs_end(umld, cancelled, &err);
    jobs_end(umld, 4711, NULL);
    fixture_commit();
    expect_state(done, "done");
    expect_state(failed, "failed");
    expect_state(cancelled, "cancelled");
}
END_TEST

START_TEST(unfinished_jobs_follow_their_rule_after_a_restart)
{
    static const char *const kinds[] = {"image.build", "kernel.probe", "of.another-umld",
                                        "guest.stop"};
    int64_t ids[700], stop;

    /* The only one whose work can go on: the guest that is to be stopped is there, and is. */
    make_guest("web");
    stop = jobs_begin(umld, "guest.stop", "web", 0, NULL, NULL);
    jobs_set_goal(umld, stop, "stopped", um_clock_wall_ns() + UM_SEC_NS);
    for (int i = 0; i < 700; i++)
        ids[i] = jobs_begin(umld, kinds[i % 4], "x", 0, NULL, NULL);
    fixture_commit();
    fixture_reopen();
    expect_state(ids[0], "running");
    jobs_recover(umld);
    fixture_commit();
    for (int i = 0; i < 700; i++)
        expect_job(ids[i], "failed", job_kind(kinds[i % 4])->text);
    expect_state(stop, "done");
}
END_TEST

START_TEST(settings_have_defaults_within_their_limits)
{
    ck_assert_int_eq(settings_int(umld, SETTING_STOP_SECONDS), 20);
    ck_assert_int_eq(settings_int(umld, SETTING_BOOT_SECONDS), 60);
    db_run(umld->db, DBQ_SETTING_PUT, "stop-seconds", "33");
    db_run(umld->db, DBQ_SETTING_PUT, "boot-seconds", "nonsense");
    db_run(umld->db, DBQ_SETTING_PUT, "of-a-newer-umld", "1");
    fixture_commit();
    fixture_reopen();
    ck_assert_int_eq(settings_int(umld, SETTING_STOP_SECONDS), 33);
    ck_assert_int_eq(settings_int(umld, SETTING_BOOT_SECONDS), 60);
}
END_TEST

static TCase *storing(void)
{
    TCase *tc = tcase_create("store");

    tcase_add_test(tc, what_is_committed_is_there_again);
    tcase_add_test(tc, what_is_no_database_is_refused_with_a_remedy);
    tcase_add_test(tc, every_statement_has_values_for_its_parameters);
    tcase_add_test(tc, a_write_that_cannot_be_made_now_is_made_later);
    tcase_add_test(tc, jobs_end_with_their_outcome);
    tcase_add_test(tc, unfinished_jobs_follow_their_rule_after_a_restart);
    tcase_add_test(tc, settings_have_defaults_within_their_limits);
    return tc;
}

int main(void)
{
    return fixture_main((TCase *(*const[])(void)){storing}, 1, "umld store");
}
