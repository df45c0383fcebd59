/*
 * Links that umlmon holds and offers: netd/offer.h. A connection is one link; each end of it may
 * end the link by closing, the guest's socket stays umlmon's.
 */
#include "netd/managed.h"
#include "netd/offer.h"
#include "netd/policy.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING_MAX = 256, /* connections that have offered nothing yet */
    ACCEPTS = 16       /* before others get their turn */
};
#define OFFER_LIMIT_NS  (5 * UM_SEC_NS)
#define ACCEPT_PAUSE_NS (100 * UM_MS_NS)

struct netd_offer {
    struct netd_offers *offers;
    int fd;
    struct um_watch *watch;
    struct um_timer *limit; /* armed until the offer is there */
    struct netd_managed_port *port;
    struct netd_link *link; /* NULL: nothing was offered yet, or it has ended */
    bool pending;
    struct netd_later die;
    struct netd_offer *next, **at;
};

struct netd_offers {
    struct netd_managed *m;
    int listening; /* not owned */
    struct um_watch *watch;
    struct um_timer *pause; /* armed while no descriptor is to be had */
    bool on;
    struct netd_offer *all; /* youngest first */
    uint32_t pending;
};

static void no_longer_pending(struct netd_offer *o)
{
    o->offers->pending -= o->pending;
    o->pending = false;
}

static void die(void *arg)
{
    struct netd_offer *o = arg;

    no_longer_pending(o);
    *o->at = o->next;
    if (o->next)
        o->next->at = o->at;
    netd_io_cancel(&o->offers->m->io, &o->die);
    netd_link_free(o->link);
    um_watch_free(o->watch);
    um_timer_free(o->limit);
    um_fd_close(&o->fd);
    free(o);
}

static const char *port_name(const struct netd_managed *m, const struct netd_managed_port *p)
{
    const char *name = netd_switch_name(m->sw, p->port);

    return name ? name : "";
}

/* The link goes at once, the rest when all callbacks have returned. */
static void end(struct netd_offer *o, const char *why)
{
    struct netd_managed *m = o->offers->m;

    if (o->port) {
        netd_control_event(m->control, NETD_EVENT_PORT_DOWN, o->port->id, port_name(m, o->port),
                           why);
        netd_mac_forget_learnt(netd_switch_macs(m->sw), o->port->port);
        o->port->offer = NULL;
        o->port = NULL;
    }
    netd_link_free(o->link);
    o->link = NULL;
    if (o->watch)
        um_watch_set(o->watch, 0);
    netd_io_post(&m->io, &o->die);
}

void netd_offer_end(struct netd_offer *offer, const char *why)
{
    end(offer, why);
}

/* The guest has closed. umlmon sees that, too; if it was no real end, it offers the link again. */
static void on_link_closed(void *arg, const char *reason)
{
    end(arg, reason ? reason : "the guest has closed it");
}

static void answer(struct netd_offer *o, int errnum, const char *text)
{
    struct netd_offer_answer a = {
        .header = {NETD_OFFER_MAGIC, NETD_OFFER_VERSION, NETD_OFFER_ANSWER}, .errnum = errnum};

    snprintf(a.text, sizeof(a.text), "%s", text);
    if (!um_fd_send(o->fd, &a, sizeof(a), -1) && errnum == 0)
        end(o, "umlmon does not take the answer");
}

static void refuse(struct netd_offer *o, const char *name, int errnum, const char *text)
{
    answer(o, errnum, text);
    netd_control_event(o->offers->m->control, NETD_EVENT_REFUSED, 0, name, text);
    end(o, text);
}

/* Rows by the kind of an offer. */
static const struct {
    int type;
    enum netd_link_kind link;
} kinds[] = {
    [NETD_OFFER_SEQPACKET] = {SOCK_SEQPACKET, NETD_LINK_SEQPACKET},
    [NETD_OFFER_DATAGRAM] = {SOCK_DGRAM, NETD_LINK_DATAGRAM},
};

static bool socket_is(int fd, int option, int value)
{
    int got = -1;
    socklen_t len = sizeof(got);

    return getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 && got == value;
}

static bool understood(const struct netd_offer_link *l, ssize_t len, int fd)
{
    return len == sizeof(*l) && l->header.magic == NETD_OFFER_MAGIC &&
           l->header.version == NETD_OFFER_VERSION && l->header.type == NETD_OFFER_LINK &&
           netd_text_ok(l->guest, sizeof(l->guest)) && netd_text_ok(l->device, sizeof(l->device)) &&
           l->kind < UM_ARRAY_LEN(kinds) && fd >= 0 && socket_is(fd, SO_DOMAIN, AF_UNIX) &&
           socket_is(fd, SO_TYPE, kinds[l->kind].type) && socket_is(fd, SO_ACCEPTCONN, 0);
}

