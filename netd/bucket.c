#include "netd/bucket.h"

#define SECOND_NS INT64_C(1000000000)

bool netd_bucket_take(struct netd_bucket *b, uint32_t units, int64_t now_ns)
{
    int64_t full;

    if (!b->rate)
        return true;
    full = (b->full_ns > now_ns ? b->full_ns : now_ns) + (int64_t)units * SECOND_NS / b->rate;
    if (full - now_ns > (int64_t)b->burst * SECOND_NS / b->rate)
        return false;
    b->full_ns = full;
    return true;
}
