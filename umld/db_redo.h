/*
 * The writes of the transaction that is not committed yet, kept until it is: when SQLite gives the
 * transaction up (disk full, input/output error, a lock of another program), it is written again.
 * Only umld/db.c uses this.
 */
#ifndef UMLD_DB_REDO_H
#define UMLD_DB_REDO_H

#include "umld/db.h"
#include "vmcore/base/str.h"

enum { DB_VALUES_MAX = 24, DB_REDO_MAX = 64 << 20 };

struct db_value {
    const char *text; /* NULL: a number */
    int64_t number;
};
struct db_values {
    struct db_value v[DB_VALUES_MAX];
    int count;
};
struct db_redo {
    struct um_buf data;
};

/* False: no memory, or more than DB_REDO_MAX. */
bool db_redo_add(struct db_redo *redo, enum db_query query, const struct db_values *values)
    um_nonnull(1, 3) um_check;
/* In the order of adding; false from fn ends the walk and is returned. */
typedef bool (*db_redo_fn)(enum db_query query, const struct db_values *values, void *arg);
bool db_redo_each(const struct db_redo *redo, db_redo_fn fn, void *arg) um_nonnull(1, 2) um_check;
void db_redo_clear(struct db_redo *redo) um_nonnull(1);
void db_redo_done(struct db_redo *redo) um_nonnull(1);

#endif
