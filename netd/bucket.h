/*
 * Token bucket: so many units a second, and so many at once after a pause.
 */
#ifndef NETD_BUCKET_H
#define NETD_BUCKET_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct netd_bucket {
    uint32_t rate;   /* units a second; 0: no limit */
    uint32_t burst;  /* at least 1 where there is a rate */
    int64_t full_ns; /* when it will be, or was, full again */
};

/* Take units if they are there. now_ns only grows. */
bool netd_bucket_take(struct netd_bucket *b, uint32_t units, int64_t now_ns) um_nonnull(1) um_check;

#endif
