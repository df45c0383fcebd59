/*
 * What Guest.Wait can wait for: a table of { name, parse, begin, judge } in wait_condition.c. A
 * condition belongs to one waiter (guest_wait.c) and is asked after each change of its guest.
 */
#ifndef UMLD_WAIT_CONDITION_H
#define UMLD_WAIT_CONDITION_H

#include "umld/guest.h"

struct um_pattern;
struct wait_console;
struct wait_kind;

enum wait_outcome {
    WAIT_PENDING,
    WAIT_MET,
    WAIT_MISSED /* it cannot come any more; the error says why */
};

struct wait_condition {
    const struct wait_kind *kind;
    char *text;    /* as it was asked for */
    unsigned ends; /* lives of the guest that had ended when the wait began */
    enum guest_state state;
    enum guest_health health;
    int64_t seq;                /* event>=: from this number on */
    char *type;                 /* event=: the type */
    struct um_pattern *pattern; /* status:, and console: until it begins */
    struct wait_console *console;
    int64_t met_seq; /* the event that met it; 0: none */
    char *met_text;  /* its type, or the line; NULL: nothing to tell */
};

/* *ret is empty on failure. Errors: UM_E_INVALID with the list of what there is. */
enum um_code wait_condition_parse(const char *text, struct wait_condition *ret,
                                  struct um_error *err) um_nonnull(1, 2, 3) um_check;
void wait_condition_done(struct wait_condition *c);
/* The role a caller needs to learn of this. */
enum api_role wait_condition_role(const struct wait_condition *c) um_nonnull(1);

/* From now on it watches g. */
enum um_code wait_condition_begin(struct wait_condition *c, struct guest *g, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
/* A new event about g. */
void wait_condition_event(struct wait_condition *c, int64_t seq, const char *type) um_nonnull(1, 3);
enum wait_outcome wait_condition_judge(struct wait_condition *c, const struct guest *g,
                                       struct um_error *err) um_nonnull(1, 2, 3) um_check;

/* For docs, hints and tests: `event>=SEQ` and so on; NULL after the last. */
const char *wait_condition_form(size_t index);

#endif
