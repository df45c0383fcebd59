/*
 * Inside of links: link.c (life), link_message.c and link_stream.c (how frames are read and sent).
 */
#ifndef NETD_LINK_PRIVATE_H
#define NETD_LINK_PRIVATE_H

#include "netd/link.h"

struct netd_link {
    struct netd_io *io;
    int fd;
    enum netd_link_kind kind;
    uint32_t port;
    struct um_watch *input;
    struct um_watch *room; /* of its own, so that a change of one costs one system call */
    netd_link_closed_fn closed;
    void *arg;
    netd_link_watch_fn fed; /* NULL: it reads itself */
    void *fed_arg;
    bool wants_room; /* the switch has frames waiting */
    bool ended;      /* no more input; closed() was called, or will be */
    const char *reason;
    struct netd_later tell, die;

    /* Streams: what came of a frame, and what is left to send of one. NULL when nothing is. */
    uint8_t *partial_in, *partial_out;
    uint32_t partial_in_len, partial_out_len;
};

/* Stop reading, and have the owner told, once. reason: a literal or NULL. */
void netd_link_end(struct netd_link *link, const char *reason);
/* Frames of io->rx.frames; whether to go on reading. */
bool netd_link_input(struct netd_link *link, int count);

void netd_message_read(struct netd_link *link);
int netd_message_send(void *arg, const struct netd_out *frames, int count);
void netd_tap_read(struct netd_link *link);
int netd_tap_send(void *arg, const struct netd_out *frames, int count);
void netd_stream_read(struct netd_link *link);
int netd_stream_send(void *arg, const struct netd_out *frames, int count);
/* What is left of the last frame: 1 nothing any more, 0 something, -errno: the link has ended. */
int netd_stream_send_rest(struct netd_link *link);

#endif
