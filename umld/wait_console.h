/*
 * Waiting for a line on a guest's con0. umlmon is asked for the output as any reader of the console
 * is (it hands on files of the log, rotation and all, and delivers the last words before it ends),
 * so umld keeps one line and reads what comes, a bounded piece each round of its loop.
 */
#ifndef UMLD_WAIT_CONSOLE_H
#define UMLD_WAIT_CONSOLE_H

#include "umld/guest.h"

struct um_pattern;
struct wait_console;

/*
 * pattern: taken over, in any case. from_now: what has been written in this boot is of
 * no interest. guest_look() is called when there is something to ask. NULL: no memory.
 */
struct wait_console *wait_console_new(struct guest *g, struct um_pattern *pattern, bool from_now)
    um_nonnull(1, 2) um_check;
void wait_console_free(struct wait_console *c);

/* The guest may have been started: attach, once in each of its lives. */
void wait_console_attach(struct wait_console *c) um_nonnull(1);
/* Read what has come. When the guest is at rest that is all there will be of its last life. */
void wait_console_read(struct wait_console *c) um_nonnull(1);

/* The line that matched, or NULL. */
const char *wait_console_line(const struct wait_console *c) um_nonnull(1);
/* Why umlmon refused, or NULL. */
const struct um_error *wait_console_refusal(const struct wait_console *c) um_nonnull(1);

#endif