/* Takes fd. */
static void take_link(struct netd_offer *o, const struct netd_offer_link *l, int fd)
{
    struct netd_managed *m = o->offers->m;
    struct netd_managed_port *p = netd_ports_by_name(m, l->guest, l->device);
    char name[NETD_NAME_MAX + NETD_DEVICE_MAX];

    snprintf(name, sizeof(name), "%s/%s", l->guest, l->device);
    if (!p) {
        um_fd_close(&fd);
        refuse(o, name, ENOENT, "the network has no such port");
        return;
    }
    if (p->offer)
        end(p->offer, "another link of the device takes its place");
    o->link = netd_link_new_at(&m->io, fd, kinds[l->kind].link, p->port, on_link_closed, o);
    if (!o->link) {
        refuse(o, name, EAGAIN, "no memory");
        return;
    }
    o->port = p;
    p->offer = o;
    netd_control_event(m->control, NETD_EVENT_PORT_UP, p->id, port_name(m, p), "");
    answer(o, 0, "");
}

static void on_offer(int connection, um_unused unsigned ready, void *arg)
{
    struct netd_offer *o = arg;
    struct netd_offer_link l;
    int fd = -1;
    ssize_t len = um_fd_receive(connection, &l, sizeof(l), &fd, NULL);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len == 0 || !o->pending) {
        um_fd_close(&fd);
        end(o, len == 0 ? "umlmon has closed it" : "umlmon talks on after its offer");
        return;
    }
    no_longer_pending(o);
    um_timer_disarm(o->limit);
    if (understood(&l, len, fd)) {
        take_link(o, &l, fd);
        return;
    }
    um_fd_close(&fd);
    refuse(o, "", EINVAL, "not understood: another version, or no socket of the kind it names");
}

static void on_limit(void *arg)
{
    end(arg, "no offer came");
}

static void add(struct netd_offers *os, int fd)
{
    struct netd_offer *o = calloc(1, sizeof(*o));

    if (!o) {
        um_fd_close(&fd);
        return;
    }
    *o = (struct netd_offer){.offers = os,
                             .fd = fd,
                             .pending = true,
                             .die = {.fn = die, .arg = o},
                             .next = os->all,
                             .at = &os->all};
    if (os->all)
        os->all->at = &o->next;
    os->all = o;
    os->pending++;
    o->watch = um_watch_new(os->m->loop, fd, UM_READ, on_offer, o);
    o->limit = um_timer_new(os->m->loop, on_limit, o);
    if (o->watch && o->limit)
        um_timer_arm(o->limit, OFFER_LIMIT_NS);
    else
        end(o, "no memory");
}

/* Those that have been silent longest make room. */
static void limit_pending(struct netd_offers *os)
{
    struct netd_offer *oldest = NULL;

    if (os->pending <= PENDING_MAX)
        return;
    for (struct netd_offer *o = os->all; o; o = o->next) {
        if (o->pending)
            oldest = o;
    }
    if (oldest) {
        no_longer_pending(oldest);
        end(oldest, "too many others are silent");
    }
}

static void on_connection(int listening, um_unused unsigned ready, void *arg)
{
    struct netd_offers *os = arg;

    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            add(os, fd);
            limit_pending(os);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            um_watch_set(os->watch, 0);
            um_timer_arm(os->pause, ACCEPT_PAUSE_NS);
        }
        return;
    }
}

static void on_pause_over(void *arg)
{
    struct netd_offers *os = arg;

    um_watch_set(os->watch, os->on ? UM_READ : 0);
}

struct netd_offers *netd_offers_new(struct netd_managed *m, int listening)
{
    struct netd_offers *os = calloc(1, sizeof(*os));

    if (!os)
        return NULL;
    os->m = m;
    os->listening = listening;
    os->watch = um_watch_new(m->loop, listening, 0, on_connection, os);
    os->pause = um_timer_new(m->loop, on_pause_over, os);
    if (os->watch && os->pause)
        return os;
    netd_offers_free(os);
    return NULL;
}

void netd_offers_free(struct netd_offers *os)
{
    if (!os)
        return;
    while (os->all) {
        if (os->all->port)
            os->all->port->offer = NULL;
        die(os->all);
    }
    um_watch_free(os->watch);
    um_timer_free(os->pause);
    free(os);
}

void netd_offers_watch(struct netd_offers *os, bool on)
{
    os->on = on;
    um_watch_set(os->watch, on ? UM_READ : 0);
}
