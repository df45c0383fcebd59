#include "netd/frame.h"
#include "netd/link_private.h"

#include <errno.h>

/* Batches before others get their turn. */
enum { READ_ROUNDS = 4 };

/* What recvmmsg() says of a peer that is gone, as far as it is about this kind. */
static void read_failed(struct netd_link *link, int errnum)
{
    if (errnum == EAGAIN || errnum == EINTR || link->kind == NETD_LINK_DATAGRAM)
        return;
    netd_link_end(link, NULL);
}

/* The end of a SEQPACKET connection is read as any number of empty messages. */
static int count_frames(struct netd_link *link, int count)
{
    struct netd_rx *rx = &link->io->rx;

    for (int i = 0; i < count; i++) {
        rx->frames[i] = (struct iovec){rx->pieces[i].iov_base, rx->messages[i].msg_len};
        if (link->kind == NETD_LINK_SEQPACKET && rx->messages[i].msg_len == 0)
            return i;
    }
    return count;
}

void netd_message_read(struct netd_link *link)
{
    struct netd_rx *rx = &link->io->rx;

    for (int round = 0; round < READ_ROUNDS; round++) {
        /* MSG_TRUNC: the real length of what is longer than the place for it. */
        int count = recvmmsg(link->fd, rx->messages, NETD_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
        int frames;

        if (count < 0) {
            read_failed(link, errno);
            return;
        }
        frames = count_frames(link, count);
        if (frames && !netd_link_input(link, frames) && frames == count)
            return;
        if (frames < count)
            netd_link_end(link, NULL);
        if (count < NETD_BATCH || frames < count)
            return;
    }
}

int netd_message_send(void *arg, const struct netd_out *frames, int count)
{
    struct netd_link *link = arg;
    struct mmsghdr *tx = link->io->tx;
    int sent;

    for (int i = 0; i < count; i++) {
        tx[i].msg_hdr = (struct msghdr){.msg_iov = (struct iovec *)frames[i].pieces,
                                        .msg_iovlen = (size_t)frames[i].count};
    }
    do
        sent = sendmmsg(link->fd, tx, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? 0 : -errno;
}
