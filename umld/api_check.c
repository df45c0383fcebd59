#include "umld/api_check.h"

#include "vmcore/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Types may refer to themselves, so a value's own nesting is the only bound; see json_depth. */
enum { DEPTH_MAX = 40, PATH_SIZE = sizeof(((struct um_error *)0)->field) };

struct walk {
    const struct api_method *method;
    struct api_faults *faults;
    bool rules; /* check constraints too */
    int depth;
};

static const char *const kind_names[API_KIND_COUNT] = {
    [API_KIND_BOOL] = "true or false", [API_KIND_INT] = "a whole number",
    [API_KIND_FLOAT] = "a number",     [API_KIND_STRING] = "a string",
    [API_KIND_OBJECT] = "an object",   [API_KIND_ENUM] = "a string",
    [API_KIND_STRUCT] = "an object",   [API_KIND_ARRAY] = "an array",
    [API_KIND_MAP] = "an object",
};

static const char *json_kind(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",  [JSON_INTEGER] = "a whole number",
        [JSON_REAL] = "a fraction",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return names[json_typeof(value)];
}

static bool is_kind(enum api_kind kind, const json_t *value)
{
    switch (kind) {
    case API_KIND_BOOL:
        return json_is_boolean(value);
    case API_KIND_INT:
        return json_is_integer(value);
    case API_KIND_FLOAT:
        return json_is_number(value);
    case API_KIND_STRING:
    case API_KIND_ENUM:
        return json_is_string(value);
    case API_KIND_ARRAY:
        return json_is_array(value);
    default:
        return json_is_object(value);
    }
}

/* Very long paths are cut: they are for people. */
static void um_format(3, 4) join(char deeper[PATH_SIZE], const char *path, const char *fmt, ...)
{
    size_t used;
    va_list ap;

    snprintf(deeper, PATH_SIZE, "%s", path);
    used = strlen(deeper);
    va_start(ap, fmt);
    vsnprintf(deeper + used, PATH_SIZE - used, fmt, ap);
    va_end(ap);
}

static void fault(struct walk *w, const char *path, const char *hint, const char *fmt, ...)
    um_format(4, 5);
static void fault(struct walk *w, const char *path, const char *hint, const char *fmt, ...)
{
    char message[sizeof(((struct um_error *)0)->message)];
    struct um_error *err;
    va_list ap;

    if (w->faults->total++ >= API_CHECK_MAX)
        return;
    err = &w->faults->errors[w->faults->count++];
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    um_fail(err, UM_E_INVALID, w->method->name, path, "%s", message);
    if (hint && hint[0])
        um_hint(err, "%s", hint);
}

static const char *next_word(const void *arg, size_t index)
{
    return ((const char *const *)arg)[index];
}

/* "did you mean X?", or the whole list when nothing is near. */
static void suggest(char *hint, size_t size, const char *wrong, const char *what,
                    const char *(*next)(const void *, size_t), const void *arg)
{
    const char *near = api_nearest(wrong, next, arg), *name;
    size_t used;

    if (near) {
        snprintf(hint, size, "did you mean %s?", near);
        return;
    }
    if (!next(arg, 0)) {
        snprintf(hint, size, "there are no %s here", what);
        return;
    }
    snprintf(hint, size, "valid %s:", what);
    for (size_t i = 0; (name = next(arg, i)); i++) {
        used = strlen(hint);
        snprintf(hint + used, size - used, "%s %s", i ? "," : "", name);
    }
}

static void fault_word(struct walk *w, const char *path, const char *const *words, const char *got)
{
    char hint[sizeof(((struct um_error *)0)->hint)];

    suggest(hint, sizeof(hint), got, "values", next_word, words);
    fault(w, path, hint, "\"%.100s\" is not a known value", got);
}

static bool word_known(const char *const *words, const char *value)
{
    for (; *words; words++)
        if (strcmp(*words, value) == 0)
            return true;
    return false;
}

static bool is_path(const char *s)
{
    size_t len = strlen(s);

    if (s[0] != '/' || len > 4096)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 32 || s[i] == 127)
            return false;
    return true;
}

/* [a-z]{2,8}[0-9]{0,2} */
static bool is_device(const char *s)
{
    size_t letters = strspn(s, "abcdefghijklmnopqrstuvwxyz");
    size_t digits = strspn(s + letters, "0123456789");

    return letters >= 2 && letters <= 8 && digits <= 2 && !s[letters + digits];
}

static const struct {
    bool (*matches)(const char *s);
    const char *what;
} patterns[API_PATTERN_COUNT] = {
    [API_PATTERN_NAME] = {um_name_valid, "a name is 1 to 63 of A-Z a-z 0-9 _ . - and begins with a "
                                         "letter or digit"},
    [API_PATTERN_PATH] = {is_path, "an absolute path of at most 4096 bytes without control "
                                   "characters is needed"},
    [API_PATTERN_DEVICE] = {is_device, "a device is 2 to 8 small letters and up to two digits, "
                                       "like con0"},
};

bool api_pattern_matches(enum api_pattern pattern, const char *value)
{
    return patterns[pattern].matches(value);
}

static size_t length_of(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value);
    return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

