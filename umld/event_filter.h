/*
 * Which events a reader wants. Judged in C on two columns of a row, before its data is looked at:
 * a filtered reader of the whole store costs a fraction of a microsecond for each event it does not
 * want.
 */
#ifndef UMLD_EVENT_FILTER_H
#define UMLD_EVENT_FILTER_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

#include <jansson.h>

struct event_filter {
    struct um_strv objects; /* names or globs; empty: any */
    struct um_strv types;   /* types, or `guest.*`; empty: any */
};

/* Of Subscribe's parameters `guest`, `guests` and `types`. *ret is to be done with in any case. */
enum um_code event_filter_read(const json_t *params, struct event_filter *ret, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
void event_filter_done(struct event_filter *f);
bool event_filter_wants(const struct event_filter *f, const char *type, const char *object)
    um_nonnull(1, 2, 3);

/* `guest.*` fits all that begin so, any other pattern only itself. */
bool event_type_fits(const char *pattern, const char *type) um_nonnull(1, 2);
/* A type, or the beginning of one with `*` behind it? */
bool event_type_valid(const char *pattern) um_nonnull(1);

#endif
