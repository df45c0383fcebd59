/*
 * The connection to one guest's umlmon: messages become facts and events; requests carry serial
 * numbers. The monitor's end is seen by pidfd (or, for one found after a restart, the same way):
 * only then is the guest's end proven, because umlmon ends last.
 */
#include "mconsole/wire.h"
#include "umld/events.h"
#include "umld/guest_live.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SWEEP_MS = 20 };

struct pending {
    uint32_t serial;
    monitor_done_fn done;
    void *arg;
    struct pending *next;
};

struct monitor_link {
    struct umld *umld;
    struct guest *guest;
    int fd, pidfd;
    struct um_watch *watch, *pid_watch;
    struct um_timer *sweep; /* the monitor died: is everything below it gone? */
    bool foreign;           /* speaks another version of the protocol */
    uint32_t serial;
    struct pending *pending;
    bool have_state;        /* what follows is of the last message */
    uint32_t flags;         /* MON_F_* */
    uint64_t boot, dropped; /* notifications that it did not pass on */
    struct mon_state *end;  /* its last word: the kernel is gone; NULL: not told */
    char *consoles;
    size_t consoles_len;
};

static struct monitor_link *link_of(struct guest *g)
{
    struct monitor_link *l = g->link;

    if (l)
        return l;
    l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    *l = (struct monitor_link){.umld = g->umld, .guest = g, .fd = -1, .pidfd = -1};
    g->link = l;
    return l;
}

static void drop_connection(struct monitor_link *l)
{
    um_watch_free(l->watch);
    l->watch = NULL;
    um_fd_close(&l->fd);
    while (l->pending) {
        struct pending *p = l->pending;

        l->pending = p->next;
        if (p->done)
            p->done(l->umld, ECONNRESET, "", p->arg);
        free(p);
    }
}

void monitor_close(struct guest *g)
{
    struct monitor_link *l = g->link;

    if (!l)
        return;
    drop_connection(l);
    um_watch_free(l->pid_watch);
    um_timer_free(l->sweep);
    um_fd_close(&l->pidfd);
    free(l->consoles);
    free(l->end);
    free(l);
    g->link = NULL;
}

bool monitor_connected(const struct guest *g)
{
    return g->link && g->link->fd >= 0;
}

uint64_t monitor_dropped(const struct guest *g)
{
    return g->link ? g->link->dropped : 0;
}

const struct mon_state *monitor_told_end(const struct guest *g)
{
    return g->link ? g->link->end : NULL;
}

const char *monitor_consoles(const struct guest *g, size_t *ret_len)
{
    if (g->stranger) {
        *ret_len = g->stranger->ports.len;
        return g->stranger->ports.data ? g->stranger->ports.data : "";
    }
    *ret_len = g->link ? g->link->consoles_len : 0;
    return g->link ? g->link->consoles : NULL;
}

static void keep_state(struct monitor_link *l, const struct mon_state *s)
{
    l->flags = s->flags;
    l->boot = s->boot;
    l->dropped = s->notify_dropped;
    l->have_state = true;
    if (!(s->flags & MON_F_EXITED))
        return;
    if (!l->end)
        l->end = malloc(sizeof(*l->end));
    if (!l->end)
        return;
    *l->end = *s;
    l->end->panic[sizeof(l->end->panic) - 1] = '\0';
}

/* The first news of an end; the life is over (guest.ended) when nothing is left of it. */
static void announce_exit(struct guest *g, const struct mon_state *s)
{
    bool exited = WIFEXITED(s->wait_status);
    const char *how = exited ? "status" : "signal";
    char boot[24], number[16];

    if (!g->id || !(s->flags & MON_F_STARTED))
        return;
    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    snprintf(number, sizeof(number), "%d",
             exited ? WEXITSTATUS(s->wait_status) : WTERMSIG(s->wait_status));
    events_emit(g->umld, "guest.exited", g->def.name, "boot", boot,
                s->flags & MON_F_NO_STATUS ? NULL : how, number, NULL);
}

/* Facts that came with a STATE message, compared with the one before. */
static void take_state(struct monitor_link *l, const struct mon_state *s)
{
    struct guest *g = l->guest;
    uint32_t fresh = s->flags & ~l->flags;
    bool rebooted = l->have_state && s->boot > l->boot, told_before = l->have_state;

    if (told_before && s->notify_dropped > l->dropped)
        guest_signals_lost(g, s->notify_dropped - l->dropped);
    keep_state(l, s);
    g->main_pid = s->flags & MON_F_STARTED ? s->main_pid : 0;
    g->main_start = s->main_start;
    g->start_ns = s->start_wall_ns ? s->start_wall_ns : g->start_ns;
    g->up_ns = s->up_wall_ns;
    g->ready_ns = s->ready_wall_ns;
    if (g->state == GUEST_ADOPTING && !told_before) {
        guest_adopted_state(g, s);
        return;
    }
    if (s->boot > g->boot) {
        g->boot = s->boot;
        guest_touch(g);
    }
    if (fresh & MON_F_MAIN_GONE)
        announce_exit(g, s);
    if (fresh & MON_F_PANIC && !(s->flags & MON_F_EXITED))
        guest_post(g, GUEST_M_PANIC);
    if (rebooted) {
        g->ready = false;
        guest_signals_reset(g);
        guest_live_renewed(g);
    }
    if (s->flags & MON_F_KERNEL_UP && (fresh & MON_F_KERNEL_UP || rebooted))
        guest_post(g, GUEST_M_UP);
    if (s->flags & MON_F_READY && (fresh & MON_F_READY || rebooted))
        guest_post(g, GUEST_M_READY);
}

