#include "tests/netd/fake_link.h"

#include "netd/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void take(struct fake_link *f, const struct netd_out *out)
{
    size_t at = 0;

    if (f->count == FAKE_FRAMES)
        f->count = 0;
    for (int k = 0; k < out->count; k++) {
        size_t n = out->pieces[k].iov_len;

        if (at + n > FAKE_BYTES)
            n = FAKE_BYTES - at;
        memcpy(f->frames[f->count].bytes + at, out->pieces[k].iov_base, n);
        at += n;
    }
    f->frames[f->count++].len = out->len;
}

static int fake_send(void *link, const struct netd_out *frames, int count)
{
    struct fake_link *f = link;
    int i = 0;

    if (f->error)
        return -f->error;
    for (; i < count && f->room != 0; i++) {
        take(f, &frames[i]);
        f->room -= f->room > 0;
    }
    return i;
}

static void fake_watch_input(void *link, bool on)
{
    ((struct fake_link *)link)->reading = on;
}

static void fake_watch_room(void *link, bool on)
{
    ((struct fake_link *)link)->waiting = on;
}

static const struct netd_link_ops fake_ops = {fake_send, fake_watch_input, fake_watch_room};

struct fake_link *fake_link_new(struct netd_switch *sw, const struct netd_port_config *config)
{
    struct fake_link *f = calloc(1, sizeof(*f));

    ck_assert_ptr_nonnull(f);
    f->sw = sw;
    f->room = -1;
    f->reading = true;
    f->port = netd_switch_add(sw, config, &fake_ops, f);
    ck_assert_uint_ne(f->port, NETD_MAC_NOWHERE);
    return f;
}

void fake_link_free(struct fake_link *f)
{
    if (!f)
        return;
    netd_switch_remove(f->sw, f->port);
    free(f);
}

static size_t make(uint8_t *bytes, int dst, int src, int vlan, size_t len)
{
    const uint8_t group[6] = {255, 255, 255, 255, 255, 255};
    size_t at = 12;

    memset(bytes, 0, len + NETD_TAG_LEN);
    memcpy(bytes, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)dst, 2, 0, 0, 0, 0, (uint8_t)src}, 12);
    if (dst == 255)
        memcpy(bytes, group, 6);
    if (vlan >= 0) {
        memcpy(bytes + at, (uint8_t[]){0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan}, 4);
        at += 4;
        len += NETD_TAG_LEN;
    }
    bytes[at] = 8;
    return len;
}

bool fake_link_input(struct fake_link *f, int dst, int src, int vlan, size_t len, int64_t now_ns)
{
    static uint8_t bytes[NETD_FRAME_MAX + 64];
    struct iovec frame = {bytes, make(bytes, dst, src, vlan, len)};

    return netd_switch_input(f->sw, f->port, &frame, 1, now_ns);
}

int fake_link_flood(struct fake_link *f, int dst, int src, int count, size_t len, int64_t now_ns)
{
    static uint8_t bytes[NETD_FRAME_MAX + 64];
    struct iovec frames[NETD_BATCH];
    int in = 0;

    for (int i = 0; i < NETD_BATCH; i++)
        frames[i] = (struct iovec){bytes, make(bytes, dst, src, -1, len)};
    while (in < count && f->reading) {
        int n = count - in < NETD_BATCH ? count - in : NETD_BATCH;

        netd_switch_input(f->sw, f->port, frames, n, now_ns);
        in += n;
    }
    return in;
}

void fake_link_drain(struct fake_link *f, int room, int64_t now_ns)
{
    f->room = room;
    netd_switch_writable(f->sw, f->port, now_ns);
}

uint64_t fake_link_drops(const struct fake_link *f, enum netd_drop reason)
{
    return netd_switch_counters(f->sw, f->port)->drops[reason];
}
