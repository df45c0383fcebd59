#include "cli/base64.h"

void base64_append(struct um_buf *out, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *p = data;

    for (; len > 0; len -= len < 3 ? len : 3, p += 3) {
        unsigned v = (unsigned)p[0] << 16;
        size_t chars = len < 3 ? len + 1 : 4;

        if (len > 1)
            v |= (unsigned)p[1] << 8;
        if (len > 2)
            v |= p[2];
        for (size_t i = 0; i < chars; i++)
            um_buf_append(out, &digits[v >> (18 - 6 * i) & 63], 1);
    }
}
