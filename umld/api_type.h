/*
 * Descriptions of the interfaces' types, made by schemas/generate.py into api_rows.c: what the
 * validator walks. Constant data only.
 */
#ifndef UMLD_API_TYPE_H
#define UMLD_API_TYPE_H

#include "umld/api.h"

enum api_kind {
    API_KIND_BOOL,
    API_KIND_INT,
    API_KIND_FLOAT,
    API_KIND_STRING,
    API_KIND_OBJECT, /* any JSON object */
    API_KIND_ENUM,
    API_KIND_STRUCT,
    API_KIND_ARRAY,
    API_KIND_MAP, /* [string]T */
    API_KIND_COUNT
};

enum api_rule { API_RULE_RANGE, API_RULE_LENGTH, API_RULE_PATTERN, API_RULE_ENUM, API_RULE_COUNT };
enum api_pattern { API_PATTERN_NAME, API_PATTERN_PATH, API_PATTERN_DEVICE, API_PATTERN_COUNT };

/* One `@check` line. */
struct api_constraint {
    enum api_rule rule;
    enum api_pattern pattern; /* API_RULE_PATTERN */
    int64_t min, max;         /* API_RULE_RANGE; API_RULE_LENGTH: bytes or elements */
    const char *const *words; /* API_RULE_ENUM, NULL at the end */
};

struct api_type {
    enum api_kind kind;
    bool nullable;                  /* `?T`: may be null or absent */
    const char *const *words;       /* API_KIND_ENUM, NULL at the end */
    const struct api_field *fields; /* API_KIND_STRUCT */
    size_t field_count;
    const struct api_type *element; /* API_KIND_ARRAY, API_KIND_MAP */
};

struct api_field {
    const char *name;
    const struct api_type *type;
    const struct api_constraint *constraints;
    size_t constraint_count;
};

struct api_interface {
    const char *name;
    const char *text; /* the .varlink file, verbatim */
};

/* In the order of enum api_method_id, see the generated schemas/api_rows.h. */
extern const struct api_method api_methods[];
extern const size_t api_method_count;

extern const struct api_interface api_interfaces[];
extern const size_t api_interface_count;

#endif