static void check_rule(struct walk *w, const char *path, const struct api_constraint *c,
                       const json_t *value)
{
    int64_t n;

    switch (c->rule) {
    case API_RULE_RANGE:
        n = json_integer_value(value);
        if (n < c->min || n > c->max)
            fault(w, path, NULL, "%lld is not within %lld and %lld", (long long)n,
                  (long long)c->min, (long long)c->max);
        break;
    case API_RULE_LENGTH:
        n = (int64_t)length_of(value);
        if (n < c->min || n > c->max)
            fault(w, path, NULL, "%lld %s long, allowed are %lld to %lld", (long long)n,
                  json_is_string(value) ? "bytes" : "elements", (long long)c->min,
                  (long long)c->max);
        break;
    case API_RULE_PATTERN:
        if (!patterns[c->pattern].matches(json_string_value(value)))
            fault(w, path, patterns[c->pattern].what, "\"%.100s\" is not valid",
                  json_string_value(value));
        break;
    default:
        if (!word_known(c->words, json_string_value(value)))
            fault_word(w, path, c->words, json_string_value(value));
    }
}

/* Rules about strings hold for each element of a list of strings. */
static void check_rules(struct walk *w, const char *path, const struct api_field *field,
                        const json_t *value)
{
    for (size_t i = 0; i < field->constraint_count; i++) {
        const struct api_constraint *c = &field->constraints[i];
        char deeper[PATH_SIZE];
        const json_t *element;
        size_t index;

        if (c->rule < API_RULE_PATTERN || !json_is_array(value)) {
            check_rule(w, path, c, value);
            continue;
        }
        json_array_foreach((json_t *)(uintptr_t)value, index, element)
        {
            join(deeper, path, "[%zu]", index);
            if (json_is_string(element))
                check_rule(w, deeper, c, element);
        }
    }
}

static bool check_value(struct walk *w, const char *path, const struct api_type *type,
                        const json_t *value);

static const char *next_field(const void *arg, size_t index)
{
    const struct api_type *type = arg;

    return index < type->field_count ? type->fields[index].name : NULL;
}

static const struct api_field *find_field(const struct api_type *type, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static void check_unknown(struct walk *w, const char *path, const struct api_type *type,
                          const json_t *value)
{
    char hint[sizeof(((struct um_error *)0)->hint)], deeper[PATH_SIZE];
    const json_t *member;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (find_field(type, key))
            continue;
        suggest(hint, sizeof(hint), key, "fields", next_field, type);
        join(deeper, path, "%s%s", path[0] ? "." : "", key);
        fault(w, deeper, hint, "there is no field of this name");
    }
}

static void check_struct(struct walk *w, const char *path, const struct api_type *type,
                         const json_t *value)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct api_field *field = &type->fields[i];
        const json_t *member = value ? json_object_get(value, field->name) : NULL;
        char deeper[PATH_SIZE];

        join(deeper, path, "%s%s", path[0] ? "." : "", field->name);
        if (!member || json_is_null(member)) {
            if (!field->type->nullable)
                fault(w, deeper, NULL, "is missing: %s is needed", kind_names[field->type->kind]);
            continue;
        }
        if (check_value(w, deeper, field->type, member) && w->rules)
            check_rules(w, deeper, field, member);
    }
    if (value)
        check_unknown(w, path, type, value);
}

static void check_elements(struct walk *w, const char *path, const struct api_type *type,
                           const json_t *value)
{
    char deeper[PATH_SIZE];
    const json_t *element;
    const char *key;
    size_t index;

    if (type->kind == API_KIND_ARRAY)
        json_array_foreach((json_t *)(uintptr_t)value, index, element)
        {
            join(deeper, path, "[%zu]", index);
            check_value(w, deeper, type->element, element);
        }
    else
        json_object_foreach((json_t *)(uintptr_t)value, key, element)
        {
            join(deeper, path, ".%s", key);
            check_value(w, deeper, type->element, element);
        }
}

/* False if the value is of the wrong kind, so that rules cannot be applied to it. */
static bool check_value(struct walk *w, const char *path, const struct api_type *type,
                        const json_t *value)
{
    if (type->nullable && json_is_null(value))
        return true;
    if (!is_kind(type->kind, value)) {
        fault(w, path, NULL, "is %s: %s is needed", json_kind(value), kind_names[type->kind]);
        return false;
    }
    if (type->kind == API_KIND_ENUM && !word_known(type->words, json_string_value(value))) {
        fault_word(w, path, type->words, json_string_value(value));
        return false;
    }
    if (++w->depth > DEPTH_MAX)
        fault(w, path, NULL, "is nested too deeply");
    else if (type->kind == API_KIND_STRUCT)
        check_struct(w, path, type, value);
    else if (type->kind == API_KIND_ARRAY || type->kind == API_KIND_MAP)
        check_elements(w, path, type, value);
    w->depth--;
    return true;
}

static bool check_top(const struct api_method *method, const struct api_type *type,
                      const json_t *params, bool rules, struct api_faults *faults)
{
    struct walk w = {.method = method, .faults = faults, .rules = rules};

    faults->count = faults->total = 0;
    if (params && !json_is_object(params))
        fault(&w, "parameters", NULL, "is %s: an object is needed", json_kind(params));
    else
        check_struct(&w, "", type, params);
    return faults->total == 0;
}

bool api_check_input(const struct api_method *method, const json_t *params,
                     struct api_faults *ret_faults)
{
    return check_top(method, method->input, params, true, ret_faults);
}

bool api_check_output(const struct api_method *method, const json_t *params,
                      struct api_faults *ret_faults)
{
    return check_top(method, method->output, params, false, ret_faults);
}
