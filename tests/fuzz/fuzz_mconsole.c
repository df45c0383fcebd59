/*
 * What a hostile guest sends us: a sequence of datagrams, each led by a little-endian u16 size. The
 * first byte of the input chooses the cap of joined replies. Every datagram is decoded as a
 * notification and as a reply; replies are joined as a lane would, and what a notification says is
 * read line by line.
 */
#include "mconsole/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void try_lines(const char *data, size_t size)
{
    struct mconsole_signals all = MCONSOLE_SIGNALS(data, size);
    struct mconsole_signal s;

    while (mconsole_signal_next(&all, &s)) {
        size_t len = strlen(s.line);

        require(len > 0 && s.value >= s.line && s.value <= s.line + len);
        require((s.problem != NULL) == (s.kind == MCONSOLE_SIGNAL_BAD));
        require(s.kind != MCONSOLE_SIGNAL_METRIC || (s.name[0] && isfinite(s.number)));
        for (size_t i = 0; i < len; i++)
            require((unsigned char)s.line[i] >= 0x20 && s.line[i] != 0x7f);
    }
}

static void try_notify(const uint8_t *data, size_t size)
{
    struct mconsole_notify n;

    if (!mconsole_decode_notify(data, size, &n))
        return;
    require(n.type <= MCONSOLE_NOTIFY_USER);
    require(n.len <= MCONSOLE_DATA_MAX && n.len <= size);
    require(n.data[n.len] == '\0');
    try_lines(n.data, n.len);
}

static void try_reply(const uint8_t *data, size_t size, struct mconsole_joined *j)
{
    struct mconsole_reply part;
    enum mconsole_join_result result;
    size_t max = j->max;

    if (!mconsole_decode_reply(data, size, &part))
        return;
    require(part.len <= MCONSOLE_DATA_MAX && part.len + 12 <= size);
    result = mconsole_join(j, &part);
    require(j->text.len <= max);
    require(j->text.len <= (size_t)j->parts * MCONSOLE_DATA_MAX);
    if (result == MCONSOLE_JOIN_MORE)
        return;
    um_buf_done(&j->text);
    *j = (struct mconsole_joined){.max = max};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mconsole_joined j = {.max = size > 0 ? (size_t)data[0] * 16 : 0};

    for (size_t at = 1; at + 2 <= size;) {
        size_t len = data[at] | (size_t)data[at + 1] << 8;

        at += 2;
        if (len > size - at)
            len = size - at;
        try_notify(data + at, len);
        try_reply(data + at, len, &j);
        at += len;
    }
    um_buf_done(&j.text);
    return 0;
}
