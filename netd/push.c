/*
 * Queues and push-back. A frame leaves from where it was read, without a copy, as long as nothing
 * waits for the port; else it is copied once, whoever waits for it.
 *
 * A port is held by one other at a time, whose queue its last batch has filled: while held it is
 * not read, so it can fill no second one. Each sender overshoots by what it has read already.
 */
#include "netd/rate.h"

#include <string.h>

enum push_event { FILLED, DRAINED, LIMIT, PUSH_EVENTS };

enum push_action { NOTHING, START_HOLD, LET_GO, GIVE_UP, WAIT_MORE };

/* Absent rows: nothing happens. */
static const struct {
    enum netd_push_state next;
    enum push_action action;
} push_table[NETD_PUSH_STATES][PUSH_EVENTS] = {
    [NETD_PUSH_OPEN] = {[FILLED] = {NETD_PUSH_HOLDING, START_HOLD},
                        [DRAINED] = {NETD_PUSH_OPEN, NOTHING},
                        [LIMIT] = {NETD_PUSH_OPEN, NOTHING}},
    [NETD_PUSH_HOLDING] = {[FILLED] = {NETD_PUSH_HOLDING, NOTHING},
                           [DRAINED] = {NETD_PUSH_OPEN, LET_GO},
                           [LIMIT] = {NETD_PUSH_DROPPING, GIVE_UP}},
    /* The pause is served to its end, and it must have caught up then. */
    [NETD_PUSH_DROPPING] = {[FILLED] = {NETD_PUSH_DROPPING, NOTHING},
                            [DRAINED] = {NETD_PUSH_DROPPING, NOTHING},
                            [LIMIT] = {NETD_PUSH_OPEN, WAIT_MORE}},
};

static void let_go(struct netd_port *p)
{
    while (p->held) {
        struct netd_port *sender = p->held;

        p->held = sender->next_held;
        sender->held_by = NULL;
        netd_switch_update_reading(sender);
    }
}

static void limit_by(struct netd_switch *sw, struct netd_port *p, int64_t time_ns)
{
    p->push_due_ns = sw->now_ns + time_ns;
    netd_switch_wake(sw, p, p->push_due_ns);
}

static void push_event(struct netd_switch *sw, struct netd_port *p, enum push_event event)
{
    enum push_action action = push_table[p->push][event].action;

    if (action == WAIT_MORE && p->queue.cost > p->queue_low) {
        limit_by(sw, p, sw->config.hold_ns);
        return;
    }
    p->push = push_table[p->push][event].next;
    switch (action) {
    case START_HOLD:
        limit_by(sw, p, sw->config.hold_ns);
        break;
    case LET_GO:
        let_go(p);
        break;
    case GIVE_UP:
        limit_by(sw, p, sw->config.pause_ns);
        let_go(p);
        break;
    case NOTHING:
    case WAIT_MORE:
        break;
    }
}

static void hold(struct netd_port *sender, struct netd_port *p)
{
    if (sender->held_by)
        return;
    sender->held_by = p;
    sender->next_held = p->held;
    p->held = sender;
    sender->counters.held++;
    netd_switch_update_reading(sender);
}

static void fill_out(struct netd_slot *slot, enum netd_form form, struct netd_out *ret)
{
    uint8_t *data = slot->bytes.iov_base;
    size_t len = slot->bytes.iov_len;
    size_t rest = form == NETD_FORM_PUSH ? 12 : 12 + NETD_TAG_LEN;

    if (form == NETD_FORM_SAME) {
        *ret = (struct netd_out){.pieces = {slot->bytes}, .count = 1, .len = (uint32_t)len};
        return;
    }
    ret->count = 0;
    ret->pieces[ret->count++] = (struct iovec){data, 12};
    if (form != NETD_FORM_POP)
        ret->pieces[ret->count++] = (struct iovec){slot->tag, NETD_TAG_LEN};
    ret->pieces[ret->count++] = (struct iovec){data + rest, len - rest};
    ret->len = (uint32_t)(len - rest + 12 + (form != NETD_FORM_POP ? NETD_TAG_LEN : 0));
}

static void count_sent(const struct netd_switch *sw, struct netd_port *p,
                       const struct netd_out *out, int count)
{
    uint64_t before = p->counters.out_bytes;

    p->counters.out_frames += (uint64_t)count;
    for (int i = 0; i < count; i++)
        p->counters.out_bytes += out[i].len;
    if (p->out_bucket.rate)
        netd_bucket_spend(&p->out_bucket, (uint32_t)(p->counters.out_bytes - before), sw->now_ns);
}

/* NETD_PASS, or why one of that cost may not wait there. */
static int may_wait(const struct netd_switch *sw, const struct netd_port *p, size_t cost)
{
    if (p->push == NETD_PUSH_DROPPING && p->queue.cost + cost > p->queue_high)
        return NETD_DROP_SLOW;
    if (p->queue.cost + cost > sw->config.queue_max || sw->memory + cost > sw->config.memory_max)
        return NETD_DROP_QUEUE_FULL;
    return NETD_PASS;
}