/* For one that is no guest of anybody's. */
static void take_internal_text(struct guest *g, const char *data, size_t len)
{
    char text[MON_MESSAGE_MAX];

    memcpy(text, data, len);
    text[len] = '\0';
    um_str_make_plain(text, len);
    if (g->on_notify)
        g->on_notify(g, text, g->internal_arg);
}

/* A guest's bytes go into JSON and terminals. */
static void take_panic(struct guest *g, const char *data, size_t len)
{
    char text[MON_MESSAGE_MAX];

    memcpy(text, data, len);
    text[len] = '\0';
    um_str_make_utf8(text, len);
    events_emit(g->umld, "guest.panic", g->def.name, "text", text, NULL);
}

static void take_notify(struct monitor_link *l, const char *payload, size_t len)
{
    struct guest *g = l->guest;
    const char *data = payload + sizeof(struct mon_notify);
    struct mon_notify n;

    if (len < sizeof(n))
        return;
    memcpy(&n, payload, sizeof(n));
    len -= sizeof(n);
    if (n.length != len)
        return;
    if (!g->id) {
        if (n.kind == MCONSOLE_NOTIFY_USER)
            take_internal_text(g, data, len);
    } else if (n.kind == MCONSOLE_NOTIFY_USER || n.kind == MON_NOTIFY_KEPT) {
        guest_signals_take(g, data, len, n.kind == MON_NOTIFY_KEPT);
    } else if (n.kind == MCONSOLE_NOTIFY_PANIC) {
        take_panic(g, data, len);
    } else if (n.kind == MCONSOLE_NOTIFY_HANG) {
        guest_watch_reported(g);
    }
}

static void take_reply(struct monitor_link *l, uint32_t serial, const char *payload, size_t len)
{
    struct pending **link = &l->pending;
    struct mon_reply r;
    char text[512] = "";

    if (len < sizeof(r))
        return;
    memcpy(&r, payload, sizeof(r));
    snprintf(text, sizeof(text), "%.*s", (int)(len - sizeof(r)), payload + sizeof(r));
    while (*link && (*link)->serial != serial)
        link = &(*link)->next;
    if (*link) {
        struct pending *p = *link;

        *link = p->next;
        if (p->done)
            p->done(l->umld, r.errnum, text, p->arg);
        free(p);
    }
}

static void take_consoles(struct monitor_link *l, const char *payload, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        return;
    memcpy(copy, payload, len);
    copy[len] = '\0';
    free(l->consoles);
    l->consoles = copy;
    l->consoles_len = len;
}

/*
 * After an upgrade or a downgrade. The guest is none the worse for it: it goes on, and its monitor
 * writes its record when it ends; only nothing can be asked of it.
 */
static void refuse_monitor(struct monitor_link *l, unsigned version)
{
    struct guest *g = l->guest;
    char cause[160];

    if (l->foreign)
        return;
    l->foreign = true;
    um_timer_disarm(g->limit);
    snprintf(cause, sizeof(cause),
             "its monitor speaks protocol version %u, this umld version %u: it runs on unmanaged "
             "until it ends or is killed",
             version, (unsigned)MON_VERSION);
    guest_set_cause(g, cause);
    um_log(UM_LOG_ERROR, "guest %s: %s", g->def.name, cause);
}

static void take_message(struct monitor_link *l, const char *data, size_t len)
{
    struct mon_header h;
    const char *payload = data + sizeof(h);

    if (len < sizeof(h))
        return;
    memcpy(&h, data, sizeof(h));
    if (h.magic != MON_MAGIC || h.version != MON_VERSION || h.length != len - sizeof(h)) {
        refuse_monitor(l, h.version);
        return;
    }
    switch (h.type) {
    case MON_STATE:
        if (h.length == sizeof(struct mon_state)) {
            struct mon_state s;

            memcpy(&s, payload, sizeof(s));
            take_state(l, &s);
        }
        break;
    case MON_NOTIFY:
        take_notify(l, payload, h.length);
        break;
    case MON_REPLY:
        take_reply(l, h.serial, payload, h.length);
        break;
    case MON_CONSOLES:
        take_consoles(l, payload, h.length);
        break;
    default:
        break;
    }
}

static void on_message(int fd, um_unused unsigned ready, void *arg)
{
    struct monitor_link *l = arg;
    char data[MON_MESSAGE_MAX];

    for (int budget = 64; budget > 0; budget--) {
        ssize_t n = um_fd_receive(fd, data, sizeof(data), NULL, NULL);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EMSGSIZE))
            return;
        if (n <= 0) {
            drop_connection(l);
            guest_post(l->guest, GUEST_N_LOST);
            return;
        }
        take_message(l, data, (size_t)n);
        /* A handler may have closed the link (internal guests). */
        if (l->fd < 0)
            return;
    }
}

