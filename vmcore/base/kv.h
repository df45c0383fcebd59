/*
 * Records of `key=value` pairs, NUL between pairs: how a launch order travels to umlmon, which
 * links no JSON library. Keys repeat; order is kept; values are any bytes but NUL.
 */
#ifndef VMCORE_BASE_KV_H
#define VMCORE_BASE_KV_H

#include "vmcore/base/str.h"

/* Append `key=value` and its NUL. */
void um_kv_add(struct um_buf *b, const char *key, const char *value) um_nonnull(1, 2, 3);
void um_kv_addf(struct um_buf *b, const char *key, const char *fmt, ...) um_nonnull(1, 2)
    um_format(3, 4);

/*
 * Walk a record: *pos starts at 0. Returns the key (NUL terminated in place: the data is modified)
 * and sets *ret_value, or NULL at the end or at a malformed pair (then *pos < len).
 */
const char *um_kv_next(char *data, size_t len, size_t *pos, const char **ret_value)
    um_nonnull(1, 3, 4);

#endif
