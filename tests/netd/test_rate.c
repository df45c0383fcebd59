/* Rates of ports, and ports changed while they run, over links that take everything. */
#include "tests/netd/fake_link.h"
#include "tests/vmcore/base/suite.h"

#include "netd/bucket.h"
#include "netd/frame.h"

#define SECOND INT64_C(1000000000)

enum { LEN = 1000, BATCH_BYTES = NETD_BATCH * LEN };

static struct netd_switch *sw;
static struct fake_link *a, *b;
static struct netd_port_config limited;

static void start(void)
{
    limited = netd_port_config_default;
    sw = netd_switch_new(&netd_switch_config_default);
    ck_assert_ptr_nonnull(sw);
    a = fake_link_new(sw, &netd_port_config_default);
    b = fake_link_new(sw, &netd_port_config_default);
    fake_link_input(a, 255, 1, -1, 60, 0);
    fake_link_input(b, 255, 2, -1, 60, 0);
    netd_switch_tick(sw, 0);
    a->count = b->count = 0;
}

static void stop(void)
{
    fake_link_free(a);
    fake_link_free(b);
    netd_switch_free(sw);
}

static uint64_t out_bytes(const struct fake_link *f)
{
    return netd_switch_counters(sw, f->port)->out_bytes;
}

static uint64_t all_drops(const struct fake_link *f)
{
    uint64_t sum = 0;

    for (int i = 0; i < NETD_DROP_COUNT; i++)
        sum += fake_link_drops(f, (enum netd_drop)i);
    return sum;
}

/* a sends as much as it may until then; the switch gets its ticks when it asks for them. */
static int send_until(int64_t *now, int64_t end)
{
    int in = 0;

    while (*now < end) {
        if (a->reading)
            in += fake_link_flood(a, 2, 1, NETD_BATCH, LEN, *now);
        if (!a->reading) {
            ck_assert_int_gt(netd_switch_due(sw), *now);
            *now = netd_switch_due(sw);
        } else {
            *now += 1000;
        }
        netd_switch_tick(sw, *now);
    }
    return in;
}

START_TEST(a_bucket_in_debt_says_when_it_is_out_of_it)
{
    struct netd_bucket bucket = {.rate = 1000, .burst = 500};

    ck_assert_int_le(netd_bucket_when(&bucket, 500), 0);
    netd_bucket_spend(&bucket, 1500, 0);
    ck_assert_int_eq(netd_bucket_when(&bucket, 0), SECOND);
    ck_assert_int_eq(netd_bucket_when(&bucket, 100), SECOND + SECOND / 10);
    /* More than there can ever be: a full one will do. */
    ck_assert_int_eq(netd_bucket_when(&bucket, 100000), SECOND * 3 / 2);
    ck_assert(!netd_bucket_take(&bucket, 1, SECOND));
    ck_assert(netd_bucket_take(&bucket, 100, SECOND + SECOND / 10));
}
END_TEST

START_TEST(the_largest_rates_and_bursts_do_not_overflow)
{
    struct netd_bucket slow = {.rate = 1, .burst = NETD_BUCKET_MAX};
    struct netd_bucket fast = {.rate = UINT64_MAX, .burst = NETD_BUCKET_MAX};

    netd_bucket_spend(&slow, NETD_BUCKET_MAX, SECOND);
    ck_assert_int_eq(netd_bucket_when(&slow, 0), SECOND);
    netd_bucket_spend(&fast, NETD_BUCKET_MAX, SECOND);
    ck_assert_int_le(netd_bucket_when(&fast, NETD_BUCKET_MAX), SECOND + 1);
}
END_TEST

START_TEST(a_port_above_its_rate_is_left_unread_and_loses_nothing)
{
    int64_t now = 0;
    int in;

    limited.in = (struct netd_rate){.bytes = 1000000, .burst = 50000};
    ck_assert(netd_switch_configure(sw, a->port, &limited));
    in = send_until(&now, 10 * SECOND);
    /* 10 MB and the burst, a batch more or less. */
    ck_assert_int_ge(in * LEN, 10 * 1000000);
    ck_assert_int_le(in * LEN, 10 * 1000000 + 50000 + 2 * BATCH_BYTES);
    ck_assert_uint_eq(out_bytes(b), (uint64_t)in * LEN + 60);
    ck_assert_uint_eq(all_drops(a) + all_drops(b), 0);
    /* The other direction has none. */
    ck_assert_int_eq(fake_link_flood(b, 1, 2, 5000, LEN, now), 5000);
}
END_TEST

START_TEST(a_queue_drains_at_the_rate_of_its_port_and_holds_the_sender)
{
    int64_t now = 0;
    int in;

    limited.out = (struct netd_rate){.bytes = 1000000, .burst = 50000};
    ck_assert(netd_switch_configure(sw, b->port, &limited));
    in = send_until(&now, 10 * SECOND);
    ck_assert_uint_ge(out_bytes(b), 10 * 1000000 - LEN);
    ck_assert_uint_le(out_bytes(b), 10 * 1000000 + 50000 + 60);
    ck_assert_uint_gt(netd_switch_counters(sw, a->port)->held, 0);
    ck_assert_uint_eq(all_drops(a) + all_drops(b), 0);
    ck_assert_int_le(in * LEN, 10 * 1000000 + 50000 + 200000 + BATCH_BYTES);
    /* Room is not watched for what waits for its time. */
    ck_assert(!b->waiting);
}
END_TEST

