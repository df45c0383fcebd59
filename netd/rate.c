#include "netd/rate.h"

/* A port that waits goes on when there is something for so long: fewer, longer turns. */
#define TURN_NS INT64_C(1000000)

enum {
    BURST_SHARE = 20,    /* of a second, where no burst is given */
    BURST_LEAST = 16384, /* and at least so many bytes */
    HIGH_SHARE = 10,     /* of a second: what may wait for a port that has a rate */
    HIGH_LEAST = 32768
};

static struct netd_bucket bucket_of(const struct netd_rate *rate)
{
    uint64_t burst = rate->burst ? rate->burst : rate->bytes / BURST_SHARE;

    if (!rate->burst && burst < BURST_LEAST)
        burst = BURST_LEAST;
    if (burst > NETD_BUCKET_MAX)
        burst = NETD_BUCKET_MAX;
    return (struct netd_bucket){.rate = rate->bytes, .burst = burst};
}

/* Times that a queue is held for would be too short for a slow port with long queues. */
static void set_marks(const struct netd_switch *sw, struct netd_port *p)
{
    uint64_t high = p->config.out.bytes / HIGH_SHARE;

    p->queue_high = sw->config.queue_high;
    p->queue_low = sw->config.queue_low;
    if (!p->config.out.bytes || high >= p->queue_high)
        return;
    p->queue_high = high > HIGH_LEAST ? high : HIGH_LEAST;
    if (p->queue_high > sw->config.queue_high)
        p->queue_high = sw->config.queue_high;
    if (p->queue_low > p->queue_high / 4)
        p->queue_low = p->queue_high / 4;
}

void netd_rate_configure(struct netd_switch *sw, struct netd_port *p)
{
    p->in_bucket = bucket_of(&p->config.in);
    p->out_bucket = bucket_of(&p->config.out);
    set_marks(sw, p);
    /* Who waits for an older rate is looked at anew, by the new one. */
    if (p->in_waits)
        netd_switch_wake(sw, p, p->in_due_ns = sw->now_ns);
    if (p->out_waits)
        netd_switch_wake(sw, p, p->out_due_ns = sw->now_ns);
}

static uint32_t turn_of(const struct netd_bucket *b)
{
    uint64_t bytes = b->rate / (1000000000 / TURN_NS) + 1;

    return bytes < NETD_BUCKET_MAX ? (uint32_t)bytes : NETD_BUCKET_MAX;
}

void netd_rate_spend_in(struct netd_switch *sw, struct netd_port *p, uint32_t bytes)
{
    netd_bucket_spend(&p->in_bucket, bytes, sw->now_ns);
    if (p->in_waits || netd_bucket_when(&p->in_bucket, 1) <= sw->now_ns)
        return;
    p->in_waits = true;
    p->in_due_ns = netd_bucket_when(&p->in_bucket, turn_of(&p->in_bucket));
    netd_switch_wake(sw, p, p->in_due_ns);
    netd_switch_update_reading(p);
}

int netd_rate_permits(struct netd_switch *sw, struct netd_port *p, const struct netd_out *out,
                      int count)
{
    struct netd_bucket later = p->out_bucket;
    uint32_t turn = turn_of(&later);
    int i = 0;

    for (; i < count && netd_bucket_when(&later, out[i].len) <= sw->now_ns; i++)
        netd_bucket_spend(&later, out[i].len, sw->now_ns);
    if (i < count) {
        p->out_waits = true;
        p->out_due_ns = netd_bucket_when(&later, turn > out[i].len ? turn : out[i].len);
        netd_switch_wake(sw, p, p->out_due_ns);
    }
    return i;
}

int64_t netd_rate_tick(struct netd_switch *sw, struct netd_port *p)
{
    int64_t next = INT64_MAX;

    if (p->in_waits && sw->now_ns >= p->in_due_ns) {
        p->in_waits = false;
        netd_switch_update_reading(p);
    }
    if (p->out_waits && sw->now_ns >= p->out_due_ns) {
        p->out_waits = false;
        netd_push_drain(sw, p);
    }
    if (p->in_waits)
        next = p->in_due_ns;
    if (p->out_waits && p->out_due_ns < next)
        next = p->out_due_ns;
    return next;
}
