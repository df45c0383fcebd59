#include "umld/db.h"

#include "umld/db_redo.h"
#include "vmcore/base/clock.h"
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
    bool stalled;        /* the last transaction was lost: redo holds all of it */
    int64_t retry_at_ns; /* stalled: not before this */
    struct db_redo redo; /* the writes of this transaction */
};

enum { RETRY_MS = 500 };

#define NO_DATABASE "is not an SQLite database, or is corrupt"

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

/* Which remedy the last failure has; otherwise: what to say if it is none of the system's. */
static enum um_code cannot_use(struct db *db, const char *path, const char *otherwise,
                               struct um_error *err)
{
    switch (sqlite3_errcode(db->sql)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        um_fail(err, UM_E_BUSY, path, NULL, "is locked by another program");
        return um_hint(err, "end that program (fuser %s), then try again", path);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        um_fail(err, UM_E_NO_RESOURCES, path, NULL, "cannot be written: %s",
                sqlite3_errmsg(db->sql));
        return um_hint(err, "make room on its file system and check its permissions");
    default:
        return bad_database(err, path, otherwise);
    }
}

static enum um_code migrate_step(struct db *db, int from, const char *path, struct um_error *err)
{
    enum um_code code;
    char pragma[64];

    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", from + 1);
    if (exec(db, "BEGIN IMMEDIATE") && exec(db, db_migrations[from]) && exec(db, pragma) &&
        exec(db, "COMMIT"))
        return UM_OK;
    code = cannot_use(db, path, "cannot be upgraded (see the log)", err);
    if (!sqlite3_get_autocommit(db->sql)) /* a full disk has rolled back already */
        exec(db, "ROLLBACK");
    return code;
}

static enum um_code migrate(struct db *db, const char *path, struct um_error *err)
{
    enum um_code code = UM_OK;
    int64_t version = 0;
    char text[160];

    if (one_int(db, "PRAGMA user_version", &version) != SQLITE_ROW)
        return cannot_use(db, path, NO_DATABASE, err);
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
    for (; !code && version < db_migration_count; version++)
        code = migrate_step(db, (int)version, path, err);
    return code;
}

static bool prepare_all(struct db *db)
{
    for (int i = 0; i < DBQ_COUNT; i++)
        if (strlen(db_statements[i].bind) > DB_VALUES_MAX ||
            sqlite3_prepare_v3(db->sql, db_statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
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
        code = cannot_use(db, path, NO_DATABASE, err);
    else
        code = migrate(db, path, err);
    if (!code && !prepare_all(db))
        code = bad_database(err, path, "does not have the expected tables");
    if (code) {
        db_close(db);
        return code;
    }
    /* From here on a lock held by somebody else must not hold up the loop: see stall(). */
    sqlite3_busy_timeout(db->sql, 100);
    *ret = db;
    return UM_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db->retry_at_ns = 0;
    if (db_dirty(db) && !db_commit(db))
        um_log(UM_LOG_ERROR, "database: last changes are lost");
    for (int i = 0; i < DBQ_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sql);
    db_redo_done(&db->redo);
    free(db);
}

/* The transaction cannot be completed now; what it wrote is kept and written again later. */
static void stall(struct db *db)
{
    if (!db->stalled)
        um_log(UM_LOG_ERROR, "database: cannot be written: %s; trying again until it can",
               sqlite3_errmsg(db->sql));
    if (!sqlite3_get_autocommit(db->sql))
        exec(db, "ROLLBACK");
    db->in_transaction = false;
    db->stalled = true;
    db->retry_at_ns = um_clock_mono_ns() + RETRY_MS * UM_MS_NS;
}

static bool begin(struct db *db)
{
    if (!db->in_transaction)
        db->in_transaction =
            sqlite3_exec(db->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    return db->in_transaction;
}

static sqlite3_stmt *bind(struct db *db, enum db_query query, const struct db_values *values)
{
    sqlite3_stmt *stmt = db->statements[query];

    for (int i = 0; i < values->count; i++) {
        const struct db_value *v = &values->v[i];

        if (v->text)
            sqlite3_bind_text(stmt, i + 1, v->text, -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(stmt, i + 1, v->number);
    }
    return stmt;
}

static void take_values(enum db_query query, va_list ap, struct db_values *ret)
{
    const char *kinds = db_statements[query].bind;

    for (ret->count = 0; kinds[ret->count]; ret->count++) {
        struct db_value *v = &ret->v[ret->count];

        *v = (struct db_value){NULL, 0};
        if (kinds[ret->count] == 'i') {
            v->number = va_arg(ap, int64_t);
        } else {
            v->text = va_arg(ap, const char *);
            v->text = v->text ? v->text : "";
        }
    }
}

static int step_once(struct db *db, enum db_query query, const struct db_values *values)
{
    sqlite3_stmt *stmt = bind(db, query, values);
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_DONE)
        um_log(UM_LOG_ERROR, "database: %s: %s", sqlite3_sql(stmt), sqlite3_errmsg(db->sql));
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc;
}

/* Errors of the statement itself, which writing it again would not change. */
static bool is_refusal(int rc)
{
    return (rc & 0xff) == SQLITE_CONSTRAINT || (rc & 0xff) == SQLITE_MISMATCH ||
           (rc & 0xff) == SQLITE_TOOBIG;
}

bool db_run(struct db *db, enum db_query query, ...)
{
    struct db_values values;
    va_list ap;
    int rc;

    va_start(ap, query);
    take_values(query, ap, &values);
    va_end(ap);
    if (!db->stalled && begin(db)) {
        rc = step_once(db, query, &values);
        if (rc != SQLITE_DONE && is_refusal(rc))
            return false;
        if (rc != SQLITE_DONE)
            stall(db);
    } else if (!db->stalled) {
        stall(db);
    }
    /* A row whose number the caller wants to know cannot be written later. */
    if (db->stalled && db_statements[query].numbers)
        return false;
    return db_redo_add(&db->redo, query, &values);
}

static bool replay_one(enum db_query query, const struct db_values *values, void *arg)
{
    int rc = step_once(arg, query, values);

    return rc == SQLITE_DONE || is_refusal(rc);
}

static bool recover(struct db *db)
{
    if (um_clock_mono_ns() < db->retry_at_ns)
        return false;
    if (!begin(db) || !db_redo_each(&db->redo, replay_one, db)) {
        stall(db);
        return false;
    }
    return true;
}

bool db_commit(struct db *db)
{
    if (!db_dirty(db))
        return true;
    if (db->stalled && !recover(db))
        return false;
    if (sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        stall(db);
        return false;
    }
    if (db->stalled)
        um_log(UM_LOG_NOTICE, "database: can be written again; nothing was lost");
    db->in_transaction = db->stalled = false;
    db_redo_clear(&db->redo);
    return true;
}

bool db_dirty(const struct db *db)
{
    return db->in_transaction || db->stalled;
}

bool db_stalled(const struct db *db)
{
    return db->stalled;
}

int db_each(struct db *db, enum db_query query, db_row_fn fn, void *arg, ...)
{
    struct db_values values;
    struct db_row row;
    va_list ap;
    int rc, count = 0;

    va_start(ap, arg);
    take_values(query, ap, &values);
    va_end(ap);
    row.stmt = bind(db, query, &values);
    while ((rc = sqlite3_step(row.stmt)) == SQLITE_ROW) {
        count++;
        if (!fn(&row, arg))
            break;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        um_log(UM_LOG_ERROR, "database: %s: %s", sqlite3_sql(row.stmt), sqlite3_errmsg(db->sql));
    sqlite3_reset(row.stmt);
    sqlite3_clear_bindings(row.stmt);
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
