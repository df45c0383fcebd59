/*
 * mconsole wire format (UML arch/um/drivers/mconsole.h; protocol version 2). Pure: bytes <->
 * structs.
 */
#ifndef MCONSOLE_WIRE_H
#define MCONSOLE_WIRE_H

#include "vmcore/base/macros.h"
#include "vmcore/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCONSOLE_MAGIC       0xcafebabeu
#define MCONSOLE_VERSION     2u
#define MCONSOLE_DATA_MAX    512
#define MCONSOLE_COMMAND_MAX 511 /* text bytes in one request */

struct mconsole_request {
    uint32_t magic, version, len;
    char data[MCONSOLE_DATA_MAX];
};

struct mconsole_reply {
    int32_t err; /* mconsole(kernel): meaningful in the first packet of a reply only */
    uint32_t more;
    uint32_t len; /* bytes of data, trailing NUL included */
    char data[MCONSOLE_DATA_MAX];
};

enum mconsole_notify_type {
    MCONSOLE_NOTIFY_SOCKET = 0,
    MCONSOLE_NOTIFY_PANIC = 1,
    MCONSOLE_NOTIFY_HANG = 2,
    MCONSOLE_NOTIFY_USER = 3
};

struct mconsole_notify {
    uint32_t type;
    size_t len;
    char data[MCONSOLE_DATA_MAX + 1]; /* NUL added */
};

/* Encode a command. Returns the datagram's size, or 0 if it is empty or over MCONSOLE_COMMAND_MAX.
 */
size_t mconsole_encode_request(const char *command, struct mconsole_request *ret) um_nonnull(1, 2);

/* One received reply datagram. False: malformed (short, len beyond the datagram, over the maximum).
 */
bool mconsole_decode_reply(const void *data, size_t size, struct mconsole_reply *ret)
    um_nonnull(1, 3) um_check;

/* Bytes of the longest notification datagram. */
#define MCONSOLE_NOTIFY_SIZE_MAX (16 + MCONSOLE_DATA_MAX)

/* A notification as the kernel would send it. Returns the datagram's size, 0 if data is too long.
 */
size_t mconsole_encode_notify(enum mconsole_notify_type type, const void *data, size_t len,
                              char ret[MCONSOLE_NOTIFY_SIZE_MAX]) um_nonnull(2, 4);

/* One received notification, including the HANG layout of Debian's uml_watchdog (24 bytes, u64
 * magic). */
bool mconsole_decode_notify(const void *data, size_t size, struct mconsole_notify *ret)
    um_nonnull(1, 3) um_check;

enum mconsole_join_result { MCONSOLE_JOIN_MORE, MCONSOLE_JOIN_DONE, MCONSOLE_JOIN_TOO_LONG };

/* A multi-packet reply being joined: one NUL stripped per part, err from the first part only. */
struct mconsole_joined {
    struct um_buf text;
    int32_t err;
    unsigned parts;
    size_t max; /* bytes */
};

enum mconsole_join_result mconsole_join(struct mconsole_joined *j,
                                        const struct mconsole_reply *part) um_nonnull(1, 2);

#endif
