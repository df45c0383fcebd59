/*
 * Message framing on stream sockets: Varlink's NUL-terminated JSON, or LF-terminated in line mode.
 * Pure: bytes in, frames out. (Varlink: "a message is a JSON object terminated by a NUL byte".)
 */
#ifndef VMCORE_BASE_FRAME_H
#define VMCORE_BASE_FRAME_H

#include "vmcore/base/str.h"

enum um_frame_mode {
    UM_FRAME_UNDECIDED, /* nothing complete seen yet: a NUL, or an LF after a whole value, decides
                         */
    UM_FRAME_NUL,
    UM_FRAME_LINE
};

enum um_frame_result {
    UM_FRAME_NONE,    /* incomplete */
    UM_FRAME_READY,   /* *ret_text and *ret_len: one frame without its terminator */
    UM_FRAME_TOO_LONG /* more than max bytes without a terminator: the stream is beyond repair */
};

struct um_frame_in {
    struct um_buf buf;
    size_t start;   /* first byte not yet handed out */
    size_t scanned; /* bytes from start known to hold no terminator */
    size_t max;     /* longest frame accepted, bytes */
    enum um_frame_mode mode;
    /* Undecided: where the scan stands in the JSON text. LF within brackets is only white space. */
    int depth;
    bool quoted, escaped, begun;
};

void um_frame_init(struct um_frame_in *f, size_t max) um_nonnull(1);
void um_frame_done(struct um_frame_in *f);

/* Add received bytes. False: no memory. */
bool um_frame_feed(struct um_frame_in *f, const void *data, size_t len) um_nonnull(1, 2) um_check;

/* Next frame; *ret_text is NUL terminated and valid until the next call on f. */
enum um_frame_result um_frame_next(struct um_frame_in *f, const char **ret_text, size_t *ret_len)
    um_nonnull(1, 2, 3);

/* Bytes received but not handed out (they belong to the raw stream after an upgrade). */
size_t um_frame_rest(const struct um_frame_in *f, const char **ret_data) um_nonnull(1, 2);

/* Terminator byte for output in this mode. */
char um_frame_terminator(enum um_frame_mode mode);

#endif
