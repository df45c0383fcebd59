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

static char *find_end(struct um_frame_in *f)
{
    char *from, *nul, *lf;
    size_t len;

    if (!f->buf.data)
        return NULL;
    from = f->buf.data + f->start + f->scanned;
    len = f->buf.len - f->start - f->scanned;
    if (f->mode == UM_FRAME_LINE)
        return memchr(from, '\n', len);
    nul = memchr(from, '\0', len);
    if (f->mode == UM_FRAME_NUL)
        return nul;
    /* Undecided: JSON text may contain LF as white space, so a NUL anywhere in the buffer wins. */
    if (nul) {
        f->mode = UM_FRAME_NUL;
        return nul;
    }
    lf = memchr(from, '\n', len);
    if (lf && lf == f->buf.data + f->buf.len - 1)
        f->mode = UM_FRAME_LINE;
    else
        lf = NULL;
    return lf ? memchr(f->buf.data + f->start, '\n', f->buf.len - f->start) : NULL;
}

enum um_frame_result um_frame_next(struct um_frame_in *f, const char **ret_text, size_t *ret_len)
{
    char *end = find_end(f);
    size_t pending = f->buf.len - f->start;

    if (!end) {
        /* In undecided mode an LF may still become the end, so those bytes are looked at again. */
        f->scanned = f->mode == UM_FRAME_UNDECIDED ? 0 : pending;
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
