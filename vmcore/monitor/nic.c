/*
 * The guest's links. Its kernel connects when an interface goes up; umlmon keeps that connection
 * for as long as the guest does and offers duplicates of it to whoever serves the network
 * (netd/offer.h), because a kernel whose peer has closed spins for ever. Nothing is ever read from
 * it: frames that nobody takes wait in the socket, and the guest's queue discipline is what drops.
 *
 * The surprise: hanging up is the only thing that both ends may do at any time, and as often as
 * they like. So no try to offer follows another sooner than its distance, accepting is one at a
 * time, and what is told to umld is told at most ten times a second.
 */
#include "vmcore/monitor/monitor.h"

#include "netd/offer.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_DISTANCE_NS (10 * UM_MS_NS)
#define LAST_DISTANCE_NS  (NETD_OFFER_RETRY_MS * UM_MS_NS)
#define PAUSE_NS          (100 * UM_MS_NS) /* of accepting, without descriptors */
#define REPORT_NS         (100 * UM_MS_NS)

static const char *const state_names[MON_NIC_STATE_COUNT] = {
    [MON_NIC_DOWN] = "down",
    [MON_NIC_WAITING] = "waiting",
    [MON_NIC_UP] = "up",
};

static void on_retry(void *arg);

/* ---- what umld is told ---- */

void mon_nics_text(const struct monitor *m, struct um_buf *b)
{
    for (size_t i = 0; i < MON_NIC_MAX; i++) {
        const struct mon_nic *n = &m->nics.nic[i];

        if (n->config.device[0])
            um_kv_addf(b, n->config.device, "%s %s", state_names[n->state],
                       n->state == MON_NIC_WAITING ? n->why : "");
    }
}

static void report(void *arg)
{
    struct monitor *m = arg;

    m->nics.reported_ns = um_clock_mono_ns();
    mon_control_nics(m);
}

static void changed(struct monitor *m)
{
    int64_t due = m->nics.reported_ns + REPORT_NS - um_clock_mono_ns();

    if (!mon_timer_armed(&m->nics.report))
        mon_timer_arm(&m->loop, &m->nics.report, m->nics.reported_ns ? due : 0, report, m);
}

static void set_state(struct mon_nic *n, enum mon_nic_state state, const char *why)
{
    if (n->state == state && (state != MON_NIC_WAITING || strcmp(n->why, why) == 0))
        return;
    if (n->state != state)
        um_log(UM_LOG_DEBUG, "guest %s: %s: %s -> %s%s%s", n->mon->config.guest, n->config.device,
               state_names[n->state], state_names[state], why[0] ? ": " : "", why);
    n->state = state;
    mon_text_clean(n->why, sizeof(n->why), why, strlen(why));
    changed(n->mon);
}

/* ---- the offer ---- */

static void close_watched(struct mon_nic *n, int *fd, struct mon_watch *w)
{
    mon_watch_stop(&n->mon->loop, w);
    um_fd_close(fd);
}

/* Not sooner than its distance after the last try, which then grows. */
static void retry_later(struct mon_nic *n, const char *why)
{
    close_watched(n, &n->links, &n->links_watch);
    set_state(n, MON_NIC_WAITING, why);
    mon_timer_arm(&n->mon->loop, &n->retry, n->tried_ns + n->distance_ns - um_clock_mono_ns(),
                  on_retry, n);
    n->distance_ns *= 2;
    if (n->distance_ns > LAST_DISTANCE_NS)
        n->distance_ns = LAST_DISTANCE_NS;
}

static void read_answer(struct mon_nic *n)
{
    struct netd_offer_answer a;
    ssize_t size = um_fd_receive(n->links, &a, sizeof(a), NULL, NULL);

    if (size < 0 && errno == EAGAIN)
        return;
    a.text[sizeof(a.text) - 1] = '\0';
    if (size <= 0)
        retry_later(n, "its umlnetd is gone");
    else if (size != (ssize_t)sizeof(a) || a.header.magic != NETD_OFFER_MAGIC ||
             a.header.version != NETD_OFFER_VERSION || a.header.type != NETD_OFFER_ANSWER)
        retry_later(n, "its umlnetd is of another version");
    else if (a.errnum != 0)
        retry_later(n, a.text[0] ? a.text : strerror(a.errnum));
    else {
        n->distance_ns = FIRST_DISTANCE_NS;
        set_state(n, MON_NIC_UP, "");
    }
}

static void on_links(uint32_t events, void *arg)
{
    read_answer(arg);
}

static bool send_offer(struct mon_nic *n)
{
    struct netd_offer_link offer = {
        .header = {NETD_OFFER_MAGIC, NETD_OFFER_VERSION, NETD_OFFER_LINK},
        .kind = NETD_OFFER_SEQPACKET};

    snprintf(offer.guest, sizeof(offer.guest), "%s", n->mon->config.guest);
    snprintf(offer.device, sizeof(offer.device), "%s", n->config.device);
    return um_fd_send(n->links, &offer, sizeof(offer), n->guest);
}

