/* Queues and push-back, over links that take as much as they are told to. */
#include "netd/queue.h"
#include "tests/netd/fake_link.h"
#include "tests/vmcore/base/suite.h"

#include <errno.h>
#include <string.h>

static struct netd_switch_config config;
static struct netd_switch *sw;
static struct fake_link *a, *b, *slow;

enum { COST = 60 + NETD_BUF_COST };

static void start(void)
{
    config = netd_switch_config_default;
    config.queue_high = 100 * COST;
    config.queue_low = 20 * COST;
    config.queue_max = 1000 * COST;
    config.hold_ns = 100;
    config.pause_ns = 1000;
}

/* Three ports that know each other: addresses 1, 2 and 3. */
static void make(void)
{
    sw = netd_switch_new(&config);
    ck_assert_ptr_nonnull(sw);
    a = fake_link_new(sw, &netd_port_config_default);
    b = fake_link_new(sw, &netd_port_config_default);
    slow = fake_link_new(sw, &netd_port_config_default);
    fake_link_input(a, 255, 1, -1, 60, 0);
    fake_link_input(b, 255, 2, -1, 60, 0);
    fake_link_input(slow, 255, 3, -1, 60, 0);
    a->count = b->count = slow->count = 0;
}

static void stop(void)
{
    fake_link_free(a);
    fake_link_free(b);
    fake_link_free(slow);
    netd_switch_free(sw);
}

/* a fills the slow port's queue until it is held. */
static int fill(int64_t now)
{
    slow->room = 0;
    return fake_link_flood(a, 3, 1, 100000, 60, now);
}

START_TEST(what_a_link_does_not_take_waits_in_order)
{
    make();
    slow->room = 3;
    for (int i = 0; i < 10; i++)
        fake_link_input(a, 3, 1, i, 60, 0);
    ck_assert_int_eq(slow->count, 3);
    ck_assert(slow->waiting);
    fake_link_drain(slow, 4, 0);
    ck_assert_int_eq(slow->count, 7);
    ck_assert(slow->waiting);
    fake_link_drain(slow, -1, 0);
    ck_assert_int_eq(slow->count, 10);
    ck_assert(!slow->waiting);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(slow->frames[i].bytes[15], i);
    ck_assert_uint_eq(netd_switch_waiting(sw, slow->port), 0);
    ck_assert_uint_eq(netd_switch_counters(sw, slow->port)->out_frames, 3 + 10 - 1);
}
END_TEST

START_TEST(a_full_queue_holds_its_sender_and_loses_nothing)
{
    int in, got = 0;

    make();
    in = fill(0);
    ck_assert(!a->reading);
    ck_assert_int_ge(in, 100);
    ck_assert_int_lt(in, 100 + 2 * NETD_BATCH);
    /* Those who send elsewhere go on. */
    ck_assert(fake_link_input(b, 1, 2, -1, 60, 0));
    ck_assert_int_eq(a->count, 1);
    while (!a->reading) {
        fake_link_drain(slow, 1, 0);
        got++;
        ck_assert_int_le(got, in);
    }
    ck_assert_int_eq(in - got, 20);
    fake_link_drain(slow, -1, 0);
    ck_assert_int_eq(slow->count, in);
    ck_assert_uint_eq(netd_switch_counters(sw, a->port)->held, 1);
    for (int i = 0; i < NETD_DROP_COUNT; i++)
        ck_assert_uint_eq(fake_link_drops(slow, (enum netd_drop)i), 0);
}
END_TEST

START_TEST(each_further_sender_overshoots_by_one_batch_at_most)
{
    size_t before;

    make();
    fill(0);
    before = netd_switch_waiting(sw, slow->port);
    ck_assert_int_eq(fake_link_flood(b, 3, 2, 10000, 60, 0), NETD_BATCH);
    ck_assert(!b->reading);
    ck_assert_uint_eq(netd_switch_waiting(sw, slow->port), before + NETD_BATCH * COST);
    fake_link_drain(slow, -1, 0);
    ck_assert(a->reading && b->reading);
}
END_TEST

START_TEST(a_stalled_port_lets_its_senders_go_when_its_time_is_over)
{
    int64_t due;

    make();
    netd_switch_tick(sw, 0);
    ck_assert_int_gt(netd_switch_due(sw), config.hold_ns);
    fill(0);
    due = netd_switch_due(sw); /* from the moment that it holds, not only after a tick */
    ck_assert_int_eq(due, config.hold_ns);
    netd_switch_tick(sw, due - 1);
    ck_assert(!a->reading);
    netd_switch_tick(sw, due);
    ck_assert(a->reading);
    /* From now on it drops, counted, and holds nobody. */
    ck_assert_int_eq(fake_link_flood(a, 3, 1, 500, 60, due), 500);
    ck_assert(a->reading);
    ck_assert_uint_eq(fake_link_drops(slow, NETD_DROP_SLOW), 500);
    ck_assert(fake_link_input(a, 2, 1, -1, 60, due));
    ck_assert_int_eq(b->count, 1);
}
END_TEST