enum um_code monitor_connect(struct guest *g, struct um_error *err)
{
    struct monitor_link *l = link_of(g);
    char path[GUEST_PATH_SIZE];
    enum um_code code;

    if (!l)
        return um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    drop_connection(l);
    code = um_unix_connect(guest_path(g, GUEST_PATH_SOCKET, path), SOCK_SEQPACKET, &l->fd, err);
    if (code)
        return code;
    l->watch = um_watch_new(g->umld->loop, l->fd, UM_READ, on_message, l);
    return l->watch ? UM_OK : um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
}

static void sweep(void *arg)
{
    struct monitor_link *l = arg;
    struct guest *g = l->guest;
    char dir[GUEST_PATH_SIZE];

    if (guest_dir_kill(g->umld, guest_path(g, GUEST_PATH_DIR, dir)) == 0)
        guest_post(g, GUEST_P_EXITED);
    else
        um_timer_arm(l->sweep, SWEEP_MS * UM_MS_NS);
}

void monitor_lost(struct guest *g)
{
    struct monitor_link *l;

    if (guest_stranger_outlives_monitor(g))
        return;
    l = link_of(g);
    g->end.kind = POLICY_END_LOST;
    g->exit_ns = um_clock_wall_ns();
    g->wait_status = -1;
    um_log(UM_LOG_WARNING, "guest %s: its monitor died without an exit record", g->def.name);
    if (l && !l->sweep)
        l->sweep = um_timer_new(g->umld->loop, sweep, l);
    if (l && l->sweep)
        sweep(l);
    else
        guest_post(g, GUEST_P_EXITED);
}

/* Once for each life: by its pidfd, or when a pidfd cannot be had because it is gone. */
static void monitor_ended(struct guest *g)
{
    if (guest_take_exit_record(g) || guest_take_told_end(g))
        guest_post(g, GUEST_P_EXITED);
    else
        monitor_lost(g);
}

static void on_monitor_gone(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct monitor_link *l = arg;
    struct guest *g = l->guest;

    um_watch_set(l->pid_watch, 0);
    waitpid(g->monitor_pid, NULL, WNOHANG);
    /* What it sent before it ended (a panic's text, the last notification) is read first. */
    if (l->fd >= 0)
        on_message(l->fd, UM_READ, l);
    monitor_ended(g);
}

void monitor_watch(struct guest *g, pid_t pid, int pidfd)
{
    struct monitor_link *l = link_of(g);

    g->monitor_pid = pid;
    g->monitor_start = um_clock_process_start(pid);
    guest_touch(g);
    if (!l || pidfd < 0) {
        um_fd_close(&pidfd);
        monitor_ended(g);
        return;
    }
    um_watch_free(l->pid_watch);
    um_fd_close(&l->pidfd);
    l->pidfd = pidfd;
    l->pid_watch = um_watch_new(g->umld->loop, pidfd, UM_READ, on_monitor_gone, l);
}

bool monitor_ask(struct guest *g, enum mon_type type, const void *payload, size_t len,
                 const int fds[MONITOR_FDS], monitor_done_fn done, void *arg)
{
    struct monitor_link *l = g->link;
    char data[MON_MESSAGE_MAX];
    struct mon_header h = {.magic = MON_MAGIC, .version = MON_VERSION, .type = (uint16_t)type};
    struct pending *p;

    if (!l || l->fd < 0 || len > sizeof(data) - sizeof(h))
        return false;
    p = calloc(1, sizeof(*p));
    if (!p)
        return false;
    h.serial = ++l->serial;
    h.length = (uint32_t)len;
    memcpy(data, &h, sizeof(h));
    if (len)
        memcpy(data + sizeof(h), payload, len);
    if (!um_fd_send_many(l->fd, data, sizeof(h) + len, fds, fds ? MONITOR_FDS : 0)) {
        free(p);
        return false;
    }
    *p = (struct pending){h.serial, done, arg, l->pending};
    l->pending = p;
    return true;
}

void monitor_end_now(struct guest *g)
{
    struct pollfd p = {.fd = g->link ? g->link->pidfd : -1, .events = POLLIN};

    if (p.fd < 0)
        return;
    if (!monitor_ask(g, MON_KILL, NULL, 0, NULL, NULL, NULL) || poll(&p, 1, 2000) == 0)
        um_pidfd_signal(p.fd, SIGKILL);
    waitpid(g->monitor_pid, NULL, 0);
}

void guest_reattach(struct guest *g)
{
    struct um_error err;

    if (monitor_connected(g) || !guest_state_info(g->state)->has_process)
        return;
    if (monitor_connect(g, &err) == UM_OK)
        return;
    um_log(UM_LOG_DEBUG, "guest %s: %s", g->def.name, err.message);
    /* Refused means that it is ending: the pidfd tells the rest, if there is one. */
    if (!g->link || g->link->pidfd < 0)
        monitor_ended(g);
}
