#include "umld/db.h"

#include "vmcore/base/log.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct db {
    sqlite3 *sql;
    sqlite3_stmt *statements[DBQ_COUNT];
    bool in_transaction;
};

struct db_row {
    sqlite3_stmt *stmt;
};

static enum um_code bad_database(struct um_error *err, const char *path, const char *what)
{
    um_fail(err, UM_E_BAD_CONFIG, path, NULL, "%s", what);
    return um_hint(
        err, "move it away (and restore %s.bak if there is one), or use another --state-dir", path);
}

static bool exec(struct db *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db->sql, sql, NULL, NULL, &message) == SQLITE_OK)
        return true;
    um_log(UM_LOG_ERROR, "database: %s", message ? message : sqlite3_errmsg(db->sql));
    sqlite3_free(message);
    return false;
}

static int one_int(struct db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rc;
}

static bool sound(struct db *db)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;

    if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        ok = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    sqlite3_finalize(stmt);
    return ok;
}

static bool backup(struct db *db, const char *path)
{
    char *name = sqlite3_mprintf("%s.bak", path), *sql;
    bool ok;

    remove(name);
    sql = sqlite3_mprintf("VACUUM INTO %Q", name);
    ok = exec(db, sql);
    sqlite3_free(sql);
    sqlite3_free(name);
    return ok;
}

static bool migrate_step(struct db *db, int from)
{
    char pragma[64];

    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", from + 1);
    if (exec(db, "BEGIN IMMEDIATE") && exec(db, db_migrations[from]) && exec(db, pragma) &&
        exec(db, "COMMIT"))
        return true;
    exec(db, "ROLLBACK");
    return false;
}

static enum um_code migrate(struct db *db, const char *path, struct um_error *err)
{
    int64_t version = 0;
    char text[160];

    if (one_int(db, "PRAGMA user_version", &version) != SQLITE_ROW)
        return bad_database(err, path, "is not an SQLite database, or is corrupt");
    if (version > db_migration_count) {
        snprintf(text, sizeof(text),
                 "was made by a newer umld (schema %lld, this umld knows up to %d)",
                 (long long)version, db_migration_count);
        um_fail(err, UM_E_BAD_CONFIG, path, NULL, "%s", text);
        return um_hint(err, "run that newer umld, or use another --state-dir");
    }
    if (!sound(db))
        return bad_database(err, path, "is corrupt");
    if (version > 0 && version < db_migration_count && !backup(db, path))
        return um_fail(err, UM_E_NO_RESOURCES, path, NULL,
                       "cannot write the backup before upgrading");
    for (; version < db_migration_count; version++)
        if (!migrate_step(db, (int)version))
            return bad_database(err, path, "cannot be upgraded (see the log)");
    return UM_OK;
}

static bool prepare_all(struct db *db)
{
    for (int i = 0; i < DBQ_COUNT; i++)
        if (sqlite3_prepare_v3(db->sql, db_statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK) {
            um_log(UM_LOG_ERROR, "database: statement %d: %s", i, sqlite3_errmsg(db->sql));
            return false;
        }
    return true;
}

enum um_code db_open(const char *path, struct db **ret, struct um_error *err)
{
    struct db *db = calloc(1, sizeof(*db));
    enum um_code code;

    if (!db)
        return um_fail(err, UM_E_NO_RESOURCES, path, NULL, "out of memory");
    if (sqlite3_open_v2(path, &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK) {
        code = um_fail(err, UM_E_DENIED, path, NULL, "cannot open: %s", sqlite3_errmsg(db->sql));
        db_close(db);
        return code;
    }
    sqlite3_busy_timeout(db->sql, 2000);
    if (!exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                  "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512;"
                  "PRAGMA wal_autocheckpoint = 500; PRAGMA journal_size_limit = 4194304"))
        code = bad_database(err, path, "is not an SQLite database, or is corrupt");
    else
        code = migrate(db, path, err);
    if (!code && !prepare_all(db))
        code = bad_database(err, path, "does not have the expected tables");
    if (code) {
        db_close(db);
        return code;
    }
    *ret = db;
    return UM_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->in_transaction && !db_commit(db))
        um_log(UM_LOG_ERROR, "database: last changes are lost");
    for (int i = 0; i < DBQ_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sql);
    free(db);
}

static sqlite3_stmt *bind(struct db *db, enum db_query query, va_list ap)
{
    const struct db_statement *s = &db_statements[query];
    sqlite3_stmt *stmt = db->statements[query];

    if (s->writes && !db->in_transaction) {
        if (!exec(db, "BEGIN IMMEDIATE"))
            return NULL;
        db->in_transaction = true;
    }
    for (int i = 0; s->bind[i]; i++) {
        if (s->bind[i] == 'i')
            sqlite3_bind_int64(stmt, i + 1, va_arg(ap, int64_t));
        else
            sqlite3_bind_text(stmt, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
    }
    return stmt;
}

static void finish(struct db *db, sqlite3_stmt *stmt, int rc)
{
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        um_log(UM_LOG_ERROR, "database: %s: %s", sqlite3_sql(stmt), sqlite3_errmsg(db->sql));
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

bool db_run(struct db *db, enum db_query query, ...)
{
    sqlite3_stmt *stmt;
    va_list ap;
    int rc;

    va_start(ap, query);
    stmt = bind(db, query, ap);
    va_end(ap);
    if (!stmt)
        return false;
    rc = sqlite3_step(stmt);
    finish(db, stmt, rc);
    return rc == SQLITE_DONE;
}

int db_each(struct db *db, enum db_query query, db_row_fn fn, void *arg, ...)
{
    struct db_row row;
    va_list ap;
    int rc, count = 0;

    va_start(ap, arg);
    row.stmt = bind(db, query, ap);
    va_end(ap);
    if (!row.stmt)
        return -1;
    while ((rc = sqlite3_step(row.stmt)) == SQLITE_ROW) {
        count++;
        if (!fn(&row, arg))
            break;
    }
    finish(db, row.stmt, rc);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? count : -1;
}

int64_t db_row_int(const struct db_row *row, int column)
{
    return sqlite3_column_int64(row->stmt, column);
}

const char *db_row_text(const struct db_row *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row->stmt, column);

    return text ? (const char *)text : "";
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->sql);
}

bool db_dirty(const struct db *db)
{
    return db->in_transaction;
}

bool db_commit(struct db *db)
{
    if (!db->in_transaction)
        return true;
    if (!exec(db, "COMMIT"))
        return false;
    db->in_transaction = false;
    return true;
}
