/*
 * SQLite: one connection, one writer (this process). All statements are rows of one table in
 * db_queries.c, prepared at open, so a wrong column fails at start. Changes made in one round of
 * the loop are one transaction: it begins by itself at the first write and ends in db_commit(), in
 * the after-phase, before anything that depends on it is announced. Only umld/db*.c include
 * sqlite3.h.
 */
#ifndef UMLD_DB_H
#define UMLD_DB_H

#include "vmcore/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_row; /* a result row, valid inside the callback only */

enum db_query {
    DBQ_GUEST_ALL,
    DBQ_GUEST_INSERT,
    DBQ_GUEST_DEFINE,
    DBQ_GUEST_STATE,
    DBQ_GUEST_WANT,
    DBQ_GUEST_SIGNALS,
    DBQ_GUEST_SIGNALS_ALL,
    DBQ_GUEST_DELETE,
    DBQ_DEVICE_CLEAR,
    DBQ_DEVICE_INSERT,
    DBQ_DEVICE_ORIGINS,
    DBQ_STRANGER_ALL,
    DBQ_STRANGER_PUT,
    DBQ_STRANGER_DELETE,
    DBQ_KERNEL_ALL,
    DBQ_KERNEL_INSERT,
    DBQ_KERNEL_DELETE,
    DBQ_PROBE_GET,
    DBQ_PROBE_PUT,
    DBQ_IMAGE_ALL,
    DBQ_IMAGE_PUT,
    DBQ_IMAGE_DELETE,
    DBQ_NETWORK_ALL,
    DBQ_NETWORK_INSERT,
    DBQ_NETWORK_DEFINE,
    DBQ_NETWORK_DELETE,
    DBQ_PORT_ALL,
    DBQ_PORT_INSERT,
    DBQ_PORT_DELETE,
    DBQ_NETWORK_MAC_ALL,
    DBQ_NETWORK_MAC_PUT,
    DBQ_NETWORK_MAC_DELETE,
    DBQ_JOB_INSERT,
    DBQ_JOB_UPDATE,
    DBQ_JOB_GOAL,
    DBQ_JOB_GET,
    DBQ_JOB_LIST,
    DBQ_JOB_UNFINISHED,
    DBQ_JOB_PRUNE,
    DBQ_EVENT_INSERT,
    DBQ_EVENT_RANGE,
    DBQ_EVENT_ABOUT,
    DBQ_EVENT_NEWEST,
    DBQ_EVENT_TIME,
    DBQ_EVENT_BOUNDS,
    DBQ_EVENT_PRUNE,
    DBQ_REQUEST_GET,
    DBQ_REQUEST_PUT,
    DBQ_REQUEST_PRUNE,
    DBQ_SETTING_ALL,
    DBQ_SETTING_PUT,
    DBQ_COUNT
};

/* A row of the statement table; `bind` has a letter per parameter: i int64, s text. */
struct db_statement {
    const char *sql;
    const char *bind;
    bool numbers; /* makes a row whose number db_last_id() tells */
};
extern const struct db_statement db_statements[DBQ_COUNT];

/* Migrations, index = user_version before; embedded from schemas/sql. */
extern const char *const db_migrations[];
extern const int db_migration_count;

/*
 * Open or create. Integrity is checked; migrations run in one transaction each after a backup
 * beside the file. Errors: UM_E_BAD_CONFIG for a newer or corrupt database (with the remedy).
 */
enum um_code db_open(const char *path, struct db **ret, struct um_error *err)
    um_nonnull(1, 2) um_check;
void db_close(struct db *db);

/*
 * Run a statement without rows. Arguments follow the statement's `bind`. False: logged failure.
 * When the database cannot be written (disk full, locked), the write is kept and made later: until
 * then db_commit() is false. Statements with `numbers` fail instead.
 */
bool db_run(struct db *db, enum db_query query, ...) um_nonnull(1);

/* false from the callback ends the walk. Returns the number of rows seen, -1 on failure. */
typedef bool (*db_row_fn)(const struct db_row *row, void *arg);
int db_each(struct db *db, enum db_query query, db_row_fn fn, void *arg, ...) um_nonnull(1);

int64_t db_row_int(const struct db_row *row, int column) um_nonnull(1);
const char *db_row_text(const struct db_row *row, int column) um_nonnull(1); /* never NULL */

int64_t db_last_id(const struct db *db) um_nonnull(1);

/*
 * End the round's transaction. False: it could not be stored. Nothing of it may be announced or
 * acted upon; call again later: everything written since then is kept and stored once it can be.
 */
bool db_commit(struct db *db) um_nonnull(1);
bool db_stalled(const struct db *db) um_nonnull(1); /* db_commit() has failed and not recovered */
bool db_dirty(const struct db *db) um_nonnull(1);

#endif
