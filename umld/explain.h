/*
 * Why is a guest as it is? guest_explain.c gathers facts (events about it, policies, what is known
 * of it); explain_rules.c has the table state x condition -> sentence.
 */
#ifndef UMLD_EXPLAIN_H
#define UMLD_EXPLAIN_H

#include "umld/guest.h"
#include "vmcore/base/str.h"

/* An event that may be a cause; seq 0: there is none (any more). */
struct explain_fact {
    int64_t seq, time_ns;
    char what[80]; /* its first word: verb, state, boot number */
    char why[400]; /* its second: who asked, why, the cause */
};

enum explain_kind {
    FACT_ASKED,   /* guest.asked: verb, by */
    FACT_STARTED, /* the same, the last one whose verb is start */
    FACT_ENTERED, /* guest.state into the present state: from, why */
    FACT_PANIC,   /* guest.panic: text */
    FACT_HANG,    /* guest.hang: policy, text */
    FACT_HEALTH,  /* guest.health: health, text */
    FACT_WANT,    /* guest.want: what it wanted */
    FACT_DAEMON,  /* daemon.started */
    FACT_COUNT
};

enum { EXPLAIN_ENDS_MAX = 8, EXPLAIN_RUNGS_MAX = 8 };

struct explain {
    const struct guest *g;
    int64_t now_ns;
    struct explain_fact facts[FACT_COUNT];
    struct explain_fact ends[EXPLAIN_ENDS_MAX]; /* guest.ended, newest first: boot, cause */
    int end_count;
    struct explain_fact rungs[EXPLAIN_RUNGS_MAX]; /* guest.stop-step since it was asked for the
                                                     last time, newest first: rung, result */
    int rung_count;
    char line[192]; /* con0's last line; empty: none, or not the caller's to see */
};

enum { EXPLAIN_ADVICE_MAX = 2 };

/*
 * One row. Texts have fields in braces (explain_fields.c). causes: bits 1 << explain_kind, and
 * EXPLAIN_ENDS for the ends in a row, EXPLAIN_RUNGS for those of the stop ladder.
 */
#define EXPLAIN_ENDS  (1u << FACT_COUNT)
#define EXPLAIN_RUNGS (2u << FACT_COUNT)
struct explain_rule {
    enum guest_state state;
    bool (*holds)(const struct explain *e); /* NULL: always */
    const char *text;
    unsigned causes;
    const char *advice[EXPLAIN_ADVICE_MAX];
};

/* The first row that holds; there is one for every state. */
const struct explain_rule *explain_rule_find(const struct explain *e) um_nonnull(1);
/* For tests: NULL after the last. */
const struct explain_rule *explain_rule_at(size_t index);

/* ---- explain_fields.c ---- */
/* text with its fields filled in. Unknown fields stay as they are: a fault, which tests find. */
void explain_expand(const struct explain *e, const char *text, struct um_buf *out)
    um_nonnull(1, 2, 3);
/* `2026-01-31 12:00:00Z`. Returns buf. */
const char *explain_when(int64_t wall_ns, char *buf, size_t size) um_nonnull(2);
/* `user 1000`, or the words for what is no user. */
void explain_put_who(const char *by, struct um_buf *out) um_nonnull(1, 2);

#endif
