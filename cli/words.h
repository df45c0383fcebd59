/*
 * Words of `create` and `run` into a definition: plain keys fill its fields, everything else is a
 * device string and goes to `devices` as it is. The daemon judges the values.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "vmcore/base/error.h"

#include <jansson.h>
#include <stddef.h>

/* Errors: a word without `=`, or a plain key with an impossible value; the word is err->field. */
enum um_code words_apply(json_t *definition, char *const *words, size_t count, struct um_error *err)
    um_nonnull(1) um_check;

/* What stands before the `=` of a word: a device, and neither a plain key nor label:, limit: ... */
bool words_is_device(const char *name) um_nonnull(1);

/* Words after `--`, appended to `cmdline`; no words leave no trace. */
void words_cmdline(json_t *definition, char *const *words, size_t count) um_nonnull(1);

/* A user's name or number as a number. False: there is no such user. */
bool words_uid(const char *user, int64_t *ret) um_nonnull(1, 2) um_check;

/* Append to an array member, which is made if need be. */
void words_append(json_t *definition, const char *key, const char *value) um_nonnull(1, 2, 3);

#endif
