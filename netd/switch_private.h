/*
 * Inside of the switch, shared by switch.c (ports), forward.c (where a frame goes) and push.c
 * (queues and push-back).
 */
#ifndef NETD_SWITCH_PRIVATE_H
#define NETD_SWITCH_PRIVATE_H

#include "netd/frame.h"
#include "netd/queue.h"
#include "netd/switch.h"

enum netd_push_state {
    NETD_PUSH_OPEN,     /* the queue is below its high mark */
    NETD_PUSH_HOLDING,  /* it was above, and is not below the low one: senders are held */
    NETD_PUSH_DROPPING, /* that took too long: what goes above the high mark is dropped */
    NETD_PUSH_STATES
};

/* How the tag changes on the way. The values index the copies of a frame. */
enum netd_form { NETD_FORM_SAME, NETD_FORM_POP, NETD_FORM_PUSH, NETD_FORM_RETAG, NETD_FORMS };

struct netd_port {
    uint32_t id;
    uint32_t number;
    struct netd_port *twin; /* ring of the ports of this number; alone: itself */
    struct netd_port_config config;
    const struct netd_link_ops *ops;
    void *link;
    struct netd_counters counters;
    struct netd_bucket storm;
    struct netd_bucket in_bucket, out_bucket; /* rate.c */

    /* Frames of the batch being read that leave here: slot of the batch, form. */
    uint16_t out[NETD_BATCH];
    int out_count;

    struct netd_queue queue;
    size_t queue_high, queue_low; /* the switch's, or less where the port has a rate */
    enum netd_push_state push;
    int64_t push_due_ns;       /* end of the time limit of HOLDING or DROPPING */
    struct netd_port *held_by; /* whose queue is why this one is not read */
    struct netd_port *held;    /* first of those held for this one's sake */
    struct netd_port *next_held;
    bool reading;      /* what the link was told last */
    bool room_watched; /* the same of room */
    bool in_waits; /* left unread, or its queue left alone, for the sake of a rate, until then */
    bool out_waits;
    int64_t in_due_ns, out_due_ns;

    struct netd_port *next_timed; /* of those that netd_switch_tick() has to look at */
    bool timed;
};

/* A frame of the batch being read. */
struct netd_slot {
    struct iovec bytes;
    uint8_t tag[NETD_TAG_LEN];           /* to put in for PUSH and RETAG */
    struct netd_buf *copies[NETD_FORMS]; /* made when it has to wait */
};

struct netd_switch {
    struct netd_switch_config config;
    struct netd_mac_table *macs;
    struct netd_port *ports[NETD_PORT_SLOTS];
    uint32_t last_id[NETD_PORT_SLOTS]; /* of the last port in that slot, or 0 */
    uint32_t slots_used;               /* slots from here on were never used */
    uint32_t port_count;
    struct netd_port *numbers[NETD_PORT_SLOTS + 1]; /* any of that number; 0 is nobody's */
    netd_event_fn event_fn;
    void *event_arg;
    size_t memory; /* cost of all queues */
    int64_t now_ns;
    int64_t age_due_ns;
    int64_t due_ns; /* not later than anything that netd_switch_tick() has to do */
    struct netd_port *timed;

    struct netd_slot batch[NETD_BATCH];
    struct netd_port *dirty[NETD_PORT_SLOTS]; /* ports with out_count */
    uint32_t dirty_count;
    struct netd_out scratch[NETD_BATCH];
};

struct netd_port *netd_switch_port(const struct netd_switch *sw, uint32_t id);

/* Tell of something, if anybody wants to know. */
void netd_switch_tell(const struct netd_switch *sw, const struct netd_event *event);
/* Have netd_switch_tick() look at the port at that time, or before. */
void netd_switch_wake(struct netd_switch *sw, struct netd_port *p, int64_t at_ns);
/* Whether the port is read may have changed. */
void netd_switch_update_reading(struct netd_port *p);

/* forward.c: decide where slot i of the batch goes and note it there, or count its drop. */
void netd_forward(struct netd_switch *sw, struct netd_port *from, int i);

/* push.c: send or queue what was noted for a port; from is who sent it. */
void netd_push_flush(struct netd_switch *sw, struct netd_port *to, struct netd_port *from);
/* Send from the queue. */
void netd_push_drain(struct netd_switch *sw, struct netd_port *p);
/* End of a time limit, if it has come; when the next one comes, or INT64_MAX. */
int64_t netd_push_tick(struct netd_switch *sw, struct netd_port *p);
/* The port is going: let go of whom it holds, drop what waits. */
void netd_push_close(struct netd_switch *sw, struct netd_port *p);

#endif
