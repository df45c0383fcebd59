/*
 * Writes JSON text straight into a buffer: for what is made a thousand at a time, where a tree of
 * jansson's costs ten times as much. Commas are put where they belong; the caller opens and closes.
 */
#ifndef UMLD_JSON_TEXT_H
#define UMLD_JSON_TEXT_H

#include "vmcore/base/str.h"

#include <stdint.h>

void json_text_open(struct um_buf *b, char bracket) um_nonnull(1);  /* { or [ */
void json_text_close(struct um_buf *b, char bracket) um_nonnull(1); /* } or ] */
/* The key of the value written next. Any text, like a string. */
void json_text_key(struct um_buf *b, const char *key, size_t len) um_nonnull(1, 2);
/* Bytes that are not UTF-8 become question marks: text of guests goes through here. */
void json_text_string(struct um_buf *b, const char *s, size_t len) um_nonnull(1, 2);
void json_text_int(struct um_buf *b, int64_t value) um_nonnull(1);
void json_text_real(struct um_buf *b, double value) um_nonnull(1); /* finite */
void json_text_bool(struct um_buf *b, bool value) um_nonnull(1);

/* Members of an object; one whose value is NULL is left out. */
void json_text_set_string(struct um_buf *b, const char *key, const char *value) um_nonnull(1, 2);
void json_text_set_int(struct um_buf *b, const char *key, int64_t value) um_nonnull(1, 2);
void json_text_set_bool(struct um_buf *b, const char *key, bool value) um_nonnull(1, 2);

#endif
