/*
 * Strings: growable buffer, bounded list of strings, number and size parsing.
 * Allocation failure is reported by return value; nothing here aborts.
 */
#ifndef VMCORE_BASE_STR_H
#define VMCORE_BASE_STR_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growable byte buffer; data is always NUL terminated when not NULL. */
struct um_buf {
    char *data;
    size_t len;
    size_t cap;
    bool failed; /* an allocation failed: later appends do nothing */
};

#define UM_BUF_INIT                                                                                \
    (struct um_buf)                                                                                \
    {                                                                                              \
        .data = NULL                                                                               \
    }

void um_buf_done(struct um_buf *b);
void um_buf_append(struct um_buf *b, const void *data, size_t len) um_nonnull(1);
void um_buf_puts(struct um_buf *b, const char *s) um_nonnull(1, 2);
void um_buf_printf(struct um_buf *b, const char *fmt, ...) um_nonnull(1) um_format(2, 3);
/* Drop the first n bytes. */
void um_buf_consume(struct um_buf *b, size_t n) um_nonnull(1);
/* The text, with no room to spare (never NULL unless an allocation failed); the caller owns it and
 * the buffer is reset. */
char *um_buf_take(struct um_buf *b) um_nonnull(1);

/* NULL-terminated list of owned strings. */
struct um_strv {
    char **v; /* NULL or NULL-terminated */
    size_t n;
};

void um_strv_done(struct um_strv *l);
/* Append a copy; false on allocation failure (list unchanged). */
bool um_strv_add(struct um_strv *l, const char *s) um_nonnull(1, 2) um_check;
bool um_strv_addf(struct um_strv *l, const char *fmt, ...) um_nonnull(1) um_format(2, 3) um_check;
bool um_strv_copy(const struct um_strv *from, struct um_strv *ret) um_nonnull(1, 2) um_check;
bool um_strv_contains(const struct um_strv *l, const char *s) um_nonnull(1, 2);

void um_strp_free(char **s); /* for um_cleanup() */
#define um_autostr um_cleanup(um_strp_free) char *

bool um_str_starts(const char *s, const char *prefix) um_nonnull(1, 2);

/*
 * Does all of text fit the pattern: `*` any characters, `?` one, everything else itself? Takes at
 * most len(pattern) * len(text) steps, whatever a stranger chose as pattern.
 */
bool um_str_glob(const char *pattern, const char *text) um_nonnull(1, 2);

/*
 * Copy without control characters: guests write part of what is shown, and must not be able to
 * send escape sequences to a terminal. Newlines and tabs stay. Returns buf.
 */
const char *um_str_clean(const char *s, char *buf, size_t size) um_nonnull(1, 2);

/* Everything but printable ASCII and line feeds becomes '?': for text from guests. */
void um_str_make_plain(char *text, size_t len) um_nonnull(1);

/* Bytes of the UTF-8 character at text (RFC 3629; len > 0 bytes are there), 0: not one. */
size_t um_utf8_length(const char *text, size_t len) um_nonnull(1);

/*
 * The same for text that may be UTF-8: bytes that are not, and control characters of ASCII and of
 * Latin-1 (U+0080 to U+009F), become '?'. The length stays.
 */
void um_str_make_utf8(char *text, size_t len) um_nonnull(1);

/* Whole string as decimal integer within [min, max]. */
bool um_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret) um_nonnull(1, 4) um_check;

/* `128M`: decimal with optional K, M, G, T (powers of 1024, lower case too). */
bool um_parse_size(const char *s, uint64_t *ret_bytes) um_nonnull(1, 2) um_check;

/* Shortest exact form that um_parse_size() reads back: 128M, 1G, 1000. Returns buf. */
const char *um_format_size(uint64_t bytes, char *buf, size_t size) um_nonnull(2);

/*
 * Object names (guests, networks, disks, kernels): 1..63 of [A-Za-z0-9_.-], beginning with a letter
 * or digit. They appear in paths, umids and host names.
 */
bool um_name_valid(const char *s) um_nonnull(1);
/* The same for people. */
#define UM_NAME_RULE "1 to 63 letters, digits, `_`, `.` or `-`, a letter or digit first"

/* cwd joined with path unless path is absolute; `.` and `..` removed lexically. NULL: no memory. */
char *um_path_absolute(const char *cwd, const char *path) um_nonnull(1, 2) um_check;

#endif
