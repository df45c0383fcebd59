/*
 * What a guest says about itself (mconsole/signals.h): its status, its health, its metrics and its
 * wish to be rebooted or halted; and how much of that becomes events. docs/signals.md.
 *
 * umlmon keeps the last word of each kind and tells it to a new daemon. The health is stored as
 * well, so that a change is announced once, whoever was there when it came.
 */
#ifndef UMLD_GUEST_SIGNALS_H
#define UMLD_GUEST_SIGNALS_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest;
struct um_buf;
struct um_timer;

enum guest_health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_FAILING, HEALTH_COUNT };

struct guest_metric {
    char *name;
    double value;
};

struct guest_signals {
    enum guest_health health; /* stored */
    char *health_text;        /* stored; NULL: none */
    struct guest_metric *metrics;
    size_t metric_count; /* MCONSOLE_METRICS_MAX at most */
    uint64_t dropped;    /* texts of this life that made no event */
    unsigned bad;        /* lines of this boot that could not be understood */
    bool bad_told;
    bool status_news, health_news; /* to be announced */
    int64_t filled_ns;             /* when the bucket of events was last looked at, */
    unsigned left;                 /* and what was left in it */
    unsigned untold;               /* dropped since that was last said */
    struct um_timer *tell;         /* says it, and the news that had to wait; NULL: never needed */
    bool wants, wants_reboot;      /* a wish that waits for its time */
    int64_t next_wish_ns;          /* before that no other is followed */
    struct um_timer *wish;
};

/* One notification of type USER; kept: from umlmon's memory, lines that may have been seen. */
void guest_signals_take(struct guest *g, const char *data, size_t len, bool kept) um_nonnull(1, 2);
/* umlmon passed that many less on than the guest sent. */
void guest_signals_lost(struct guest *g, uint64_t count) um_nonnull(1);
/* A new boot of its kernel: what was said before is no longer true. */
void guest_signals_reset(struct guest *g) um_nonnull(1);
/* Free what it holds. */
void guest_signals_done(struct guest *g) um_nonnull(1);

/* `ok`, `failing`; NULL for unknown. */
const char *guest_health_name(enum guest_health h);
bool guest_health_from_name(const char *name, enum guest_health *ret) um_nonnull(1, 2) um_check;

/* What the running guest last said of itself: the goal `health=ok`, `health=failing`. */
bool guest_health_is(const struct guest *g, enum guest_health h) um_nonnull(1) um_check;

/* The stored column: `failing disk full`, or empty. Returns buf. */
const char *guest_health_text(const struct guest *g, char *buf, size_t size) um_nonnull(1, 2);
void guest_health_load(struct guest *g, const char *text) um_nonnull(1, 2);

/* Members of the guest's Runtime. */
void guest_signals_json(const struct guest *g, struct um_buf *b) um_nonnull(1, 2);
/* Dropped by umlmon and by umld in this life. */
uint64_t guest_signals_dropped(const struct guest *g) um_nonnull(1);

#endif
