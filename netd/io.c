#include "netd/io.h"

#include "netd/frame.h"
#include "vmcore/base/clock.h"

#include <string.h>
#include <sys/mman.h>

/* Not a power of two: frames of one batch must not share their place in the cache. */
enum { SLOT_SIZE = (NETD_FRAME_MAX / 64 + 1) * 64 };

static void tick(void *arg)
{
    struct netd_io *io = arg;

    io->tick_due_ns = INT64_MAX; /* the after-phase arms it again */
    netd_switch_tick(io->sw, um_clock_mono_ns());
}

void netd_io_post(struct netd_io *io, struct netd_later *later)
{
    if (later->posted)
        return;
    later->posted = true;
    later->next = io->later;
    io->later = later;
}

void netd_io_cancel(struct netd_io *io, struct netd_later *later)
{
    struct netd_later **at = &io->later;

    if (!later->posted)
        return;
    while (*at != later)
        at = &(*at)->next;
    *at = later->next;
    later->posted = false;
}

static void run_posted(struct netd_io *io)
{
    while (io->later) {
        struct netd_later *later = io->later;

        io->later = later->next;
        later->posted = false;
        later->fn(later->arg);
    }
}

static bool after(void *arg)
{
    struct netd_io *io = arg;

    run_posted(io);
    if (netd_switch_due(io->sw) < io->tick_due_ns) {
        io->tick_due_ns = netd_switch_due(io->sw);
        um_timer_arm(io->tick, io->tick_due_ns - um_clock_mono_ns());
    }
    return false;
}

bool netd_io_init(struct netd_io *io, struct um_loop *loop, struct netd_switch *sw)
{
    memset(io, 0, sizeof(*io));
    io->loop = loop;
    io->sw = sw;
    io->rx.area = mmap(NULL, (size_t)SLOT_SIZE * NETD_BATCH, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (io->rx.area == MAP_FAILED) {
        io->rx.area = NULL;
        return false;
    }
    for (int i = 0; i < NETD_BATCH; i++) {
        io->rx.pieces[i] = (struct iovec){io->rx.area + (size_t)i * SLOT_SIZE, NETD_FRAME_MAX};
        io->rx.messages[i].msg_hdr = (struct msghdr){.msg_iov = &io->rx.pieces[i], .msg_iovlen = 1};
    }
    io->tick = um_timer_new(loop, tick, io);
    if (!io->tick || !um_loop_add_after(loop, after, io)) {
        netd_io_done(io);
        return false;
    }
    io->tick_due_ns = INT64_MAX;
    return true;
}

void netd_io_done(struct netd_io *io)
{
    run_posted(io);
    um_timer_free(io->tick);
    io->tick = NULL;
    if (io->rx.area)
        munmap(io->rx.area, (size_t)SLOT_SIZE * NETD_BATCH);
    io->rx.area = NULL;
}
