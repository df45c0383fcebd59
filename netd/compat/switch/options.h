/*
 * The command line of uml_switch: words with one dash, in any order.
 */
#ifndef NETD_COMPAT_SWITCH_OPTIONS_H
#define NETD_COMPAT_SWITCH_OPTIONS_H

#include "netd/socket_file.h"

#include <stdint.h>

enum { SWITCH_TAPS_MAX = 16 };

struct switch_options {
    const char *control;
    const char *data; /* NULL: version 0 of the protocol is not served */
    bool hub, daemon;
    const char *taps[SWITCH_TAPS_MAX];
    int tap_count;
    const char *pidfile; /* NULL: none */
    struct netd_access access;
    uint32_t age_s, guard_s;
    uint32_t frame_max;
};

/* Words stay argv's. False: it has been said on standard error what is wrong. */
bool switch_options_read(int argc, char **argv, struct switch_options *ret)
    um_nonnull(2, 3) um_check;

#endif
