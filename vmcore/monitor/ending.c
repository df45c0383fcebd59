/*
 * The end of a guest. It may begin in many ways (the kernel exits, a request, a signal, umlinit or
 * bwrap dies) and always takes the same road: kill, prove, drain, record, announce, deliver.
 *
 * A stranger has no such tree: its own end is all there is to be seen, stranger.c.
 *
 * The proof: umlmon is a subreaper, so every process of the tree is its descendant, and one that
 * loses its parent becomes its child. When waitpid(2) says there are no children, nothing is left.
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/monitor/tree.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { RECORD_TRIES = 25 };

#define ASKED_LIMIT_NS   (3 * UM_SEC_NS)  /* umlinit's time to end everything itself */
#define ORPHAN_LIMIT_NS  (500 * UM_MS_NS) /* once umlinit is gone, the rest follows at once */
#define RETRY_NS         (200 * UM_MS_NS)
#define DELIVER_LIMIT_NS (2 * UM_SEC_NS)

static void last_resort(void *arg)
{
    struct monitor *m = arg;

    /* Main is stopped first and killed last: see kill_descendants() in init.c. */
    if (m->link.main_pidfd >= 0)
        um_pidfd_signal(m->link.main_pidfd, SIGSTOP);
    mon_tree_kill(getpid(), m->link.main_pidfd >= 0 ? m->state.main_pid : 0);
    if (m->link.main_pidfd >= 0)
        um_pidfd_signal(m->link.main_pidfd, SIGKILL);
    mon_timer_arm(&m->loop, &m->deadline, RETRY_NS, last_resort, m);
    mon_end_check(m);
}

static void stop_delivering(void *arg)
{
    struct monitor *m = arg;

    mon_client_finish(m, true);
    m->loop.stop = true;
}

void mon_end_client(struct monitor *m)
{
    if (m->phase == MON_PHASE_DELIVERING && !m->clients)
        m->loop.stop = true;
}

/* Clients get what they have not read yet. */
static void deliver(struct monitor *m)
{
    if (mon_client_finish(m, false))
        m->loop.stop = true;
    else
        mon_timer_arm(&m->loop, &m->deadline, DELIVER_LIMIT_NS, stop_delivering, m);
}

/*
 * A record that cannot be written (a full disk) is tried again for a while, since it may be all
 * that a daemon which is down at present will ever learn.
 */
static void record(void *arg)
{
    struct monitor *m = arg;

    if (!mon_record_write(m) && ++m->record_tries < RECORD_TRIES) {
        mon_timer_arm(&m->loop, &m->deadline, RETRY_NS, record, m);
        return;
    }
    /* Paths go before the announcement: who hears it may start the next umlmon on the same ones. */
    mon_notify_close(m);
    mon_nics_close(m);
    mon_control_unlink(m);
    mon_control_state(m);
    um_log(UM_LOG_INFO, "guest %s: ended, wait status %d", m->config.guest, m->state.wait_status);
    deliver(m);
}

/* What is still in sockets and ptys is all there will ever be. */
void mon_end_proven(struct monitor *m)
{
    mon_timer_disarm(&m->deadline);
    mon_notify_drain(m);
    for (size_t i = 0; i < m->console_count; i++)
        mon_console_drain(&m->consoles[i], true);
    if (!m->link.exited) /* umlinit was killed, and so was everything below it */
        mon_saw_exit(m, m->state.flags & MON_F_STARTED ? SIGKILL : m->child_status);
    if (!(m->state.flags & (MON_F_STARTED | MON_F_EXEC_FAILED)))
        mon_saw_exec_failure(m, EIO, m->lines.last);
    m->state.flags |= MON_F_EXITED;
    m->state.flags &= ~(uint32_t)(MON_F_READY | MON_F_KERNEL_UP);
    m->phase = MON_PHASE_DELIVERING;
    record(m);
}

void mon_end_check(struct monitor *m)
{
    bool gone;

    if (m->phase == MON_PHASE_DELIVERING || m->config.stranger_pid)
        return;
    gone = mon_reap(m);
    if (m->phase == MON_PHASE_RUNNING && m->child == 0)
        mon_end_begin(m);
    if (m->phase != MON_PHASE_ENDING || !gone)
        return;
    /* The last words were sent before their sender died. */
    mon_initlink_drain(m);
    mon_end_proven(m);
}

void mon_end_begin(struct monitor *m)
{
    bool orphaned = m->link.ended || m->child == 0 || m->link.exited;
    int64_t limit = ORPHAN_LIMIT_NS;

    if (m->phase == MON_PHASE_DELIVERING)
        return;
    if (m->config.stranger_pid) {
        mon_stranger_kill(m);
        return;
    }
    if (m->phase == MON_PHASE_RUNNING) {
        m->phase = MON_PHASE_ENDING;
        mon_timer_arm(&m->loop, &m->deadline, ASKED_LIMIT_NS, last_resort, m);
        if (!orphaned)
            mon_initlink_kill(m);
    }
    /* Without umlinit, and main running or its stubs: nobody else would end them. */
    if (m->link.ended && !m->link.exited && m->state.main_pid > 0)
        limit = 0;
    if (orphaned && m->deadline.due_ns > um_clock_mono_ns() + limit)
        mon_timer_arm(&m->loop, &m->deadline, limit, last_resort, m);
}

void mon_end_unstarted(struct monitor *m, int errnum, const char *why)
{
    m->phase = MON_PHASE_ENDING;
    m->link.exited = true; /* there is no wait status */
    mon_saw_exec_failure(m, errnum, why);
    mon_end_proven(m);
}
