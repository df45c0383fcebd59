#include "vmcore/base/kv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void um_kv_add(struct um_buf *b, const char *key, const char *value)
{
    um_buf_puts(b, key);
    um_buf_puts(b, "=");
    um_buf_append(b, value, strlen(value) + 1);
}

void um_kv_addf(struct um_buf *b, const char *key, const char *fmt, ...)
{
    char *value;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&value, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    um_kv_add(b, key, value);
    free(value);
}

const char *um_kv_next(char *data, size_t len, size_t *pos, const char **ret_value)
{
    char *key = data + *pos, *end, *eq;

    if (*pos >= len)
        return NULL;
    end = memchr(key, '\0', len - *pos);
    if (!end)
        return NULL;
    eq = memchr(key, '=', (size_t)(end - key));
    if (!eq || eq == key)
        return NULL;
    *eq = '\0';
    *ret_value = eq + 1;
    *pos = (size_t)(end - data) + 1;
    return key;
}
