/*
 * con<n>= and ssl<n>=: one channel, or `in,out` (UML line.c, chan_kern.c). The kernel compares
 * channel names by prefix (`nullfoo` is null); here a name must be exact, because what looks like a
 * typing error is one.
 */
#include "vmcore/guest/device_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum argument { ARGUMENT_NONE, ARGUMENT_NUMBER, ARGUMENT_PATH };

static const struct {
    const char *name;
    enum argument argument;
    int max; /* of the number */
} channels[CHANNEL_COUNT] = {
    [CHANNEL_MANAGED] = {"managed", ARGUMENT_NONE, 0},
    [CHANNEL_FD] = {"fd", ARGUMENT_NUMBER, 1 << 20},
    [CHANNEL_NULL] = {"null", ARGUMENT_NONE, 0},
    [CHANNEL_NONE] = {"none", ARGUMENT_NONE, 0},
    [CHANNEL_PTS] = {"pts", ARGUMENT_NONE, 0},
    [CHANNEL_PTY] = {"pty", ARGUMENT_NONE, 0},
    [CHANNEL_TTY] = {"tty", ARGUMENT_PATH, 0},
    [CHANNEL_PORT] = {"port", ARGUMENT_NUMBER, 65535},
    [CHANNEL_XTERM] = {"xterm", ARGUMENT_NONE, 0},
};

const char *device_channel_name(enum device_channel type)
{
    return (unsigned)type < CHANNEL_COUNT ? channels[type].name : "?";
}

static enum um_code unknown_channel(struct device_parser *p, const char *s, size_t len)
{
    if (len)
        device_fail(p, UM_E_INVALID, "unknown channel \"%.*s\"", (int)(len < 80 ? len : 80), s);
    else
        device_fail(p, UM_E_INVALID, "the channel is missing");
    um_hint(p->err, "channels are managed, pts, null, none, fd:N, pty, tty:PATH, port:N and xterm");
    return UM_E_INVALID;
}

static enum um_code parse_number(struct device_parser *p, enum device_channel type, const char *s,
                                 const char *end, struct device_chan *ret)
{
    const char *stop = s;

    if (!device_unit(s, channels[type].max, &ret->number, &stop) || stop != end)
        return device_fail(p, UM_E_INVALID, "%s: needs a number from 0 to %d", channels[type].name,
                           channels[type].max);
    return UM_OK;
}

/* One channel of len bytes at s. */
static enum um_code parse_chan(struct device_parser *p, const char *s, size_t len,
                               struct device_chan *ret)
{
    const char *colon = memchr(s, ':', len);
    size_t name = colon ? (size_t)(colon - s) : len;
    enum um_code code = UM_OK;
    int type = 0;

    while (type < CHANNEL_COUNT &&
           (strlen(channels[type].name) != name || memcmp(channels[type].name, s, name) != 0))
        type++;
    if (type == CHANNEL_COUNT || (colon && channels[type].argument == ARGUMENT_NONE))
        return unknown_channel(p, s, len);
    ret->type = (enum device_channel)type;
    ret->number = -1;
    um_buf_append(&p->text, s, colon ? name + 1 : name);
    if (channels[type].argument == ARGUMENT_NONE)
        return UM_OK;
    if (!colon)
        return device_fail(p, UM_E_INVALID, "%s needs an argument: %s:%s", channels[type].name,
                           channels[type].name,
                           channels[type].argument == ARGUMENT_PATH ? "PATH" : "NUMBER");
    if (channels[type].argument == ARGUMENT_PATH)
        return device_path(p, "terminal", colon + 1, len - name - 1, ",", &ret->path);
    code = parse_number(p, ret->type, colon + 1, s + len, ret);
    um_buf_append(&p->text, colon + 1, len - name - 1);
    return code;
}

static enum um_code copy_chan(struct device_parser *p, const struct device_chan *from,
                              struct device_chan *ret)
{
    *ret = *from;
    if (from->path) {
        ret->path = strdup(from->path);
        if (!ret->path)
            return device_no_memory(p);
    }
    return UM_OK;
}

enum um_code device_parse_line(struct device_parser *p, const char *value, struct device *d)
{
    size_t len = strcspn(value, ",");
    enum um_code code = parse_chan(p, value, len, &d->line.in);

    if (code)
        return code;
    if (!value[len])
        return copy_chan(p, &d->line.in, &d->line.out);
    d->line.pair = true;
    um_buf_puts(&p->text, ",");
    value += len + 1;
    code = parse_chan(p, value, strlen(value), &d->line.out);
    if (!code && (d->line.in.type == CHANNEL_MANAGED || d->line.out.type == CHANNEL_MANAGED)) {
        device_fail(p, UM_E_INVALID, "managed is input and output at once");
        um_hint(p->err, "write it alone: %.*s=managed", (int)strcspn(p->word, "="), p->word);
        code = UM_E_INVALID;
    }
    return code;
}
