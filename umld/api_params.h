/*
 * Reading the parameters of a call, whose names and types were checked against the interface
 * before: what is left out (or null) is the fallback.
 */
#ifndef UMLD_API_PARAMS_H
#define UMLD_API_PARAMS_H

#include "vmcore/base/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Borrowed from params. */
static inline const char *params_text(const json_t *params, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(params, key));

    return text ? text : fallback;
}

static inline bool params_flag(const json_t *params, const char *key)
{
    return json_is_true(json_object_get(params, key));
}

static inline bool params_has(const json_t *params, const char *key)
{
    const json_t *value = json_object_get(params, key);

    return value && !json_is_null(value);
}

static inline int64_t params_int(const json_t *params, const char *key, int64_t fallback)
{
    return params_has(params, key) ? (int64_t)json_integer_value(json_object_get(params, key))
                                   : fallback;
}

#endif
