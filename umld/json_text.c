#include "umld/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Between two values: never after an opening bracket or a colon. Strings end with their quote. */
static void separate(struct um_buf *b)
{
    if (b->len && !strchr("{[:", b->data[b->len - 1]))
        um_buf_append(b, ",", 1);
}

void json_text_open(struct um_buf *b, char bracket)
{
    separate(b);
    um_buf_append(b, &bracket, 1);
}

void json_text_close(struct um_buf *b, char bracket)
{
    um_buf_append(b, &bracket, 1);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that needs more than being copied. Bytes taken. */
static size_t put_special(struct um_buf *b, const unsigned char *s, size_t len)
{
    size_t n = um_utf8_length((const char *)s, len);

    if (n == 0) {
        um_buf_append(b, "?", 1);
        return 1;
    }
    if (s[0] >= 0x7f)
        um_buf_append(b, s, n);
    else if (s[0] == '"' || s[0] == '\\')
        um_buf_printf(b, "\\%c", s[0]);
    else
        um_buf_printf(b, "\\u%04x", s[0]);
    return n;
}

static void put_quoted(struct um_buf *b, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;

    um_buf_append(b, "\"", 1);
    for (size_t at = 0; at < len;) {
        size_t run = 0;

        while (at + run < len && is_plain(s[at + run]))
            run++;
        um_buf_append(b, s + at, run);
        at += run;
        if (at < len)
            at += put_special(b, s + at, len - at);
    }
    um_buf_append(b, "\"", 1);
}

void json_text_key(struct um_buf *b, const char *key, size_t len)
{
    separate(b);
    put_quoted(b, key, len);
    um_buf_append(b, ":", 1);
}

void json_text_string(struct um_buf *b, const char *s, size_t len)
{
    separate(b);
    put_quoted(b, s, len);
}

void json_text_int(struct um_buf *b, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);

    separate(b);
    um_buf_append(b, text, (size_t)n);
}

void json_text_real(struct um_buf *b, double value)
{
    char text[40];
    int n = snprintf(text, sizeof(text), "%.17g", value);

    separate(b);
    um_buf_append(b, text, (size_t)n);
    /* A whole number is a real one all the same. */
    if (!strpbrk(text, ".e"))
        um_buf_puts(b, ".0");
}

void json_text_bool(struct um_buf *b, bool value)
{
    separate(b);
    um_buf_puts(b, value ? "true" : "false");
}

void json_text_set_string(struct um_buf *b, const char *key, const char *value)
{
    if (!value)
        return;
    json_text_key(b, key, strlen(key));
    json_text_string(b, value, strlen(value));
}

void json_text_set_int(struct um_buf *b, const char *key, int64_t value)
{
    json_text_key(b, key, strlen(key));
    json_text_int(b, value);
}

void json_text_set_bool(struct um_buf *b, const char *key, bool value)
{
    json_text_key(b, key, strlen(key));
    json_text_bool(b, value);
}
