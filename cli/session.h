/*
 * Bytes between the user's standard streams and an upgraded connection. Ends on end of stream, on
 * the escape `~.`, on a signal or at a deadline.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "vmcore/base/macros.h"
#include "vmcore/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * `~.` at the start of a line detaches, `~~` there sends one `~`. Begin with ESCAPE_INIT.
 *
 * A terminal types, too: shells ask it where the cursor is after each prompt (busybox always does),
 * and its answer arrives as input. (ECMA-48: CSI parameters, then R, n or c for a report.) Such an
 * answer does not end the start of a line.
 */
struct session_escape {
    bool line_start;
    bool tilde; /* a tilde at line start is held back */
    enum { SESSION_NO_REPORT, SESSION_REPORT_ESC, SESSION_REPORT_CSI } report;
};
#define SESSION_ESCAPE_INIT                                                                        \
    (struct session_escape)                                                                        \
    {                                                                                              \
        .line_start = true                                                                         \
    }

/*
 * Filter typed bytes: out gets what is to be sent (room for len + 1 bytes). True: detach (bytes
 * after the escape are dropped).
 */
bool session_escape_feed(struct session_escape *e, const char *data, size_t len, char *out,
                         size_t *ret_len) um_nonnull(1, 2, 4, 5) um_check;

/*
 * For a terminal in raw mode: what a kernel prints before its own terminal is up ends its lines in
 * a bare line feed, which would leave the next one where this one ended. *bare (begin with true)
 * turns false with the first carriage return or escape sequence: from there on the guest's terminal
 * knows what it is doing. out has room for 2 * len; returns how much of it is to be shown.
 */
size_t session_lines_feed(bool *bare, const char *data, size_t len, char *out) um_nonnull(1, 2, 4);

enum session_end {
    SESSION_CLOSED,      /* the other side ended the stream */
    SESSION_DETACHED,    /* the user typed ~. */
    SESSION_INTERRUPTED, /* SIGINT, SIGTERM, SIGHUP or SIGQUIT */
    SESSION_TIMEOUT,
    SESSION_OUTPUT_GONE, /* nobody reads standard output any more */
    SESSION_FAILED       /* system error, errno is set */
};

struct session {
    int remote;         /* the upgraded connection, non-blocking; stays the caller's */
    bool forward_input; /* standard input goes to remote until its end */
    /*
     * Or it goes in pieces to this connection: a line with the length, so many bytes, then one byte
     * comes back when they have been passed on; length 0 is the end. 0: no such connection.
     */
    int pieces;
    bool escapes;                 /* standard input may detach */
    bool raw;                     /* standard output is a terminal in raw mode */
    int64_t deadline_ns;          /* um_clock_mono_ns() time, or INT64_MAX */
    void (*on_resize)(void *arg); /* the terminal changed its size; may be NULL */
    void *arg;
};

/* initial: bytes received with the reply to the upgrade. */
enum session_end session_run(const struct session *s, const struct um_buf *initial)
    um_nonnull(1, 2) um_check;

#endif
