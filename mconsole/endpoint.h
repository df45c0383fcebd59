/*
 * Our end of a lane: a datagram socket bound in the guest's directory and connected to the kernel's
 * socket. That directory is writable by a hostile guest, so nothing in it is followed, and every
 * name is used once: a late reply to a closed endpoint finds no address.
 */
#ifndef MCONSOLE_ENDPOINT_H
#define MCONSOLE_ENDPOINT_H

#include "vmcore/base/error.h"
#include "vmcore/base/fd.h"

struct mconsole_endpoint {
    int fd;        /* bound and connected, or -1 */
    int target;    /* O_PATH of the kernel's socket: pins its inode, so identity can be compared */
    unsigned next; /* number of the next name */
    unsigned number; /* of our name, while it is there */
    bool named;      /* it is */
    bool swept;      /* names of an earlier daemon are gone */
};

#define MCONSOLE_ENDPOINT_INIT                                                                     \
    (struct mconsole_endpoint)                                                                     \
    {                                                                                              \
        .fd = -1, .target = -1                                                                     \
    }

/*
 * Bind `<dir>/<prefix><number>` and connect to target. The kernel answers to that name: it has mode
 * 0600 if target is our own user's, else 0666, and dir has to keep others away. The part of target
 * below dir is resolved without symlinks. dir NULL: a kernel that somebody started by hand, in our
 * network namespace: the address is an abstract one that the host picks (unix(7): autobind), so
 * nothing is left behind anywhere, and target, the caller's own choice, may lead through symlinks.
 * UM_E_NOT_RUNNING: there is no live socket there. On failure nothing stays open.
 */
enum um_code mconsole_endpoint_open(struct mconsole_endpoint *e, const char *dir,
                                    const char *prefix, const char *target, struct um_error *err)
    um_nonnull(1, 3, 4) um_check;

/* Close and unlink, with dir and prefix as it was opened; the number is not used again. Fine when
 * not open. */
void mconsole_endpoint_close(struct mconsole_endpoint *e, const char *dir, const char *prefix)
    um_nonnull(1, 3);

/* Is target still the very socket this endpoint is connected to? */
bool mconsole_endpoint_current(const struct mconsole_endpoint *e, const char *target)
    um_nonnull(1, 2);

#endif
