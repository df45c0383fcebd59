/*
 * Tap devices: Ethernet of the host, whose other end is a descriptor (Linux,
 * Documentation/networking/tuntap.rst).
 */
#ifndef NETD_TAP_H
#define NETD_TAP_H

#include "vmcore/base/error.h"

/*
 * Attach to the tap device of that name. One that does not exist is made, where we may, and goes
 * with the descriptor. *ret_fd is the caller's, for netd_link_new(). Errors: UM_E_INVALID, the name
 * is none; UM_E_BUSY, another program is attached; UM_E_DENIED; and others.
 */
enum um_code netd_tap_open(const char *name, int *ret_fd, struct um_error *err)
    um_nonnull(1, 2) um_check;

#endif
