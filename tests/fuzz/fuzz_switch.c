/*
 * What guests and old clients can send. The input is taken twice: as the request of a client, which
 * must be understood the same however much of it has come, and as a script of frames, full links
 * and passing time for a switch with ports of all VLAN modes. What leaves the switch must be a
 * frame whose length differs by a tag at most; at the end nothing may be left waiting, and every
 * port must have let go of the others.
 */
#include "netd/frame.h"
#include "netd/switch.h"
#include "netd/uml_hello.h"

#include <stdlib.h>
#include <string.h>

enum { PORTS = 5, LONGEST = 2048 };

struct port {
    uint32_t id;
    int room; /* frames it takes before it is full; negative: any number */
    bool reading;
};

static struct port ports[PORTS];
static size_t last_len; /* of what is going in, while nothing waits anywhere */
static bool waited;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_out(const struct netd_out *out)
{
    size_t len = 0;

    for (int k = 0; k < out->count; k++)
        len += out->pieces[k].iov_len;
    must(len == out->len && len >= NETD_HEADER_LEN && len <= NETD_FRAME_MAX);
    must(waited || (len + NETD_TAG_LEN >= last_len && len <= last_len + NETD_TAG_LEN));
}

static int take(void *link, const struct netd_out *frames, int count)
{
    struct port *p = link;
    int i = 0;

    for (; i < count && p->room != 0; i++) {
        check_out(&frames[i]);
        p->room -= p->room > 0;
    }
    return i;
}

static void watch_input(void *link, bool on)
{
    ((struct port *)link)->reading = on;
}

static void watch_room(um_unused void *link, um_unused bool on)
{
}

static const struct netd_link_ops ops = {take, watch_input, watch_room};

static struct netd_switch *make(uint8_t how)
{
    static uint8_t set[NETD_VLAN_SET_BYTES] = {1 << 1 | 1 << 2};
    struct netd_switch_config config = netd_switch_config_default;
    struct netd_switch *sw;

    config.hub = how & 1;
    config.mac.entries = 32;
    config.mac.per_port = 16;
    config.mac.guard_ns = how & 2 ? 1000 : 0;
    config.queue_high = 2048;
    config.queue_low = 512;
    config.queue_max = 8192;
    config.memory_max = 16384;
    config.hold_ns = 500;
    config.pause_ns = 2000;
    sw = netd_switch_new(&config);
    must(sw != NULL);
    for (int i = 0; i < PORTS; i++) {
        struct netd_port_config port = netd_port_config_default;

        port.vlan_mode = (enum netd_vlan_mode)(i % 3);
        port.vlan = (uint16_t)(port.vlan_mode == NETD_VLAN_TRANSPARENT ? 0 : 1 + i / 3);
        port.vlan_set = set;
        port.number = how & 32 && i < 2 ? 9 : 0; /* two links of one number */
        port.isolation = how & 4 ? (uint32_t)i % 2 : 0;
        port.storm_rate = how & 8 ? 1000000 : 0;
        if (how & 32) { /* one limited from it, the next to it */
            struct netd_rate rate = {.bytes = 1000000, .burst = 300};

            *(i % 2 ? &port.in : &port.out) = rate;
        }
        if (how & 16)
            port.guard = (struct netd_guard){
                .ipv4_count = 1, .ipv6_count = 1, .no_dhcp_server = true, .no_router = true};
        ports[i] = (struct port){.room = -1, .reading = true};
        ports[i].id = netd_switch_add(sw, &port, &ops, &ports[i]);
        must(ports[i].id != NETD_MAC_NOWHERE);
    }
    return sw;
}

static bool any_waiting(const struct netd_switch *sw)
{
    for (int i = 0; i < PORTS; i++) {
        if (netd_switch_waiting(sw, ports[i].id))
            return true;
    }
    return false;
}

/* One step: two bytes that say what, then the frame's bytes if it is one. What is left of the
 * script. */
static size_t step(struct netd_switch *sw, const uint8_t *data, size_t size, int64_t *now)
{
    struct port *p = &ports[data[0] % PORTS];
    struct iovec frame = {(uint8_t *)data + 2, data[1]};

    switch (data[0] / PORTS % 4) {
    case 0:
        p->room = data[1] % 8;
        break;
    case 1:
        p->room = -1;
        netd_switch_writable(sw, p->id, *now);
        break;
    case 2:
        *now += data[1] * 10;
        netd_switch_tick(sw, *now);
        must(netd_switch_due(sw) > *now);
        break;
    default:
        if (frame.iov_len > size - 2)
            frame.iov_len = size - 2;
        last_len = frame.iov_len;
        waited = any_waiting(sw);
        if (p->reading)
            netd_switch_input(sw, p->id, &frame, 1, *now);
        return size - 2 - frame.iov_len;
    }
    return size - 2;
}

/* Everything goes in the end, however slowly it may. */
static void settle(struct netd_switch *sw, int64_t now)
{
    bool waits = true;

    for (int i = 0; i < PORTS; i++)
        ports[i].room = -1;
    for (int tries = 0; waits; tries++) {
        must(tries < 1000);
        waits = false;
        now += 1000000;
        for (int i = 0; i < PORTS; i++)
            netd_switch_writable(sw, ports[i].id, now);
        netd_switch_tick(sw, now);
        for (int i = 0; i < PORTS; i++)
            waits = waits || !ports[i].reading || netd_switch_waiting(sw, ports[i].id);
    }
}

static void run_script(const uint8_t *data, size_t size)
{
    struct netd_switch *sw = make(data[0]);
    int64_t now = 1;

    for (size_t left = size - 1; left >= 2;)
        left = step(sw, data + size - left, left, &now);
    waited = true;
    settle(sw, now);
    for (int i = 0; i < PORTS; i++)
        netd_switch_remove(sw, ports[i].id);
    netd_switch_free(sw);
}

static void run_hello(const uint8_t *data, size_t size, bool v0)
{
    enum netd_hello_result before = NETD_HELLO_MORE, now;
    struct netd_hello hello;

    for (size_t len = 0; len <= size && len <= NETD_HELLO_MAX; len++) {
        now = netd_hello_parse(data, len, v0, &hello);
        must(before == NETD_HELLO_MORE || now == before);
        must(now != NETD_HELLO_READY || hello.address.sun_family == 1);
        before = now;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > LONGEST)
        return 0;
    run_hello(data, size, false);
    run_hello(data, size, true);
    run_script(data, size);
    return 0;
}
