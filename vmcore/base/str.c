#include "vmcore/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void um_buf_done(struct um_buf *b)
{
    if (!b)
        return;
    free(b->data);
    *b = UM_BUF_INIT;
}

static bool reserve(struct um_buf *b, size_t extra)
{
    size_t need = b->len + extra + 1, cap = b->cap ? b->cap : 64;
    char *data;

    if (b->failed)
        return false;
    if (need <= b->cap)
        return true;
    while (cap < need)
        cap *= 2;
    data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void um_buf_append(struct um_buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void um_buf_puts(struct um_buf *b, const char *s)
{
    um_buf_append(b, s, strlen(s));
}

void um_buf_printf(struct um_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void um_buf_consume(struct um_buf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    if (!b->data)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

char *um_buf_take(struct um_buf *b)
{
    size_t size = b->len + 1;
    char *text, *exact;

    um_buf_append(b, "", 0);
    text = b->failed ? NULL : b->data;
    if (b->failed)
        free(b->data);
    else if (size > 0 && (exact = realloc(b->data, size)))
        text = exact;
    *b = UM_BUF_INIT;
    return text;
}

void um_strv_done(struct um_strv *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct um_strv){NULL, 0};
}

static bool strv_give(struct um_strv *l, char *s)
{
    char **v = s ? realloc(l->v, (l->n + 2) * sizeof(*v)) : NULL;

    if (!v) {
        free(s);
        return false;
    }
    v[l->n++] = s;
    v[l->n] = NULL;
    l->v = v;
    return true;
}

bool um_strv_add(struct um_strv *l, const char *s)
{
    return strv_give(l, strdup(s));
}

bool um_strv_addf(struct um_strv *l, const char *fmt, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return n >= 0 && strv_give(l, s);
}

bool um_strv_copy(const struct um_strv *from, struct um_strv *ret)
{
    struct um_strv copy = {NULL, 0};

    for (size_t i = 0; i < from->n; i++)
        if (!um_strv_add(&copy, from->v[i])) {
            um_strv_done(&copy);
            return false;
        }
    *ret = copy;
    return true;
}

bool um_strv_contains(const struct um_strv *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], s) == 0)
            return true;
    return false;
}

void um_strp_free(char **s)
{
    free(*s);
}

bool um_str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool um_str_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *taken = NULL; /* the last `*`, and what it stands for so far */

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            taken = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++taken;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

const char *um_str_clean(const char *s, char *buf, size_t size)
{
    size_t n = 0;

    for (; *s && n + 1 < size; s++) {
        unsigned char c = (unsigned char)*s;
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;

        /* C1 controls in UTF-8: U+0080..U+009F are c2 80 .. c2 9f. */
        if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] <= 0x9f) {
            s++;
            control = true;
        }
        buf[n++] = control ? '?' : *s;
    }
    buf[n] = '\0';
    return buf;
}

void um_str_make_plain(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((text[i] < 0x20 && text[i] != '\n') || text[i] > 0x7e)
            text[i] = '?';
}

size_t um_utf8_length(const char *text, size_t len)
{
    static const struct {
        unsigned char first, last, low, high; /* range of the first and of the second byte */
        unsigned char length;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *s = (const unsigned char *)text;

    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        if (s[0] < rows[i].first || s[0] > rows[i].last)
            continue;
        if (len < rows[i].length || s[1] < rows[i].low || s[1] > rows[i].high)
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return rows[i].length;
    }
    return 0;
}

void um_str_make_utf8(char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = um_utf8_length(text + at, len - at);
        unsigned char first = (unsigned char)text[at];
        bool control = (first < 0x20 && first != '\n') || first == 0x7f ||
                       (n == 2 && first == 0xc2 && (unsigned char)text[at + 1] < 0xa0);

        if (n == 0 || control)
            memset(text + at, '?', n ? n : 1);
        at += n ? n : 1;
    }
}

bool um_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    long long v;

    if (!(isdigit((unsigned char)s[0]) || (s[0] == '-' && isdigit((unsigned char)s[1]))))
        return false;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

static const struct {
    char letter;
    unsigned shift;
} size_units[] = {{'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}};

bool um_parse_size(const char *s, uint64_t *ret_bytes)
{
    unsigned long long v;
    unsigned shift = 0;
    char *end;

    if (!isdigit((unsigned char)s[0]))
        return false;
    errno = 0;
    v = strtoull(s, &end, 10);
    if (errno)
        return false;
    if (*end) {
        for (size_t i = 0; i < UM_ARRAY_LEN(size_units); i++)
            if (toupper((unsigned char)*end) == size_units[i].letter)
                shift = size_units[i].shift;
        if (!shift || end[1])
            return false;
    }
    if (shift && v > (UINT64_MAX >> shift))
        return false;
    *ret_bytes = (uint64_t)v << shift;
    return true;
}

const char *um_format_size(uint64_t bytes, char *buf, size_t size)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(size_units); i++) {
        uint64_t unit = UINT64_C(1) << size_units[i].shift;

        if (bytes && bytes % unit == 0) {
            snprintf(buf, size, "%llu%c", (unsigned long long)(bytes / unit), size_units[i].letter);
            return buf;
        }
    }
    snprintf(buf, size, "%llu", (unsigned long long)bytes);
    return buf;
}

bool um_name_valid(const char *s)
{
    size_t n = strlen(s);

    if (n < 1 || n > 63 || !isalnum((unsigned char)s[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
            return false;
    return true;
}

char *um_path_absolute(const char *cwd, const char *path)
{
    char *full = NULL, *out, *dst, *save = NULL;

    if (asprintf(&full, "%s/%s", path[0] == '/' ? "" : cwd, path) < 0)
        return NULL;
    out = malloc(strlen(full) + 2);
    if (!out) {
        free(full);
        return NULL;
    }
    dst = out;
    for (char *part = strtok_r(full, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            while (dst > out && *--dst != '/')
                ;
            continue;
        }
        *dst++ = '/';
        dst = stpcpy(dst, part);
    }
    if (dst == out)
        *dst++ = '/';
    *dst = '\0';
    free(full);
    return out;
}
