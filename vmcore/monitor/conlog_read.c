/*
 * Readers of console logs. A reader keeps the file of its part open, so rotation takes nothing from
 * it before it has come to that part's end.
 */
#include "vmcore/monitor/conlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t first_position(const struct mon_log *l)
{
    return l->count > 0 ? l->parts[0].start : 0;
}

static int64_t boot_position(const struct mon_log *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->parts[i].boot == l->boot)
            return l->parts[i].start;
    return mon_log_end(l);
}

void mon_log_reader_start(const struct mon_log *l, struct mon_log_reader *r, int64_t back)
{
    int64_t first = first_position(l), end = mon_log_end(l);

    *r = MON_LOG_READER_INIT;
    if (back == -2)
        r->position = first;
    else if (back < 0)
        r->position = boot_position(l);
    else
        r->position = back > end - first ? first : end - back;
}

void mon_log_reader_done(struct mon_log_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
}

bool mon_log_reader_put(struct mon_log_reader *r, const void *data, size_t len)
{
    if (len > sizeof(r->note) - r->note_len)
        return false;
    memcpy(r->note + r->note_len, data, len);
    r->note_len += len;
    return true;
}

void mon_log_reader_note(struct mon_log_reader *r, const char *fmt, ...)
{
    char text[sizeof(r->note)];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (len > 0 && (size_t)len < sizeof(text))
        mon_log_reader_put(r, text, (size_t)len);
}

static void skip_to(struct mon_log_reader *r, int64_t position)
{
    mon_log_reader_note(r, "\r\n[... %" PRId64 " bytes dropped by rotation ...]\r\n",
                        position - r->position);
    r->position = position;
}

/* Open the part that holds the position, skipping what is gone. False: nothing to read. */
static bool open_part(const struct mon_log *l, struct mon_log_reader *r)
{
    char name[80];

    for (size_t i = 0; i < l->count; i++) {
        const struct mon_log_part *p = &l->parts[i];

        if (r->position >= p->start + p->size)
            continue;
        if (r->position < p->start)
            skip_to(r, p->start);
        snprintf(name, sizeof(name), "%s.%" PRIu64 ".%u.log", l->device, p->boot, p->part);
        r->fd = openat(l->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (r->fd < 0) {
            skip_to(r, p->start + p->size);
            continue;
        }
        r->boot = p->boot;
        r->part = p->part;
        r->part_start = p->start;
        return true;
    }
    return false;
}

static bool is_last(const struct mon_log *l, const struct mon_log_reader *r)
{
    const struct mon_log_part *last = l->count > 0 ? &l->parts[l->count - 1] : NULL;

    return last && last->boot == r->boot && last->part == r->part;
}

static size_t take_note(const struct mon_log_reader *r, void *buf, size_t size)
{
    size_t n = r->note_len < size ? r->note_len : size;

    memcpy(buf, r->note, n);
    return n;
}

size_t mon_log_peek(const struct mon_log *l, struct mon_log_reader *r, void *buf, size_t size)
{
    /* Each turn ends the reading of one part, so the parts bound the turns. */
    for (size_t turn = 0; turn <= l->count + 1; turn++) {
        ssize_t n;

        if (r->note_len > 0)
            return take_note(r, buf, size);
        if (r->fd < 0 && !open_part(l, r))
            return r->note_len > 0 ? take_note(r, buf, size) : 0;
        if (r->note_len > 0)
            return take_note(r, buf, size);
        n = pread(r->fd, buf, size, (off_t)(r->position - r->part_start));
        if (n > 0)
            return (size_t)n;
        if (n < 0 && errno == EINTR)
            continue;
        if (is_last(l, r) && r->position >= mon_log_end(l))
            return 0;
        mon_log_reader_done(r);
        /* The file was cut short by somebody else: its missing bytes are gone. */
        for (size_t i = 0; i < l->count; i++)
            if (l->parts[i].start == r->part_start &&
                r->position < r->part_start + l->parts[i].size)
                skip_to(r, r->part_start + l->parts[i].size);
    }
    return 0;
}

void mon_log_advance(struct mon_log_reader *r, size_t n)
{
    if (r->note_len > 0) {
        r->note_len -= n;
        memmove(r->note, r->note + n, r->note_len);
        return;
    }
    r->position += (int64_t)n;
}
