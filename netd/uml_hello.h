/*
 * What a client of the uml_switch protocol says first. Pure: bytes in, request out.
 *
 * uml-utilities 20070815, uml_switch/port.c and switch.c; uml(kernel), drivers/daemon_user.c; VDE
 * 2, libvdeplug. Integers of the host's byte order. Magic 0xfeedface.
 *
 *   v0  u32 type 0, mac[6], sockaddr_un             120 bytes
 *   v1  magic, u32 type 0, mac[6], sockaddr_un      124 bytes
 *   v3  magic, u32 3, u32 type 0, sockaddr_un       122 bytes; the kernel sends 2 of padding, VDE a
 * text
 *
 * The answer to v1 and v3 is the sockaddr_un to send frames to; v0 gets none, and sends to a path
 * that it was told by hand. Version 2 was never served; newer
 * ones do not exist. The type's upper 24 bits are the port that a VDE client asks for, 0 for any.
 */
#ifndef NETD_UML_HELLO_H
#define NETD_UML_HELLO_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

enum {
    NETD_HELLO_MAX = 256,    /* bytes that belong to a request, text included */
    NETD_HELLO_ADDRESS = 110 /* of sockaddr_un: family and the whole of sun_path, always */
};

enum netd_hello_result {
    NETD_HELLO_MORE,    /* right so far, not complete */
    NETD_HELLO_READY,   /* *ret is filled */
    NETD_HELLO_REFUSED, /* no client of ours */
    NETD_HELLO_VERSION  /* a version that is not served */
};

struct netd_hello {
    int version;                /* 0, 1 or 3 */
    uint32_t port;              /* asked for, 0: any */
    struct sockaddr_un address; /* of the client's data socket: abstract or a path with its NUL */
};

/* v0: whether that version is served. Without a magic it could be anything. */
enum netd_hello_result netd_hello_parse(const uint8_t *data, size_t len, bool v0,
                                        struct netd_hello *ret) um_nonnull(1, 4) um_check;

#endif
