#include "netd/uml_hello.h"

#include <string.h>
#include <sys/socket.h>

#define MAGIC 0xfeedfaceu

_Static_assert(sizeof(struct sockaddr_un) == NETD_HELLO_ADDRESS, "the protocol is this struct");

/* Where the address is, by version. */
static const size_t address_at[] = {[0] = 10, [1] = 14, [3] = 12};

static uint32_t word(const uint8_t *data, size_t at)
{
    uint32_t value;

    memcpy(&value, data + at, sizeof(value));
    return value;
}

static enum netd_hello_result parse_rest(const uint8_t *data, size_t len, int version,
                                         uint32_t type, struct netd_hello *ret)
{
    struct netd_hello hello = {.version = version, .port = type >> 8};

    if ((type & 0xff) != 0)
        return NETD_HELLO_REFUSED;
    if (len < address_at[version] + NETD_HELLO_ADDRESS)
        return NETD_HELLO_MORE;
    memcpy(&hello.address, data + address_at[version], NETD_HELLO_ADDRESS);
    if (hello.address.sun_family != AF_UNIX)
        return NETD_HELLO_REFUSED;
    if (hello.address.sun_path[0] &&
        !memchr(hello.address.sun_path, '\0', sizeof(hello.address.sun_path)))
        return NETD_HELLO_REFUSED;
    *ret = hello;
    return NETD_HELLO_READY;
}

enum netd_hello_result netd_hello_parse(const uint8_t *data, size_t len, bool v0,
                                        struct netd_hello *ret)
{
    if (len < 4)
        return NETD_HELLO_MORE;
    if (v0 && word(data, 0) == 0) /* its type */
        return parse_rest(data, len, 0, 0, ret);
    if (word(data, 0) != MAGIC)
        return NETD_HELLO_REFUSED;
    if (len < 8)
        return NETD_HELLO_MORE;
    switch (word(data, 4)) {
    case 0: /* v1 has no version: this is its type */
        return parse_rest(data, len, 1, 0, ret);
    case 3:
        return len < 12 ? NETD_HELLO_MORE : parse_rest(data, len, 3, word(data, 8), ret);
    default:
        return NETD_HELLO_VERSION;
    }
}
