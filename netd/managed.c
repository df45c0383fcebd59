#include "netd/managed.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* As long as what waits may take when the next umlnetd is about to begin. */
#define END_LIMIT_NS (100 * UM_MS_NS)

struct program {
    struct netd_managed m;
    struct um_signal *signals[2];
};

static void on_signal(um_unused int signo, void *arg)
{
    netd_managed_end(arg);
}

static void on_end(void *arg)
{
    struct netd_managed *m = arg;

    um_loop_stop(m->loop);
}

/* Nothing waits any more: no need for the time limit. */
static bool after(void *arg)
{
    struct netd_managed *m = arg;

    if (m->ending && netd_switch_memory(m->sw) == 0)
        um_loop_stop(m->loop);
    return false;
}

void netd_managed_end(struct netd_managed *m)
{
    if (m->ending)
        return;
    m->ending = true;
    netd_offers_watch(m->offers, false);
    netd_switch_stop(m->sw);
    um_timer_arm(m->end, END_LIMIT_NS);
}

/* Rows by the switch's events that umld is told of. */
static const struct {
    enum netd_ctl_event_kind kind;
    const char *verb;
} told[] = {
    [NETD_SEEN_MOVED] = {NETD_EVENT_MOVED, "was at"},
    [NETD_SEEN_REFUSED] = {NETD_EVENT_MOVE_REFUSED, "belongs to"},
};

static void on_seen(void *arg, const struct netd_event *e)
{
    struct netd_managed *m = arg;
    const char *name = netd_switch_name(m->sw, e->port);
    const char *other = netd_switch_name(m->sw, e->old_port);
    char text[NETD_CTL_TEXT];

    if (!m->control || e->kind >= UM_ARRAY_LEN(told) || !told[e->kind].verb)
        return;
    snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x %s %s",
             (unsigned)(e->mac >> 40 & 0xff), (unsigned)(e->mac >> 32 & 0xff),
             (unsigned)(e->mac >> 24 & 0xff), (unsigned)(e->mac >> 16 & 0xff),
             (unsigned)(e->mac >> 8 & 0xff), (unsigned)(e->mac & 0xff), told[e->kind].verb,
             other ? other : "a port that is gone");
    netd_control_event(m->control, told[e->kind].kind, netd_ports_id_of(m, e->port),
                       name ? name : "", text);
}

/* Addresses of ports that the state knows. */
static bool keep(void *arg, const struct netd_mac_entry *e)
{
    const struct netd_record *r = netd_state_record(arg, e->port);

    return r->id && r->port == e->port;
}

static enum um_code make_switch(struct netd_managed *m, struct um_error *err)
{
    const struct netd_switch_config *config = &netd_switch_config_default;
    enum um_code code = netd_state_open(NETD_STATE_FD, &m->state, err);
    struct netd_mac_table *macs;

    if (code != UM_OK)
        return code;
    macs = netd_mac_table_at(&config->mac, netd_state_macs(m->state), keep, m->state);
    m->sw = macs ? netd_switch_new_with(config, macs) : NULL;
    m->io_ready = m->sw && netd_io_init(&m->io, m->loop, m->sw);
    if (!m->io_ready)
        return um_fail(err, UM_E_NO_RESOURCES, "umlnetd", NULL, "no memory");
    netd_switch_observe(m->sw, on_seen, m);
    netd_ports_restore(m);
    return UM_OK;
}

static enum um_code start(struct program *p, struct um_error *err)
{
    struct netd_managed *m = &p->m;
    enum um_code code;

    for (int fd = NETD_CTL_FD; fd <= NETD_STATE_FD; fd++) {
        if (!um_fd_set_cloexec(fd, true))
            return um_fail(err, UM_E_INVALID, "umlnetd", NULL,
                           "descriptor %d is not open: --managed is for umld only", fd);
    }
    m->loop = um_loop_new();
    if (!m->loop)
        return um_fail(err, UM_E_NO_RESOURCES, "umlnetd", NULL, "no memory");
    code = make_switch(m, err);
    if (code != UM_OK)
        return code;
    m->end = um_timer_new(m->loop, on_end, m);
    p->signals[0] = um_signal_new(m->loop, SIGTERM, on_signal, m);
    p->signals[1] = um_signal_new(m->loop, SIGINT, on_signal, m);
    m->offers = netd_offers_new(m, NETD_LINKS_FD);
    m->control = m->offers ? netd_control_new(m, NETD_CTL_FD) : NULL;
    if (!m->end || !p->signals[0] || !p->signals[1] || !m->control ||
        !um_fd_set_nonblock(NETD_CTL_FD, true) || !um_fd_set_nonblock(NETD_LINKS_FD, true) ||
        !um_loop_add_after(m->loop, after, m))
        return um_fail(err, UM_E_NO_RESOURCES, "umlnetd", NULL, "no memory, or bad descriptors");
    return UM_OK;
}

static void stop(struct program *p)
{
    struct netd_managed *m = &p->m;

    netd_control_free(m->control);
    m->control = NULL;
    netd_offers_free(m->offers);
    if (m->io_ready) {
        netd_listen_sweep(m, true);
        netd_ports_sweep(m, true);
        netd_io_done(&m->io);
    }
    um_signal_free(p->signals[0]);
    um_signal_free(p->signals[1]);
    um_timer_free(m->end);
    netd_switch_free(m->sw);
    netd_state_free(m->state);
    um_loop_free(m->loop);
}

int netd_managed_program(const char *network)
{
    struct program p = {.m = {.start_wall_ns = um_clock_wall_ns()}};
    struct um_error err = UM_ERROR_INIT;
    char text[1200];
    int status = 0;

    snprintf(p.m.name, sizeof(p.m.name), "%s", network);
    for (int i = 0; i < NETD_LISTENERS_MAX; i++)
        p.m.listeners[i].fd = -1;
    um_log_init("umlnetd");
    if (start(&p, &err) == UM_OK) {
        um_loop_run(p.m.loop);
    } else {
        um_log(UM_LOG_ERROR, "network %s: %s", network, um_error_text(&err, text, sizeof(text)));
        status = 1;
    }
    /* What ends with the program is not to end in the state: the next one goes on from it. Without
     * the memory for that nothing is tidied up. */
    if (!p.m.state || netd_state_freeze(p.m.state))
        stop(&p);
    return status;
}