static int enqueue(struct netd_switch *sw, struct netd_port *p, uint16_t noted)
{
    struct netd_slot *slot = &sw->batch[noted & 0xff];
    struct netd_buf **copy = &slot->copies[noted >> 8];
    struct netd_out out;
    int reason;

    fill_out(slot, (enum netd_form)(noted >> 8), &out);
    reason = may_wait(sw, p, out.len + NETD_BUF_COST);
    if (reason != NETD_PASS)
        return reason;
    if (!*copy)
        *copy = netd_buf_new(out.pieces, out.count);
    if (!*copy || !netd_queue_push(&p->queue, *copy))
        return NETD_DROP_QUEUE_FULL;
    sw->memory += netd_buf_cost(*copy);
    return NETD_PASS;
}

/* How many were dealt with. Fewer than count: the link is full, or the port's rate is used up. */
static int offer(struct netd_switch *sw, struct netd_port *p, const struct netd_out *out, int count)
{
    int done = 0, taken;

    if (p->out_bucket.rate)
        count = netd_rate_permits(sw, p, out, count);
    while (done < count) {
        taken = p->ops->send(p->link, out + done, count - done);
        if (taken >= 0) {
            count_sent(sw, p, out + done, taken);
            return done + taken;
        }
        p->counters.drops[NETD_DROP_SEND]++;
        done++;
    }
    return done;
}

/* Room is of interest while something waits for it, and for nothing else. */
static void watch_room(struct netd_port *p)
{
    bool on = p->queue.count && !p->out_waits;

    if (on == p->room_watched)
        return;
    p->room_watched = on;
    p->ops->watch_room(p->link, on);
}

static int offer_noted(struct netd_switch *sw, struct netd_port *p)
{
    for (int i = 0; i < p->out_count; i++)
        fill_out(&sw->batch[p->out[i] & 0xff], (enum netd_form)(p->out[i] >> 8), &sw->scratch[i]);
    return offer(sw, p, sw->scratch, p->out_count);
}

void netd_push_flush(struct netd_switch *sw, struct netd_port *to, struct netd_port *from)
{
    bool idle = to->queue.count == 0;
    int done = idle ? offer_noted(sw, to) : 0;

    for (int i = done; i < to->out_count; i++) {
        int reason = enqueue(sw, to, to->out[i]);

        if (reason != NETD_PASS)
            to->counters.drops[reason]++;
    }
    to->out_count = 0;
    if (to->queue.count)
        watch_room(to);
    if (to->queue.cost >= to->queue_high)
        push_event(sw, to, FILLED);
    if (to->push == NETD_PUSH_HOLDING && to->queue.count)
        hold(from, to);
}

static void pop(struct netd_switch *sw, struct netd_port *p, int count)
{
    size_t before = p->queue.cost;

    netd_queue_pop(&p->queue, (uint32_t)count);
    sw->memory -= before - p->queue.cost;
}

/* Offers the link a batch from the head of the queue. Whether it took all of it. */
static bool drain_batch(struct netd_switch *sw, struct netd_port *p)
{
    int count = p->queue.count < NETD_BATCH ? (int)p->queue.count : NETD_BATCH;
    int taken;

    for (int i = 0; i < count; i++) {
        struct netd_buf *b = netd_queue_at(&p->queue, (uint32_t)i);

        sw->scratch[i] =
            (struct netd_out){.pieces = {{b->data, b->len}}, .count = 1, .len = b->len};
    }
    taken = offer(sw, p, sw->scratch, count);
    pop(sw, p, taken);
    return taken == count;
}

void netd_push_drain(struct netd_switch *sw, struct netd_port *p)
{
    while (p->queue.count && !p->out_waits && drain_batch(sw, p))
        ;
    watch_room(p);
    if (p->queue.cost <= p->queue_low)
        push_event(sw, p, DRAINED);
}

int64_t netd_push_tick(struct netd_switch *sw, struct netd_port *p)
{
    if (p->push == NETD_PUSH_OPEN)
        return INT64_MAX;
    if (sw->now_ns >= p->push_due_ns)
        push_event(sw, p, LIMIT);
    return p->push == NETD_PUSH_OPEN ? INT64_MAX : p->push_due_ns;
}

static void forget_hold(struct netd_port *p)
{
    struct netd_port **link = &p->held_by->held;

    while (*link != p)
        link = &(*link)->next_held;
    *link = p->next_held;
    p->held_by = NULL;
}

void netd_push_close(struct netd_switch *sw, struct netd_port *p)
{
    let_go(p);
    if (p->held_by)
        forget_hold(p);
    pop(sw, p, (int)p->queue.count);
}
