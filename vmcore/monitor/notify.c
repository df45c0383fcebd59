/*
 * The guest's notify socket. uml(kernel): the sender blocks when it is full, and with it the whole
 * guest; so it is read whatever comes, and only what goes on to umld is limited.
 *
 * Only main speaks for the guest. One thing comes from elsewhere: HANG, which the watchdog helper
 * sends (netd/compat), a child of main. Whoever else is inside the sandbox could send it as well,
 * so nobody's HANG is worth more than what the guest may ask for itself: to be restarted.
 */
#include "vmcore/monitor/monitor.h"

#include "mconsole/wire.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NOTIFY_BUFFER = 1024 * 1024,
    NOTIFY_PER_ROUND = 64, /* a flood must not starve the consoles */
    USER_RATE = 100,
    USER_BURST = 200,
    URGENT_RATE = 50, /* no kernel boots or panics that often: beyond it is a forgery */
    URGENT_BURST = 100,
    HANG_RATE = 1, /* the helper needs a minute for one */
    HANG_BURST = 5
};

bool mon_bucket_take(struct mon_bucket *b, int64_t now_ns)
{
    int64_t full = b->burst * 1000;
    int64_t passed_ms = (now_ns - b->filled_ns) / UM_MS_NS;

    if (b->filled_ns == 0 || passed_ms > full / b->per_second) {
        b->tokens = full;
        b->filled_ns = now_ns;
    } else {
        b->tokens += passed_ms * b->per_second;
        b->filled_ns += passed_ms * UM_MS_NS;
    }
    if (b->tokens > full)
        b->tokens = full;
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

bool mon_notify_read(struct mon_kept *kept, const char *data, size_t len)
{
    struct mconsole_signals lines = MCONSOLE_SIGNALS(data, len);
    struct mconsole_signal s;
    bool ready = false;

    while (mconsole_signal_next(&lines, &s)) {
        ready = ready || s.kind == MCONSOLE_SIGNAL_READY;
        mon_kept_take(kept, &s);
    }
    return ready;
}

static void report_dropped(void *arg)
{
    struct monitor *m = arg;

    mon_control_state(m);
    if (m->notify.user_dropped)
        mon_control_kept(m);
    m->notify.user_dropped = false;
}

static void count_dropped(struct monitor *m)
{
    m->state.notify_dropped++;
    if (!mon_timer_armed(&m->notify.report))
        mon_timer_arm(&m->loop, &m->notify.report, UM_SEC_NS, report_dropped, m);
}

static void handle(struct monitor *m, const struct mconsole_notify *n)
{
    struct mon_bucket *const buckets[] = {
        [MCONSOLE_NOTIFY_SOCKET] = &m->notify.urgent,
        [MCONSOLE_NOTIFY_PANIC] = &m->notify.urgent,
        [MCONSOLE_NOTIFY_HANG] = &m->notify.hang,
        [MCONSOLE_NOTIFY_USER] = &m->notify.user,
    };
    bool forward = mon_bucket_take(buckets[n->type], um_clock_mono_ns());

    /* What it says is kept even if it says too much for it to be passed on. */
    if (n->type == MCONSOLE_NOTIFY_USER && mon_notify_read(&m->notify.kept, n->data, n->len))
        mon_saw_ready(m, MON_READY_NOTIFY);
    if (!forward) {
        m->notify.user_dropped = m->notify.user_dropped || n->type == MCONSOLE_NOTIFY_USER;
        count_dropped(m);
        return;
    }
    if (n->type == MCONSOLE_NOTIFY_SOCKET)
        mon_saw_kernel_up(m);
    if (n->type == MCONSOLE_NOTIFY_PANIC)
        mon_saw_panic(m, n->data, n->len);
    mon_control_notify(m, n->type, n->data, n->len);
}

/* False: nothing was there. */
static bool receive_one(struct monitor *m)
{
    char data[sizeof(struct mconsole_notify)];
    struct mconsole_notify n;
    pid_t sender = 0;
    ssize_t size = um_fd_receive(m->notify.fd, data, sizeof(data), NULL, &sender);

    if (size < 0 && errno != EMSGSIZE)
        return false;
    /* A process that escaped into the sandbox may send too: only main speaks for the guest. */
    if (size < 0 || sender == 0 || !mconsole_decode_notify(data, (size_t)size, &n) ||
        (sender != m->state.main_pid && n.type != MCONSOLE_NOTIFY_HANG))
        count_dropped(m);
    else
        handle(m, &n);
    return true;
}

static void on_notify(uint32_t events, void *arg)
{
    struct monitor *m = arg;

    /* Main's pid comes over another socket; it was sent earlier, so it is there to be read. */
    if (m->state.main_pid == 0)
        mon_initlink_drain(m);
    mon_notify_poll(m);
}

void mon_notify_poll(struct monitor *m)
{
    for (int i = 0; i < NOTIFY_PER_ROUND && m->notify.fd >= 0; i++)
        if (!receive_one(m))
            break;
}

enum um_code mon_notify_open(struct monitor *m, struct um_error *err)
{
    int on = 1, size = NOTIFY_BUFFER;
    /* A guest with a uid of its own is nobody to us; its directory keeps all others away. */
    mode_t mode = m->config.uid ? 0666 : 0600;
    enum um_code code = um_unix_listen(m->config.notify, SOCK_DGRAM, mode, &m->notify.fd, err);

    if (code)
        return code;
    m->notify.user = (struct mon_bucket){.per_second = USER_RATE, .burst = USER_BURST};
    m->notify.urgent = (struct mon_bucket){.per_second = URGENT_RATE, .burst = URGENT_BURST};
    m->notify.hang = (struct mon_bucket){.per_second = HANG_RATE, .burst = HANG_BURST};
    if (setsockopt(m->notify.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        setsockopt(m->notify.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
        !mon_watch_start(&m->loop, &m->notify.watch, m->notify.fd, EPOLLIN, on_notify, m))
        return um_fail_errno(err, errno, m->config.notify, "cannot prepare the notify socket");
    return UM_OK;
}

void mon_notify_drain(struct monitor *m)
{
    while (m->notify.fd >= 0 && receive_one(m))
        ;
}

void mon_notify_close(struct monitor *m)
{
    mon_kept_clear(&m->notify.kept);
    if (m->notify.fd < 0)
        return;
    mon_timer_disarm(&m->notify.report);
    mon_watch_stop(&m->loop, &m->notify.watch);
    um_fd_close(&m->notify.fd);
    unlink(m->config.notify);
}
