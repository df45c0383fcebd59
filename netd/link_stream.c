/*
 * Frames in a stream. What a read ends with of a frame is kept with the link until the rest comes;
 * what a write ends in is kept, too, and that frame counts as sent. An idle link keeps nothing.
 */
#include "netd/frame.h"
#include "netd/link_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX_MAX = 4, PARTIAL_MAX = NETD_FRAME_MAX + PREFIX_MAX, READ_SIZE = 256 << 10 };

static uint32_t prefix_len(const struct netd_link *link)
{
    return link->kind == NETD_LINK_STREAM2 ? 2 : 4;
}

static uint32_t get_prefix(const uint8_t *p, uint32_t len)
{
    uint32_t value = 0;

    while (len--)
        value = value << 8 | *p++;
    return value;
}

static void put_prefix(uint8_t *p, uint32_t len, uint32_t value)
{
    while (len--) {
        p[len] = (uint8_t)value;
        value >>= 8;
    }
}

static bool keep(uint8_t **place, uint32_t *place_len, const void *data, size_t len)
{
    uint8_t *copy = NULL;

    if (len) {
        copy = malloc(len);
        if (!copy)
            return false;
        memcpy(copy, data, len);
    }
    free(*place);
    *place = copy;
    *place_len = (uint32_t)len;
    return true;
}

/* Up to NETD_BATCH whole frames of data into rx.frames; their bytes, prefixes included. */
static size_t cut(struct netd_link *link, uint8_t *data, size_t len, int *ret_count)
{
    uint32_t prefix = prefix_len(link);
    size_t at = 0;
    int count = 0;

    while (count < NETD_BATCH && len - at >= prefix) {
        uint32_t size = get_prefix(data + at, prefix);

        if (size > NETD_FRAME_MAX) {
            netd_link_end(link, "frame length in the stream is out of range");
            break;
        }
        if (len - at - prefix < size)
            break;
        link->io->rx.frames[count++] = (struct iovec){data + at + prefix, size};
        at += prefix + size;
    }
    *ret_count = count;
    return at;
}

/* Even when held in the middle: what was read is in, and a held port may overshoot by one read. */
static size_t pass_on(struct netd_link *link, uint8_t *data, size_t len)
{
    size_t at = 0, bytes;
    int count;

    do {
        bytes = cut(link, data + at, len - at, &count);
        at += bytes;
        if (count)
            netd_link_input(link, count);
    } while (count == NETD_BATCH && !link->ended);
    return at;
}

void netd_stream_read(struct netd_link *link)
{
    /* The switch has copied what it keeps when the call returns, so one place does for all. */
    uint8_t *data = link->io->rx.area;
    uint32_t kept = link->partial_in_len;
    ssize_t got;
    size_t at;

    _Static_assert(PARTIAL_MAX + READ_SIZE <= NETD_FRAME_MAX * NETD_BATCH, "rx.area holds a read");
    got = recv(link->fd, data + kept, READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        netd_link_end(link, kept ? "closed in the middle of a frame" : NULL);
        return;
    }
    if (kept)
        memcpy(data, link->partial_in, kept);
    at = pass_on(link, data, kept + (size_t)got);
    if (!link->ended &&
        !keep(&link->partial_in, &link->partial_in_len, data + at, kept + (size_t)got - at))
        netd_link_end(link, "no memory for the rest of a frame");
}

/* What send() has set errno to: 0 full, or -errno and the link ends, as no frame can follow. */
static int send_failed(struct netd_link *link)
{
    int errnum = errno;

    if (errnum == EAGAIN || errnum == EINTR)
        return 0;
    netd_link_end(link, "it cannot be written to");
    return -errnum;
}

int netd_stream_send_rest(struct netd_link *link)
{
    ssize_t sent;

    if (!link->partial_out_len)
        return 1;
    if (link->ended)
        return -EPIPE;
    sent = send(link->fd, link->partial_out, link->partial_out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return send_failed(link);
    link->partial_out_len -= (uint32_t)sent;
    if (link->partial_out_len) {
        memmove(link->partial_out, link->partial_out + sent, link->partial_out_len);
        return 0;
    }
    free(link->partial_out);
    link->partial_out = NULL;
    return 1;
}

/* Frames that went, whole or with a rest that is kept; pieces has them all, prefixes included. */
static int count_sent(struct netd_link *link, const struct netd_out *frames, int count,
                      const struct iovec *pieces, size_t sent)
{
    for (int i = 0; i < count; i++) {
        size_t len = prefix_len(link) + frames[i].len;
        uint8_t *whole, *end;

        if (sent >= len) {
            sent -= len;
            pieces += frames[i].count + 1;
            continue;
        }
        if (!sent)
            return i;
        whole = end = malloc(len);
        if (!whole) { /* the stream is broken: it cannot be told where the next frame begins */
            netd_link_end(link, "no memory for the rest of a frame");
            return i;
        }
        for (int k = 0; k <= frames[i].count; k++)
            end = mempcpy(end, pieces[k].iov_base, pieces[k].iov_len);
        link->partial_out_len = (uint32_t)(len - sent);
        memmove(whole, whole + sent, len - sent);
        link->partial_out = whole;
        um_watch_set(link->room, UM_WRITE);
        return i + 1;
    }
    return count;
}

int netd_stream_send(void *arg, const struct netd_out *frames, int count)
{
    struct netd_link *link = arg;
    struct iovec pieces[NETD_BATCH * (NETD_OUT_PIECES + 1)];
    uint8_t prefixes[NETD_BATCH][PREFIX_MAX];
    struct msghdr message = {.msg_iov = pieces};
    uint32_t prefix = prefix_len(link);
    ssize_t sent;
    int rest = link->ended ? -EPIPE : netd_stream_send_rest(link);

    if (rest <= 0)
        return rest;
    for (int i = 0; i < count; i++) {
        if (prefix == 2 && frames[i].len > UINT16_MAX) {
            if (i == 0)
                return -EMSGSIZE;
            count = i;
            break;
        }
        put_prefix(prefixes[i], prefix, frames[i].len);
        pieces[message.msg_iovlen++] = (struct iovec){prefixes[i], prefix};
        for (int k = 0; k < frames[i].count; k++)
            pieces[message.msg_iovlen++] = frames[i].pieces[k];
    }
    sent = sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return send_failed(link);
    return count_sent(link, frames, count, pieces, (size_t)sent);
}