START_TEST(a_stalled_port_may_hold_again_when_it_has_caught_up_and_paused)
{
    int64_t pause = config.hold_ns + config.pause_ns;

    make();
    fill(0);
    netd_switch_tick(sw, config.hold_ns);
    ck_assert_int_eq(netd_switch_due(sw), pause);
    netd_switch_tick(sw, pause); /* it has not caught up */
    ck_assert_int_eq(netd_switch_due(sw), pause + config.hold_ns);
    fill(pause);
    ck_assert(a->reading);
    fake_link_drain(slow, -1, pause);
    netd_switch_tick(sw, pause + config.hold_ns);
    fill(pause + config.hold_ns);
    ck_assert(!a->reading);
}
END_TEST

START_TEST(the_hard_limits_of_a_port_and_of_the_network_are_kept)
{
    config.queue_max = 120 * COST;
    config.memory_max = 200 * COST;
    make();
    ck_assert_int_gt(fill(0), 120);
    ck_assert_uint_eq(netd_switch_waiting(sw, slow->port), 120 * COST);
    ck_assert_uint_gt(fake_link_drops(slow, NETD_DROP_QUEUE_FULL), 0);
    b->room = 0;
    fake_link_flood(slow, 2, 3, 10000, 60, 0);
    ck_assert_uint_eq(netd_switch_waiting(sw, b->port), 80 * COST);
    ck_assert_uint_gt(fake_link_drops(b, NETD_DROP_QUEUE_FULL), 0);
    /* Memory that came back can be used again. */
    fake_link_drain(slow, -1, 0);
    fake_link_drain(b, -1, 0);
    b->room = 0;
    b->count = 0;
    fake_link_flood(a, 2, 1, 64, 60, 0);
    ck_assert_uint_eq(netd_switch_waiting(sw, b->port), 64 * COST);
}
END_TEST

START_TEST(a_removed_port_frees_those_it_held_and_a_removed_sender_is_forgotten)
{
    make();
    fill(0);
    fake_link_flood(b, 3, 2, 10000, 60, 0);
    ck_assert(!a->reading && !b->reading);
    fake_link_free(a);
    a = NULL;
    fake_link_free(slow);
    slow = NULL;
    ck_assert(b->reading);
    ck_assert(fake_link_input(b, 3, 2, -1, 60, 0));
}
END_TEST

START_TEST(a_broken_link_counts_what_it_refuses_and_holds_nobody)
{
    make();
    slow->error = ECONNREFUSED;
    ck_assert_int_eq(fake_link_flood(a, 3, 1, 200, 60, 0), 200);
    ck_assert_uint_eq(fake_link_drops(slow, NETD_DROP_SEND), 200);
    ck_assert(a->reading && !slow->waiting);
    slow->error = 0;
    slow->room = 0;
    fake_link_flood(a, 3, 1, 64, 60, 0);
    slow->error = EPIPE;
    fake_link_drain(slow, 0, 0);
    ck_assert_uint_eq(fake_link_drops(slow, NETD_DROP_SEND), 264);
    ck_assert_uint_eq(netd_switch_waiting(sw, slow->port), 0);
}
END_TEST

START_TEST(every_frame_leaves_or_is_counted)
{
    uint64_t in, out = 0, dropped = 0, waiting;

    config.queue_max = 130 * COST;
    make();
    slow->room = 0;
    for (int64_t now = 0; now < 4000; now += 50) {
        fake_link_flood(a, 3, 1, 90, 60, now);
        fake_link_flood(b, 3, 2, 10, 60, now);
        fake_link_drain(slow, 7, now);
        slow->room = 0;
        netd_switch_tick(sw, now);
    }
    in =
        netd_switch_counters(sw, a->port)->in_frames + netd_switch_counters(sw, b->port)->in_frames;
    out = netd_switch_counters(sw, slow->port)->out_frames;
    for (int i = 0; i < NETD_DROP_COUNT; i++)
        dropped += fake_link_drops(slow, (enum netd_drop)i);
    waiting = netd_switch_waiting(sw, slow->port) / COST;
    ck_assert_uint_gt(dropped, 0);
    /* The broadcasts that made them known: a's and b's went to slow before it was slow. */
    ck_assert_uint_eq(in, out + dropped + waiting);
}
END_TEST

static const struct suite_test tests[] = {
    {&what_a_link_does_not_take_waits_in_order, 0},
    {&a_full_queue_holds_its_sender_and_loses_nothing, 0},
    {&each_further_sender_overshoots_by_one_batch_at_most, 0},
    {&a_stalled_port_lets_its_senders_go_when_its_time_is_over, 0},
    {&a_stalled_port_may_hold_again_when_it_has_caught_up_and_paused, 0},
    {&the_hard_limits_of_a_port_and_of_the_network_are_kept, 0},
    {&a_removed_port_frees_those_it_held_and_a_removed_sender_is_forgotten, 0},
    {&a_broken_link_counts_what_it_refuses_and_holds_nobody, 0},
    {&every_frame_leaves_or_is_counted, 0},
};
SUITE_MAIN_WITH("push", tests, start, stop)
