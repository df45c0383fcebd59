#include "cli/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *text_get(const json_t *o, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : fallback;
}

int64_t text_int(const json_t *o, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(o, key);

    return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

bool text_bool(const json_t *o, const char *key, bool fallback)
{
    const json_t *v = json_object_get(o, key);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

bool text_has(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return v && !json_is_null(v);
}

int64_t text_time(const char *rfc3339)
{
    struct tm tm = {0};

    if (!rfc3339 || !strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm))
        return -1;
    return (int64_t)timegm(&tm);
}

const char *text_duration(int64_t seconds, char *buf, size_t size)
{
    long long s = seconds > 0 ? (long long)seconds : 0;

    if (s < 60)
        snprintf(buf, size, "%llds", s);
    else if (s < 3600)
        snprintf(buf, size, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(buf, size, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return buf;
}

const char *text_when(const char *rfc3339, char *buf, size_t size)
{
    if (text_time(rfc3339) < 0)
        snprintf(buf, size, "%s", rfc3339 ? rfc3339 : "-");
    else
        snprintf(buf, size, "%.10s %.8sZ", rfc3339, rfc3339 + 11);
    return buf;
}

size_t text_width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void text_wrap(struct um_buf *line, size_t *column, size_t limit, size_t indent, const char *word)
{
    size_t width = text_width(word) + 1;

    if (limit && *column + width > limit && *column > indent) {
        um_buf_printf(line, "\n%*s", (int)indent, "");
        *column = indent;
    }
    um_buf_printf(line, " %s", word);
    *column += width;
}

json_t *text_named(const char *name)
{
    return json_pack("{s:s}", "name", name);
}

void text_set(json_t *o, const char *key, const char *value)
{
    if (value)
        json_object_set_new(o, key, json_string(value));
}

void text_set_cwd(json_t *o)
{
    char cwd[PATH_MAX];

    if (getcwd(cwd, sizeof(cwd)))
        json_object_set_new(o, "cwd", json_string(cwd));
}
