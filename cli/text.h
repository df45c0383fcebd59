/*
 * Small conversions between the API's values and what people read.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "vmcore/base/macros.h"
#include "vmcore/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Members of an object; the fallback when absent, null or of another type. */
const char *text_get(const json_t *o, const char *key, const char *fallback) um_nonnull(2);
int64_t text_int(const json_t *o, const char *key, int64_t fallback) um_nonnull(2);
bool text_bool(const json_t *o, const char *key, bool fallback) um_nonnull(2);
bool text_has(const json_t *o, const char *key) um_nonnull(2); /* present and not null */

/* RFC 3339 UTC to seconds since the epoch, or -1. */
int64_t text_time(const char *rfc3339);
/* `42s`, `3m07s`, `2h05m`, `4d03h`. Returns buf. */
const char *text_duration(int64_t seconds, char *buf, size_t size) um_nonnull(2);
/* `2026-11-23 11:15:00Z`, from RFC 3339 with fractions. Returns buf. */
const char *text_when(const char *rfc3339, char *buf, size_t size) um_nonnull(2);

/* Columns a UTF-8 text takes, one for each code point. */
size_t text_width(const char *s) um_nonnull(1);

/*
 * Append a blank and the word; if the line (of *column so far) got longer than limit, on a new one
 * that begins at indent. limit 0: never.
 */
void text_wrap(struct um_buf *line, size_t *column, size_t limit, size_t indent, const char *word)
    um_nonnull(1, 2, 5);

/* {"name": name} */
json_t *text_named(const char *name) um_nonnull(1) um_check;
/* Set key to a string unless value is NULL. */
void text_set(json_t *o, const char *key, const char *value) um_nonnull(1, 2);
/* {"cwd": ...} for relative paths, if there is a current directory. */
void text_set_cwd(json_t *o) um_nonnull(1);

#endif
