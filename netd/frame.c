#include "netd/frame.h"

#include "netd/drop.h"

#define TPID_8021Q 0x8100u

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint64_t get48(const uint8_t *p)
{
    return (uint64_t)get16(p) << 32 | (uint64_t)get16(p + 2) << 16 | get16(p + 4);
}

int netd_frame_parse(const uint8_t *data, size_t len, struct netd_frame *ret)
{
    struct netd_frame f = {.dst = 0};

    if (len < NETD_HEADER_LEN)
        return NETD_DROP_RUNT;
    f.dst = get48(data);
    f.src = get48(data + 6);
    if (netd_mac_is_group(f.src) || f.src == 0)
        return NETD_DROP_BAD_SOURCE;
    if (get16(data + 12) == TPID_8021Q) {
        if (len < NETD_HEADER_LEN + NETD_TAG_LEN)
            return NETD_DROP_BAD_TAG;
        f.tagged = true;
        f.tci = get16(data + 14);
        f.vlan = f.tci & 0xfff;
        if (f.vlan > NETD_VLAN_MAX)
            return NETD_DROP_BAD_TAG;
    }
    *ret = f;
    return NETD_PASS;
}
