#include "umld/db_redo.h"

#include <string.h>

/* A record: the query, then per value a number, or the text with its NUL. */

bool db_redo_add(struct db_redo *redo, enum db_query query, const struct db_values *values)
{
    struct um_buf *b = &redo->data;
    size_t before = b->len;

    um_buf_append(b, &query, sizeof(query));
    for (int i = 0; i < values->count; i++) {
        const struct db_value *v = &values->v[i];

        if (v->text)
            um_buf_append(b, v->text, strlen(v->text) + 1);
        else
            um_buf_append(b, &v->number, sizeof(v->number));
    }
    if (!b->failed && b->len <= DB_REDO_MAX)
        return true;
    b->len = before;
    return false;
}

static const char *take_value(const char *at, char kind, struct db_value *ret)
{
    *ret = (struct db_value){NULL, 0};
    if (kind == 'i') {
        memcpy(&ret->number, at, sizeof(ret->number));
        return at + sizeof(ret->number);
    }
    ret->text = at;
    return at + strlen(at) + 1;
}

bool db_redo_each(const struct db_redo *redo, db_redo_fn fn, void *arg)
{
    const char *at = redo->data.data, *end = at ? at + redo->data.len : NULL;

    while (at < end) {
        struct db_values values = {.count = 0};
        enum db_query query;

        memcpy(&query, at, sizeof(query));
        at += sizeof(query);
        for (const char *kind = db_statements[query].bind; *kind; kind++)
            at = take_value(at, *kind, &values.v[values.count++]);
        if (!fn(query, &values, arg))
            return false;
    }
    return true;
}

void db_redo_clear(struct db_redo *redo)
{
    /* One big round should not hold memory for ever. */
    if (redo->data.cap > 65536)
        um_buf_done(&redo->data);
    redo->data.len = 0;
    redo->data.failed = false;
}

void db_redo_done(struct db_redo *redo)
{
    um_buf_done(&redo->data);
}