static void offer(struct mon_nic *n)
{
    struct um_error err = UM_ERROR_INIT;

    n->tried_ns = um_clock_mono_ns();
    if (um_unix_connect(n->config.links, SOCK_SEQPACKET, &n->links, &err) != UM_OK)
        retry_later(n, err.message);
    else if (!mon_watch_start(&n->mon->loop, &n->links_watch, n->links, EPOLLIN, on_links, n) ||
             !send_offer(n))
        retry_later(n, "its umlnetd cannot be reached");
    else
        set_state(n, MON_NIC_WAITING, "its umlnetd has not answered");
}

static void on_retry(void *arg)
{
    struct mon_nic *n = arg;

    if (n->guest >= 0 && n->links < 0)
        offer(n);
}

/* ---- the guest ---- */

static void forget_guest(struct mon_nic *n)
{
    mon_timer_disarm(&n->retry);
    close_watched(n, &n->links, &n->links_watch);
    close_watched(n, &n->guest, &n->guest_watch);
}

static void on_guest(uint32_t events, void *arg)
{
    struct mon_nic *n = arg;

    forget_guest(n);
    set_state(n, MON_NIC_DOWN, "");
}

static void resume_accepting(void *arg)
{
    struct mon_nic *n = arg;

    mon_watch_set(&n->mon->loop, &n->listener_watch, EPOLLIN);
}

/*
 * The newest connection is the guest's: a kernel that reboots in place forgets the one it had
 * without closing it.
 */
static void on_listener(uint32_t events, void *arg)
{
    struct mon_nic *n = arg;
    int fd = accept4(n->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int64_t since_try = um_clock_mono_ns() - n->tried_ns;

    if (fd < 0) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
            return;
        mon_watch_set(&n->mon->loop, &n->listener_watch, 0);
        mon_timer_arm(&n->mon->loop, &n->pause, PAUSE_NS, resume_accepting, n);
        return;
    }
    forget_guest(n);
    n->guest = fd;
    n->distance_ns = FIRST_DISTANCE_NS;
    /* Without events: told is only that the other end is gone. */
    if (!mon_watch_start(&n->mon->loop, &n->guest_watch, fd, 0, on_guest, n)) {
        um_fd_close(&n->guest);
        set_state(n, MON_NIC_DOWN, "");
        return;
    }
    set_state(n, MON_NIC_WAITING, "it is being offered");
    mon_timer_arm(&n->mon->loop, &n->retry,
                  n->tried_ns && since_try < n->distance_ns ? n->distance_ns - since_try : 0,
                  on_retry, n);
}

/* ---- adding and dropping ---- */

static struct mon_nic *find(struct monitor *m, const char *device)
{
    for (size_t i = 0; i < MON_NIC_MAX; i++)
        if (strcmp(m->nics.nic[i].config.device, device) == 0)
            return &m->nics.nic[i];
    return NULL;
}

static enum um_code open_listener(struct monitor *m, struct mon_nic *n, struct um_error *err)
{
    /* As with the notify socket: a guest with a uid of its own is nobody to us. */
    mode_t mode = m->config.uid ? 0666 : 0600;
    enum um_code code = um_unix_listen(n->config.path, SOCK_SEQPACKET, mode, &n->listener, err);

    if (code == UM_OK &&
        !mon_watch_start(&m->loop, &n->listener_watch, n->listener, EPOLLIN, on_listener, n))
        code = um_fail_errno(err, errno, n->config.path, "cannot watch the socket");
    return code;
}

static void close_nic(struct mon_nic *n)
{
    mon_timer_disarm(&n->pause);
    forget_guest(n);
    close_watched(n, &n->listener, &n->listener_watch);
    unlink(n->config.path);
    n->config.device[0] = '\0';
}

enum um_code mon_nic_add(struct monitor *m, const struct mon_config_nic *config,
                         struct um_error *err)
{
    struct mon_nic *n = find(m, config->device);
    enum um_code code;

    if (n && strcmp(n->config.path, config->path) == 0 &&
        strcmp(n->config.links, config->links) == 0)
        return UM_OK;
    if (n)
        return um_fail(err, UM_E_EXISTS, config->device, NULL, "it is on another network");
    n = find(m, "");
    if (!n)
        return um_fail(err, UM_E_NO_RESOURCES, config->device, NULL, "there are %d already",
                       MON_NIC_MAX);
    n->mon = m;
    n->config = *config;
    n->state = MON_NIC_DOWN;
    n->tried_ns = 0;
    n->listener = n->guest = n->links = -1;
    n->listener_watch.fd = n->guest_watch.fd = n->links_watch.fd = -1;
    code = open_listener(m, n, err);
    if (code)
        close_nic(n);
    else
        changed(m);
    return code;
}

void mon_nic_drop(struct monitor *m, const char *device)
{
    struct mon_nic *n = device[0] ? find(m, device) : NULL;

    if (!n)
        return;
    close_nic(n);
    changed(m);
}

enum um_code mon_nics_open(struct monitor *m, struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 0; !code && i < m->config.nic_count; i++)
        code = mon_nic_add(m, &m->config.nics[i], err);
    return code;
}

void mon_nics_close(struct monitor *m)
{
    mon_timer_disarm(&m->nics.report);
    for (size_t i = 0; i < MON_NIC_MAX; i++)
        if (m->nics.nic[i].config.device[0])
            close_nic(&m->nics.nic[i]);
}
