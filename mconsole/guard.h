/*
 * Commands whose harm depends on the guest: what to ask its kernel before one is sent, and what the
 * answer means. Pure; whoever sends commands (umld, uml_mconsole) does the asking.
 */
#ifndef MCONSOLE_GUARD_H
#define MCONSOLE_GUARD_H

#include "mconsole/verbs.h"

/* A command on its way through the guard. Asked one question at a time. */
struct mconsole_guard {
    enum mconsole_verb verb; /* of the command */
    const char *command;     /* built by mconsole_command_check(); the caller's */
    unsigned step;
    /* The question. */
    enum mconsole_verb ask_verb;
    char ask[64];
    bool peek; /* the first part of the answer is enough: MCONSOLE_PEEK */
};

enum mconsole_verdict {
    MCONSOLE_SEND,  /* nothing speaks against it */
    MCONSOLE_ASK,   /* send g->ask, and give its outcome to mconsole_guard_next() */
    MCONSOLE_REFUSE /* err says why */
};

/* Never MCONSOLE_REFUSE: what can be refused unseen is refused by mconsole_command_check(). */
enum mconsole_verdict mconsole_guard_begin(struct mconsole_guard *g, enum mconsole_verb verb,
                                           const char *command) um_nonnull(1, 3) um_check;

/*
 * Outcome of the question, as a lane gives it. Refused with UM_E_INVALID: the command would do harm
 * or cannot work; the reason, and the hint `--force`. With code itself, text being the message: the
 * kernel could not be asked.
 */
enum mconsole_verdict mconsole_guard_next(struct mconsole_guard *g, enum um_code code,
                                          int32_t status, const char *text, struct um_error *err)
    um_nonnull(1, 4) um_check;

/* What to do in the guest about an error of its kernel (`Device is currently open`), or NULL. */
const char *mconsole_advice(enum mconsole_verb verb, const char *command, int32_t status)
    um_nonnull(2);

#endif
