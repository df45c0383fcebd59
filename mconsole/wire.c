#include "mconsole/wire.h"

#include <string.h>

enum {
    REQUEST_HEADER = offsetof(struct mconsole_request, data),
    REPLY_HEADER = offsetof(struct mconsole_reply, data),
    NOTIFY_HEADER = 16, /* magic, version, type, len: u32 each */
    HANG_SIZE = 24 /* Debian's uml_watchdog on 64-bit: u64 magic, u32 version, type, len, pad */
};

_Static_assert(REQUEST_HEADER == 12 && sizeof(struct mconsole_request) == 524, "wire layout");
_Static_assert(REPLY_HEADER == 12 && sizeof(struct mconsole_reply) == 524, "wire layout");

/* Datagrams have no alignment; numbers are in host order (mconsole(kernel)). */
static uint32_t number_at(const unsigned char *data, size_t offset)
{
    uint32_t v;

    memcpy(&v, data + offset, sizeof(v));
    return v;
}

size_t mconsole_encode_request(const char *command, struct mconsole_request *ret)
{
    size_t len = strlen(command);

    if (len == 0 || len > MCONSOLE_COMMAND_MAX)
        return 0;
    /* mconsole(kernel): the receive buffer is static, a short datagram is completed by bytes of the
     * previous one, so the text always ends with a NUL of its own. */
    memset(ret, 0, sizeof(*ret));
    ret->magic = MCONSOLE_MAGIC;
    ret->version = MCONSOLE_VERSION;
    ret->len = (uint32_t)len;
    memcpy(ret->data, command, len);
    return REQUEST_HEADER + len + 1;
}

bool mconsole_decode_reply(const void *data, size_t size, struct mconsole_reply *ret)
{
    const unsigned char *p = data;
    uint32_t len;

    if (size < REPLY_HEADER || size > sizeof(*ret))
        return false;
    len = number_at(p, 8);
    if (len > MCONSOLE_DATA_MAX || len > size - REPLY_HEADER)
        return false;
    /* mconsole(kernel): err is declared unsigned but carries 0, 1 or a negative errno. */
    ret->err = (int32_t)number_at(p, 0);
    ret->more = number_at(p, 4);
    ret->len = len;
    memset(ret->data, 0, sizeof(ret->data));
    memcpy(ret->data, p + REPLY_HEADER, len);
    return true;
}

size_t mconsole_encode_notify(enum mconsole_notify_type type, const void *data, size_t len,
                              char ret[MCONSOLE_NOTIFY_SIZE_MAX])
{
    const uint32_t header[] = {MCONSOLE_MAGIC, MCONSOLE_VERSION, (uint32_t)type, (uint32_t)len};

    _Static_assert(sizeof(header) == NOTIFY_HEADER, "wire layout");
    if (len > MCONSOLE_DATA_MAX)
        return 0;
    memcpy(ret, header, sizeof(header));
    memcpy(ret + sizeof(header), data, len);
    return sizeof(header) + len;
}

static bool is_debian_hang(const unsigned char *p, size_t size)
{
    return size == HANG_SIZE && number_at(p, 4) == 0 && number_at(p, 8) == MCONSOLE_VERSION &&
           number_at(p, 12) == MCONSOLE_NOTIFY_HANG && number_at(p, 16) == 0;
}

static void set_notify(struct mconsole_notify *ret, uint32_t type, const void *data, size_t len)
{
    memset(ret, 0, sizeof(*ret));
    ret->type = type;
    ret->len = len;
    memcpy(ret->data, data, len);
    /* mconsole(kernel): SOCKET and PANIC count their trailing NUL, USER is the written bytes. */
    if (type != MCONSOLE_NOTIFY_USER && len > 0 && ret->data[len - 1] == '\0')
        ret->len--;
}

bool mconsole_decode_notify(const void *data, size_t size, struct mconsole_notify *ret)
{
    const unsigned char *p = data;
    uint32_t type, len;

    if (size < NOTIFY_HEADER || size > NOTIFY_HEADER + MCONSOLE_DATA_MAX)
        return false;
    if (number_at(p, 0) != MCONSOLE_MAGIC)
        return false;
    if (is_debian_hang(p, size)) {
        set_notify(ret, MCONSOLE_NOTIFY_HANG, "", 0);
        return true;
    }
    type = number_at(p, 8);
    len = number_at(p, 12);
    if (number_at(p, 4) != MCONSOLE_VERSION || type > MCONSOLE_NOTIFY_USER)
        return false;
    if (len > size - NOTIFY_HEADER)
        return false;
    set_notify(ret, type, p + NOTIFY_HEADER, len);
    return true;
}

enum mconsole_join_result mconsole_join(struct mconsole_joined *j,
                                        const struct mconsole_reply *part)
{
    size_t len = part->len <= MCONSOLE_DATA_MAX ? part->len : MCONSOLE_DATA_MAX;

    if (j->parts++ == 0)
        j->err = part->err;
    /* mconsole(kernel): every part carries one NUL of its own; others belong to the text. */
    if (len > 0 && part->data[len - 1] == '\0')
        len--;
    if (len > j->max || j->text.len > j->max - len)
        return MCONSOLE_JOIN_TOO_LONG;
    um_buf_append(&j->text, part->data, len);
    return part->more ? MCONSOLE_JOIN_MORE : MCONSOLE_JOIN_DONE;
}
