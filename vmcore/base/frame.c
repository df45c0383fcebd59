#include "vmcore/base/frame.h"

#include <string.h>

void um_frame_init(struct um_frame_in *f, size_t max)
{
    *f = (struct um_frame_in){.max = max};
}

void um_frame_done(struct um_frame_in *f)
{
    if (f)
        um_buf_done(&f->buf);
}

bool um_frame_feed(struct um_frame_in *f, const void *data, size_t len)
{
    /* Frames already handed out are dropped here, so that um_frame_next()'s result stays valid. */
    um_buf_consume(&f->buf, f->start);
    f->start = 0;
    um_buf_append(&f->buf, data, len);
    return !f->buf.failed;
}

/* Follow the JSON text by one byte; true if it is an LF that ends a value. */
static bool scan_byte(struct um_frame_in *f, char c)
{
    if (f->escaped)
        f->escaped = false;
    else if (f->quoted && c == '\\')
        f->escaped = true;
    else if (c == '"')
        f->quoted = !f->quoted;
    else if (!f->quoted && (c == '{' || c == '['))
        f->depth++;
    else if (!f->quoted && (c == '}' || c == ']'))
        f->depth--;
    if (c == '\n' && f->begun && f->depth <= 0)
        return true;
    f->begun = f->begun || !strchr(" \t\r\n", c);
    return false;
}

static char *decide(struct um_frame_in *f, char *from, char *to)
{
    char *nul = memchr(from, '\0', (size_t)(to - from));

    /* A NUL anywhere wins: LF may also follow a value as white space. */
    if (nul) {
        f->mode = UM_FRAME_NUL;
        return nul;
    }
    for (; from < to; from++)
        if (scan_byte(f, *from)) {
            f->mode = UM_FRAME_LINE;
            return from;
        }
    return NULL;
}

static char *find_end(struct um_frame_in *f)
{
    char *from, *to;

    if (!f->buf.data)
        return NULL;
    from = f->buf.data + f->start + f->scanned;
    to = f->buf.data + f->buf.len;
    if (f->mode == UM_FRAME_UNDECIDED)
        return decide(f, from, to);
    return memchr(from, um_frame_terminator(f->mode), (size_t)(to - from));
}

enum um_frame_result um_frame_next(struct um_frame_in *f, const char **ret_text, size_t *ret_len)
{
    char *end = find_end(f);
    size_t pending = f->buf.len - f->start;

    if (!end) {
        f->scanned = pending;
        return pending > f->max ? UM_FRAME_TOO_LONG : UM_FRAME_NONE;
    }
    *ret_text = f->buf.data + f->start;
    *ret_len = (size_t)(end - *ret_text);
    if (*ret_len > f->max)
        return UM_FRAME_TOO_LONG;
    *end = '\0';
    f->start += *ret_len + 1;
    f->scanned = 0;
    return UM_FRAME_READY;
}

size_t um_frame_rest(const struct um_frame_in *f, const char **ret_data)
{
    *ret_data = f->buf.data ? f->buf.data + f->start : "";
    return f->buf.len - f->start;
}

char um_frame_terminator(enum um_frame_mode mode)
{
    return mode == UM_FRAME_LINE ? '\n' : '\0';
}
