/*
 * Commands whose harm depends on the guest: what to ask its kernel before one is sent, and what the
 * answer means. Pure; whoever sends commands (umld, uml_mconsole) does the asking.
 */
#ifndef MCONSOLE_GUARD_H
#define MCONSOLE_GUARD_H

#include "mconsole/verbs.h"

struct mconsole_question {
    enum mconsole_verb verb;
    char command[64];
    bool peek; /* the first part of the answer is enough: MCONSOLE_PEEK */
};

/*
 * command: built by mconsole_command_check(). True: *ret has to be asked, and its outcome judged,
 * before the command is sent (unless the user forces it).
 */
bool mconsole_guard_asks(enum mconsole_verb verb, const char *command,
                         struct mconsole_question *ret) um_nonnull(2, 3) um_check;

/*
 * Outcome of the question, as a lane gives it. UM_OK: the command may be sent. UM_E_INVALID: it
 * would do harm or cannot work, with the reason and the hint `--force`. Otherwise code itself, with
 * text as its message: the kernel could not be asked.
 */
enum um_code mconsole_guard_judge(enum mconsole_verb verb, const char *command, enum um_code code,
                                  int32_t status, const char *text, struct um_error *err)
    um_nonnull(2, 5) um_check;

/* What to do in the guest about an error of its kernel (`Device is currently open`), or NULL. */
const char *mconsole_advice(enum mconsole_verb verb, const char *command, int32_t status)
    um_nonnull(2);

#endif
