#include "netd/link_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <stdlib.h>

/* Rows by kind. */
static const struct {
    void (*read)(struct netd_link *link);
    int (*send)(void *link, const struct netd_out *frames, int count);
} kinds[] = {
    [NETD_LINK_SEQPACKET] = {netd_message_read, netd_message_send},
    [NETD_LINK_DATAGRAM] = {netd_message_read, netd_message_send},
    [NETD_LINK_STREAM2] = {netd_stream_read, netd_stream_send},
    [NETD_LINK_STREAM4] = {netd_stream_read, netd_stream_send},
    [NETD_LINK_TAP] = {netd_tap_read, netd_tap_send},
};

static int send_frames(void *arg, const struct netd_out *frames, int count)
{
    struct netd_link *link = arg;

    return kinds[link->kind].send(link, frames, count);
}

static void watch_input(void *arg, bool on)
{
    struct netd_link *link = arg;

    if (link->fed)
        link->fed(link->fed_arg, on);
    else
        um_watch_set(link->input, on && !link->ended ? UM_READ : 0);
}

static void watch_room(void *arg, bool on)
{
    struct netd_link *link = arg;

    link->wants_room = on;
    um_watch_set(link->room, !link->ended && (on || link->partial_out_len) ? UM_WRITE : 0);
}

static const struct netd_link_ops link_ops = {send_frames, watch_input, watch_room};

static void on_input(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct netd_link *link = arg;

    kinds[link->kind].read(link);
}

static void on_room(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct netd_link *link = arg;

    /* Whether the rest went or the link broke: what waits is sent, or refused and counted. */
    if (netd_stream_send_rest(link) == 0)
        return;
    if (link->wants_room)
        netd_switch_writable(link->io->sw, link->port, um_clock_mono_ns());
    else
        watch_room(link, false);
}

static void tell(void *arg)
{
    struct netd_link *link = arg;

    link->closed(link->arg, link->reason);
}

void netd_link_end(struct netd_link *link, const char *reason)
{
    if (link->ended)
        return;
    link->ended = true;
    link->reason = reason;
    um_watch_set(link->input, 0);
    netd_io_post(link->io, &link->tell);
}

bool netd_link_input(struct netd_link *link, int count)
{
    return netd_switch_input(link->io->sw, link->port, link->io->rx.frames, count,
                             um_clock_mono_ns());
}

struct netd_link *netd_link_new(struct netd_io *io, int fd, enum netd_link_kind kind,
                                const struct netd_port_config *config, netd_link_closed_fn closed,
                                void *arg)
{
    struct netd_link *link = calloc(1, sizeof(*link));

    if (!link) {
        um_fd_close(&fd);
        return NULL;
    }
    *link = (struct netd_link){.io = io,
                               .fd = fd,
                               .kind = kind,
                               .port = NETD_MAC_NOWHERE,
                               .closed = closed,
                               .arg = arg,
                               .tell = {.fn = tell, .arg = link},
                               .die = {.fn = free, .arg = link}};
    if (um_fd_set_nonblock(fd, true)) {
        link->input = um_watch_new(io->loop, fd, UM_READ, on_input, link);
        link->room = um_watch_new(io->loop, fd, 0, on_room, link);
    }
    if (link->input && link->room)
        link->port = netd_switch_add(io->sw, config, &link_ops, link);
    if (link->port == NETD_MAC_NOWHERE) {
        netd_link_free(link);
        return NULL;
    }
    return link;
}

void netd_link_free(struct netd_link *link)
{
    if (!link)
        return;
    netd_io_cancel(link->io, &link->tell);
    netd_switch_remove(link->io->sw, link->port);
    um_watch_free(link->input);
    um_watch_free(link->room);
    link->input = link->room = NULL;
    um_fd_close(&link->fd);
    free(link->partial_in);
    free(link->partial_out);
    link->partial_in = link->partial_out = NULL;
    link->ended = true;
    netd_io_post(link->io, &link->die);
}

void netd_link_fed(struct netd_link *link, netd_link_watch_fn watch, void *arg)
{
    link->fed = watch;
    link->fed_arg = arg;
    um_watch_set(link->input, 0);
}

uint32_t netd_link_port(const struct netd_link *link)
{
    return link->port;
}
