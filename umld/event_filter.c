#include "umld/event_filter.h"

#include <string.h>

enum { ENTRIES_MAX = 64, TYPE_MAX = 64, NAME_MAX_BYTES = 63 };

static const char type_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

bool event_type_valid(const char *pattern)
{
    size_t letters = strspn(pattern, type_letters);

    return pattern[0] && letters <= TYPE_MAX &&
           (!pattern[letters] || strcmp(pattern + letters, "*") == 0);
}

bool event_type_fits(const char *pattern, const char *type)
{
    size_t len = strcspn(pattern, "*");

    return pattern[len] ? strncmp(pattern, type, len) == 0 : strcmp(pattern, type) == 0;
}

/* Names or, with `*` and `?`, patterns of names. */
static bool name_valid(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*?";
    size_t len = strspn(text, letters);

    return len > 0 && len <= NAME_MAX_BYTES && !text[len];
}

static enum um_code read_list(const json_t *list, const char *field, const char *what,
                              bool (*valid)(const char *text), struct um_strv *ret,
                              struct um_error *err)
{
    const json_t *item;
    size_t i;

    if (json_array_size(list) > ENTRIES_MAX)
        return um_fail(err, UM_E_INVALID, "events", field, "has more than %d entries", ENTRIES_MAX);
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);

        if (!valid(text))
            return um_fail(err, UM_E_INVALID, "events", field, "\"%.80s\" is no %s", text, what);
        if (!um_strv_add(ret, text))
            return um_fail(err, UM_E_NO_RESOURCES, "events", field, "out of memory");
    }
    return UM_OK;
}

enum um_code event_filter_read(const json_t *params, struct event_filter *ret, struct um_error *err)
{
    const char *guest = json_string_value(json_object_get(params, "guest"));
    enum um_code code;

    *ret = (struct event_filter){{NULL, 0}, {NULL, 0}};
    if (guest && !um_strv_add(&ret->objects, guest))
        return um_fail(err, UM_E_NO_RESOURCES, "events", "guest", "out of memory");
    code = read_list(json_object_get(params, "guests"), "guests", "name or pattern of names",
                     name_valid, &ret->objects, err);
    if (!code)
        code = read_list(json_object_get(params, "types"), "types", "event type", event_type_valid,
                         &ret->types, err);
    if (code == UM_E_INVALID)
        um_hint(err, "names may have * and ? in them, types a * at their end: guest.*");
    return code;
}

void event_filter_done(struct event_filter *f)
{
    um_strv_done(&f->objects);
    um_strv_done(&f->types);
}

static bool any(const struct um_strv *list, bool (*fits)(const char *, const char *),
                const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (fits(list->v[i], text))
            return true;
    return list->n == 0;
}

bool event_filter_wants(const struct event_filter *f, const char *type, const char *object)
{
    return any(&f->types, event_type_fits, type) && any(&f->objects, um_str_glob, object);
}
