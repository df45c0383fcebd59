#include "netd/bucket.h"

#define SECOND_NS UINT64_C(1000000000)

static int64_t time_of(const struct netd_bucket *b, uint64_t units)
{
    return (int64_t)(units * SECOND_NS / b->rate);
}

bool netd_bucket_take(struct netd_bucket *b, uint32_t units, int64_t now_ns)
{
    int64_t full;

    if (!b->rate)
        return true;
    full = (b->full_ns > now_ns ? b->full_ns : now_ns) + time_of(b, units);
    if (full - now_ns > time_of(b, b->burst))
        return false;
    b->full_ns = full;
    return true;
}

void netd_bucket_spend(struct netd_bucket *b, uint32_t units, int64_t now_ns)
{
    if (b->rate)
        b->full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + time_of(b, units);
}

int64_t netd_bucket_when(const struct netd_bucket *b, uint32_t units)
{
    if (!b->rate)
        return INT64_MIN;
    return b->full_ns - time_of(b, b->burst) + time_of(b, units < b->burst ? units : b->burst);
}
