/*
 * What a guest may take of the host: names, units and ranges of `limit:NAME=VALUE`. How a limit is
 * held is umld/cgroup.h's affair.
 */
#ifndef VMCORE_GUEST_LIMITS_H
#define VMCORE_GUEST_LIMITS_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guest_limit {
    LIMIT_MEMORY, /* bytes: all the host's memory, page cache included; swap is not added */
    LIMIT_PIDS,   /* processes of the host: about one for each process in the guest */
    LIMIT_CPU,    /* percent of one CPU: 150% is one and a half */
    LIMIT_IO,     /* bytes per second, reading and writing each, of the disks its files are on */
    LIMIT_COUNT
};

/* 0: no limit. */
struct guest_limits {
    uint64_t value[LIMIT_COUNT];
};

const char *guest_limit_name(enum guest_limit which);
bool guest_limit_from_name(const char *name, enum guest_limit *ret) um_nonnull(1, 2) um_check;

/* `256M`, `100`, `50%`, or `none` for 0. False: not of that form, or out of range. */
bool guest_limit_parse(enum guest_limit which, const char *text, uint64_t *ret)
    um_nonnull(2, 3) um_check;
/* The form guest_limit_parse() reads. Returns buf. */
const char *guest_limit_format(enum guest_limit which, uint64_t value, char *buf, size_t size)
    um_nonnull(3);
/* What can be given, for messages: `a size from 24M to 1T, or none`. Returns buf. */
const char *guest_limit_allowed(enum guest_limit which, char *buf, size_t size) um_nonnull(2);

#endif
