#include "netd/frame.h"
#include "netd/link_private.h"

#include <errno.h>
#include <unistd.h>

/* One batch, then others get their turn: a frame is a system call here. */
void netd_tap_read(struct netd_link *link)
{
    struct netd_rx *rx = &link->io->rx;
    ssize_t got = 0;
    int count = 0;

    while (count < NETD_BATCH &&
           (got = read(link->fd, rx->pieces[count].iov_base, NETD_FRAME_MAX)) > 0) {
        rx->frames[count] = (struct iovec){rx->pieces[count].iov_base, (size_t)got};
        count++;
    }
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        netd_link_end(link, "the tap device is gone");
    if (count)
        netd_link_input(link, count);
}

/* A device that is down takes nothing: such frames are counted as refused. */
int netd_tap_send(void *arg, const struct netd_out *frames, int count)
{
    struct netd_link *link = arg;

    for (int i = 0; i < count; i++) {
        if (writev(link->fd, frames[i].pieces, frames[i].count) >= 0)
            continue;
        if (errno == EINTR || errno == EAGAIN || i)
            return i;
        return -errno;
    }
    return count;
}