START_TEST(what_waits_for_a_rate_never_goes_before_its_time)
{
    int64_t due;

    limited.out = (struct netd_rate){.bytes = 1000, .burst = LEN};
    ck_assert(netd_switch_configure(sw, b->port, &limited));
    fake_link_flood(a, 2, 1, 3, LEN, 0);
    ck_assert_int_eq(b->count, 1);
    due = netd_switch_due(sw);
    ck_assert_int_le(due, SECOND);
    netd_switch_tick(sw, SECOND - 1);
    ck_assert_int_eq(b->count, 1);
    netd_switch_tick(sw, SECOND);
    ck_assert_int_eq(b->count, 2);
    netd_switch_tick(sw, 2 * SECOND);
    ck_assert_int_eq(b->count, 3);
    ck_assert_uint_eq(netd_switch_waiting(sw, b->port), 0);
}
END_TEST

START_TEST(a_changed_port_keeps_its_queue_its_counters_and_its_number)
{
    uint32_t number = netd_switch_number(sw, b->port);
    uint64_t sent;

    limited.out = (struct netd_rate){.bytes = 1000, .burst = LEN};
    limited.number = 77;
    ck_assert(netd_switch_configure(sw, b->port, &limited));
    ck_assert_uint_eq(netd_switch_number(sw, b->port), number);
    fake_link_flood(a, 2, 1, 20, LEN, 0);
    ck_assert_int_eq(b->count, 1);
    sent = out_bytes(b);
    ck_assert(netd_switch_configure(sw, b->port, &netd_port_config_default));
    ck_assert_uint_eq(out_bytes(b), sent);
    ck_assert_uint_gt(netd_switch_waiting(sw, b->port), 0);
    /* The rate is gone, and with it the waiting. */
    netd_switch_tick(sw, netd_switch_due(sw));
    ck_assert_int_eq(b->count, 20);
    ck_assert(!netd_switch_configure(sw, NETD_MAC_NOWHERE, &limited));
}
END_TEST

START_TEST(a_port_that_is_not_read_is_read_again_when_its_rate_goes)
{
    limited.in = (struct netd_rate){.bytes = 1, .burst = 1};
    ck_assert(netd_switch_configure(sw, a->port, &limited));
    fake_link_flood(a, 2, 1, 1, LEN, 0);
    ck_assert(!a->reading);
    ck_assert(netd_switch_configure(sw, a->port, &netd_port_config_default));
    netd_switch_tick(sw, netd_switch_due(sw));
    ck_assert(a->reading);
}
END_TEST

START_TEST(ports_without_a_storm_limit_have_that_of_the_network)
{
    limited.storm_rate = 7;
    ck_assert(netd_switch_configure(sw, b->port, &limited));
    netd_switch_set_storm_rate(sw, 3);
    fake_link_flood(a, 255, 1, 10, 60, SECOND);
    fake_link_flood(b, 255, 2, 10, 60, SECOND);
    ck_assert_uint_eq(fake_link_drops(a, NETD_DROP_STORM), 7);
    ck_assert_uint_eq(fake_link_drops(b, NETD_DROP_STORM), 3);
    netd_switch_set_storm_rate(sw, 0);
    fake_link_flood(a, 255, 1, 10, 60, SECOND);
    ck_assert_uint_eq(fake_link_drops(a, NETD_DROP_STORM), 7);
}
END_TEST

START_TEST(the_largest_frame_passes_whole_also_when_it_waits_for_a_rate)
{
    uint32_t largest = NETD_FRAME_MAX - NETD_TAG_LEN;

    limited.out = (struct netd_rate){.bytes = 65536, .burst = 1};
    ck_assert(netd_switch_configure(sw, b->port, &limited));
    for (int i = 0; i < 3; i++)
        fake_link_input(a, 2, 1, 5, largest, 0);
    fake_link_input(a, 2, 1, 5, largest + 1, 0);
    for (int64_t now = SECOND; now < 10 * SECOND; now += SECOND)
        netd_switch_tick(sw, now);
    ck_assert_int_eq(b->count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(b->frames[i].len, NETD_FRAME_MAX);
    ck_assert_uint_eq(fake_link_drops(a, NETD_DROP_GIANT), 1);
}
END_TEST

static const struct suite_test tests[] = {
    {&a_bucket_in_debt_says_when_it_is_out_of_it, 0},
    {&the_largest_rates_and_bursts_do_not_overflow, 0},
    {&a_port_above_its_rate_is_left_unread_and_loses_nothing, 0},
    {&a_queue_drains_at_the_rate_of_its_port_and_holds_the_sender, 0},
    {&what_waits_for_a_rate_never_goes_before_its_time, 0},
    {&a_changed_port_keeps_its_queue_its_counters_and_its_number, 0},
    {&a_port_that_is_not_read_is_read_again_when_its_rate_goes, 0},
    {&ports_without_a_storm_limit_have_that_of_the_network, 0},
    {&the_largest_frame_passes_whole_also_when_it_waits_for_a_rate, 0},
};
SUITE_MAIN_WITH("rate", tests, start, stop)
