/*
 * What a guest says about itself: the lines of one write to /proc/mconsole, which arrives as one
 * notification of type USER. Pure: bytes -> typed lines. umlmon keeps the last of each kind, umld
 * acts on them. The forms are described in docs/signals.md.
 *
 * uml(kernel): one write() is one notification; what is longer than 512 bytes is cut off there
 * without a word, so the last line of a full notification may be half a line.
 */
#ifndef MCONSOLE_SIGNALS_H
#define MCONSOLE_SIGNALS_H

#include "mconsole/wire.h"

#define MCONSOLE_METRIC_NAME_MAX 64 /* characters */
#define MCONSOLE_METRICS_MAX     64 /* of one guest: further names are refused */

enum mconsole_signal_kind {
    MCONSOLE_SIGNAL_TEXT, /* none of the forms: passed on as it is */
    MCONSOLE_SIGNAL_READY,
    MCONSOLE_SIGNAL_STATUS, /* value */
    MCONSOLE_SIGNAL_HEALTH, /* yes: ok; value: the text behind it, may be empty */
    MCONSOLE_SIGNAL_METRIC, /* name, number */
    MCONSOLE_SIGNAL_WANT,   /* yes: reboot, else halt */
    MCONSOLE_SIGNAL_BAD     /* one of the forms with something that cannot be used; problem */
};

struct mconsole_signal {
    enum mconsole_signal_kind kind;
    char line[MCONSOLE_DATA_MAX + 1]; /* the whole line: valid UTF-8, no control characters */
    const char *value;                /* inside line; never NULL */
    bool yes;
    char name[MCONSOLE_METRIC_NAME_MAX + 1];
    double number;       /* finite */
    const char *problem; /* static text; NULL unless BAD */
};

/* Where a walk through one notification is. */
struct mconsole_signals {
    const char *data;
    size_t left;
    bool cut; /* the notification was full */
};

#define MCONSOLE_SIGNALS(bytes, count)                                                             \
    (struct mconsole_signals)                                                                      \
    {                                                                                              \
        .data = (bytes), .left = (count), .cut = (count) >= MCONSOLE_DATA_MAX                      \
    }

/* The next line that is not empty. False: there is none. */
bool mconsole_signal_next(struct mconsole_signals *s, struct mconsole_signal *ret)
    um_nonnull(1, 2) um_check;

#endif
