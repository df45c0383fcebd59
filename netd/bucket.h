/*
 * Token bucket: so many units a second, and so many at once after a pause.
 */
#ifndef NETD_BUCKET_H
#define NETD_BUCKET_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* Of burst, and of units at once: so that all sums of nanoseconds fit. */
#define NETD_BUCKET_MAX UINT32_MAX

struct netd_bucket {
    uint64_t rate;   /* units a second; 0: no limit */
    uint64_t burst;  /* 1 to NETD_BUCKET_MAX where there is a rate */
    int64_t full_ns; /* when it will be, or was, full again */
};

/* Take units if they are there. now_ns only grows. */
bool netd_bucket_take(struct netd_bucket *b, uint32_t units, int64_t now_ns) um_nonnull(1) um_check;
/* Take them even if they are not there: the bucket is in debt then. */
void netd_bucket_spend(struct netd_bucket *b, uint32_t units, int64_t now_ns) um_nonnull(1);
/* When so many (or a full bucket, if that is less) will be there; not later than now: they are. */
int64_t netd_bucket_when(const struct netd_bucket *b, uint32_t units) um_nonnull(1) um_check;

#endif
