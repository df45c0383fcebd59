/*
 * Checks JSON values against the interfaces' type descriptions, before a handler sees them and, in
 * test builds, after it has answered. All faults are reported, not only the first.
 */
#ifndef UMLD_API_CHECK_H
#define UMLD_API_CHECK_H

#include "umld/api_type.h"

/* More faults than this in one request are only counted. */
enum { API_CHECK_MAX = 16 };

struct api_faults {
    struct um_error errors[API_CHECK_MAX]; /* object: the method; field: `definition.devices[2]` */
    size_t count;                          /* errors filled */
    size_t total;                          /* faults found */
};

/*
 * Parameters of a call: shape (missing, wrong type, unknown field, enum value) and `@check` rules.
 * params may be NULL (none were sent). True if there is no fault.
 */
bool api_check_input(const struct api_method *method, const json_t *params,
                     struct api_faults *ret_faults) um_nonnull(1, 3);

/* A reply: shape only. params may be NULL, which means {}. */
bool api_check_output(const struct api_method *method, const json_t *params,
                      struct api_faults *ret_faults) um_nonnull(1, 3);

/* What `@check FIELD pattern …` means, for values from elsewhere. */
bool api_pattern_matches(enum api_pattern pattern, const char *value) um_nonnull(2);

/*
 * The likeliest of several names for a mistyped one (about a third of its letters differ), or
 * NULL. next() returns the names one after another for index 0, 1, ... and NULL at the end.
 */
const char *api_nearest(const char *wrong, const char *(*next)(const void *arg, size_t index),
                        const void *arg) um_nonnull(1, 2);

#endif
