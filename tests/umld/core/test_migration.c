/* A database of the present schema, opened by a umld that knows one more (upgrade.sql). */
#include "tests/check_run.h"
#include "umld/db.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[32], path[64], backup[80];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/umXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/umld.db", dir);
    snprintf(backup, sizeof(backup), "%s.bak", path);
}

static void teardown(void)
{
    static const char *const names[] = {"umld.db", "umld.db-wal", "umld.db-shm", "umld.db.bak"};
    char name[96];

    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++) {
        snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
        unlink(name);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

/* One number that the file at name answers; -1: an error. */
static int ask(const char *name, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;
    int value = -1;

    ck_assert_int_eq(sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

/* As a umld without the last migration leaves it, with two settings. */
static void make_old(const char *first, const char *second)
{
    sqlite3 *db = NULL;
    char sql[256];

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof(sql),
             "PRAGMA user_version = 2; INSERT INTO setting VALUES ('a', '%s'), ('b', '%s')", first,
             second);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sqlite3_exec(db, db_migrations[i], NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool count_row(const struct db_row *row, void *arg)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

START_TEST(a_new_database_has_all_of_it_and_needs_no_backup)
{
    struct um_error err;
    struct db *db;

    ck_assert_int_eq(db_migration_count, 3);
    ck_assert_msg(db_open(path, &db, &err) == UM_OK, "%s", err.message);
    db_close(db);
    ck_assert_int_eq(ask(path, "PRAGMA user_version"), 3);
    ck_assert_int_eq(ask(path, "SELECT x FROM added"), 7);
    ck_assert_int_ne(access(backup, F_OK), 0);
}
END_TEST

START_TEST(an_old_database_is_upgraded_once_and_kept_as_it_was)
{
    int settings = 0;
    struct um_error err;
    struct db *db;

    make_old("1", "2");
    ck_assert_msg(db_open(path, &db, &err) == UM_OK, "%s", err.message);
    ck_assert_int_ge(db_each(db, DBQ_SETTING_ALL, count_row, &settings), 0);
    ck_assert_int_eq(settings, 2);
    db_close(db);
    ck_assert_int_eq(ask(path, "PRAGMA user_version"), 3);
    ck_assert_int_eq(ask(path, "SELECT x FROM added"), 7);
    ck_assert_int_eq(ask(backup, "PRAGMA user_version"), 2);
    ck_assert_int_eq(ask(backup, "SELECT count(*) FROM setting"), 2);
    ck_assert_int_eq(ask(backup, "SELECT x FROM added"), -1);

    ck_assert_int_eq(unlink(backup), 0);
    ck_assert_int_eq(db_open(path, &db, &err), UM_OK);
    db_close(db);
    ck_assert_int_ne(access(backup, F_OK), 0); /* nothing was to be done */
}
END_TEST

START_TEST(an_upgrade_that_fails_changes_nothing)
{
    struct um_error err;
    struct db *db = NULL;

    make_old("same", "same");
    ck_assert_int_eq(db_open(path, &db, &err), UM_E_BAD_CONFIG);
    ck_assert_ptr_null(db);
    ck_assert_ptr_nonnull(strstr(err.message, "cannot be upgraded"));
    ck_assert_ptr_nonnull(strstr(err.hint, ".bak"));
    ck_assert_int_eq(ask(path, "PRAGMA user_version"), 2);
    ck_assert_int_eq(ask(path, "SELECT x FROM added"), -1);
    ck_assert_int_eq(ask(path, "SELECT count(*) FROM setting"), 2);
    ck_assert_int_eq(ask(backup, "PRAGMA user_version"), 2);

    /* Repaired, it goes on. */
    ck_assert_int_eq(ask(path, "DELETE FROM setting WHERE name = 'b' RETURNING 5"), 5);
    ck_assert_int_eq(db_open(path, &db, &err), UM_OK);
    db_close(db);
    ck_assert_int_eq(ask(path, "PRAGMA user_version"), 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migration");
    TCase *t = tcase_create("migration");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 90);
    tcase_add_test(t, a_new_database_has_all_of_it_and_needs_no_backup);
    tcase_add_test(t, an_old_database_is_upgraded_once_and_kept_as_it_was);
    tcase_add_test(t, an_upgrade_that_fails_changes_nothing);
    suite_add_tcase(s, t);
    return check_run(s);
}
