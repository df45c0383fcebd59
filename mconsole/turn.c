#include "mconsole/turn.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>

enum { TICK_MS = 50 };

static void on_tick(um_unused int signo)
{
}

/* flock(2) knows no time limit: a timer's signal interrupts it. It ticks on, so that one that comes
 * just before the call does no harm. */
static int lock_within(int fd, int timeout_ms)
{
    struct sigaction tick = {.sa_handler = on_tick}, before;
    struct itimerval timer = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}}, off = {{0, 0}, {0, 0}};
    int64_t deadline_ns = um_clock_mono_ns() + timeout_ms * UM_MS_NS;
    int errnum;

    sigaction(SIGALRM, &tick, &before);
    setitimer(ITIMER_REAL, &timer, NULL);
    do
        errnum = flock(fd, LOCK_EX) < 0 ? errno : 0;
    while (errnum == EINTR && um_clock_mono_ns() < deadline_ns);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &before, NULL);
    return errnum;
}

enum um_code mconsole_turn_take(const char *socket, int timeout_ms, int *ret_fd,
                                struct um_error *err)
{
    const char *slash = strrchr(socket, '/');
    char dir[PATH_MAX];
    um_autofd fd = -1;

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash + 1 - socket) : 1, slash ? socket : ".");
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return UM_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && lock_within(fd, timeout_ms))
        return um_fail(err, UM_E_BUSY, dir, NULL,
                       "another mconsole client is at work on this kernel");
    *ret_fd = fd;
    fd = -1;
    return UM_OK;
}
