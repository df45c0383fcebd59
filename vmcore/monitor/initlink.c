/*
 * The socket to umlinit. Who sent a message is what the host kernel says (SO_PASSCRED), never what
 * the message says: the first HELLO fixes umlinit's pid, STARTED fixes main's.
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

static bool send_to_init(struct monitor *m, enum init_type type, uint32_t serial, int32_t value)
{
    const struct init_message im = {.magic = INIT_MAGIC,
                                    .version = INIT_VERSION,
                                    .type = (uint16_t)type,
                                    .serial = serial,
                                    .value = value};

    return m->link.watch.fd >= 0 && um_fd_send(m->link.watch.fd, &im, sizeof(im), -1);
}

static void answer_pin(struct monitor *m, const struct init_message *im)
{
    for (int i = 0; i < MON_PIN_MAX; i++) {
        struct mon_pin_request *p = &m->link.pins[i];

        if (p->connection == 0 || p->init_serial != im->serial)
            continue;
        if (im->value == 0) {
            m->state.pinned_cpu = p->cpu;
            mon_control_state(m);
        }
        mon_control_reply(m, p->connection, p->serial, im->value,
                          im->value ? "the CPU affinity could not be set" : "");
        p->connection = 0;
    }
}

static void refuse_pins(struct monitor *m)
{
    for (int i = 0; i < MON_PIN_MAX; i++) {
        struct mon_pin_request *p = &m->link.pins[i];

        if (p->connection != 0)
            mon_control_reply(m, p->connection, p->serial, ESRCH, "the guest has ended");
        p->connection = 0;
    }
}

static bool take_hello(struct monitor *m, const struct init_message *im, pid_t sender)
{
    if (m->link.init_pid != 0)
        return false;
    m->link.init_pid = sender;
    m->state.pinned_cpu = (int32_t)im->count - 1;
    m->link.init_pidfd = um_pidfd_open(sender);
    return true;
}

static bool take_started(struct monitor *m, pid_t sender)
{
    if (m->state.main_pid != 0)
        return false;
    m->link.main_pidfd = um_pidfd_open(sender);
    mon_saw_started(m, sender);
    return true;
}

/* False: the message makes no sense and the link is given up. */
static bool handle(struct monitor *m, const struct init_message *im, pid_t sender)
{
    if (im->magic != INIT_MAGIC || im->version != INIT_VERSION || sender == 0)
        return false;
    if (im->type == INIT_HELLO)
        return take_hello(m, im, sender);
    if (m->link.init_pid == 0)
        return false;
    if (im->type == INIT_STARTED)
        return take_started(m, sender);
    if (sender != m->link.init_pid)
        return false;
    switch (im->type) {
    case INIT_RUNNING:
        mon_saw_running(m);
        return true;
    case INIT_EXEC_FAILED:
        mon_saw_exec_failure(m, im->value, NULL);
        return true;
    case INIT_EXITED:
        m->link.exited = true;
        mon_saw_exit(m, im->value);
        mon_control_state(m); /* the proof that nothing is left takes its time */
        return true;
    case INIT_PINNED:
        answer_pin(m, im);
        return true;
    default:
        return false;
    }
}

static void end_of_link(struct monitor *m)
{
    int fd = m->link.watch.fd;

    m->link.ended = true;
    mon_watch_stop(&m->loop, &m->link.watch);
    um_fd_close(&fd);
    refuse_pins(m);
    mon_end_begin(m);
}

void mon_initlink_drain(struct monitor *m)
{
    struct init_message im;
    pid_t sender;
    ssize_t n;

    while (m->link.watch.fd >= 0) {
        n = um_fd_receive(m->link.watch.fd, &im, sizeof(im), NULL, &sender);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n != (ssize_t)sizeof(im) || !handle(m, &im, sender))
            end_of_link(m);
    }
}

static void on_link(uint32_t events, void *arg)
{
    struct monitor *m = arg;

    mon_initlink_drain(m);
    mon_end_check(m);
}

bool mon_initlink_open(struct monitor *m, int *ret_child_end)
{
    int pair[2], on = 1;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        !um_fd_set_nonblock(pair[0], true) ||
        !mon_watch_start(&m->loop, &m->link.watch, pair[0], EPOLLIN, on_link, m)) {
        um_fd_close(&pair[0]);
        um_fd_close(&pair[1]);
        return false;
    }
    *ret_child_end = pair[1];
    return true;
}

void mon_initlink_close(struct monitor *m)
{
    int fd = m->link.watch.fd;

    mon_watch_stop(&m->loop, &m->link.watch);
    um_fd_close(&fd);
    um_fd_close(&m->link.init_pidfd);
    um_fd_close(&m->link.main_pidfd);
}

void mon_initlink_kill(struct monitor *m)
{
    /* A link that cannot take the order is as good as dead: the deadline does the rest. */
    if (!send_to_init(m, INIT_KILL, 0, 0) && m->link.init_pidfd >= 0)
        um_pidfd_signal(m->link.init_pidfd, SIGTERM);
}

int mon_initlink_pin(struct monitor *m, uint64_t connection, uint32_t serial, int32_t cpu)
{
    for (int i = 0; i < MON_PIN_MAX; i++) {
        struct mon_pin_request *p = &m->link.pins[i];

        if (p->connection != 0)
            continue;
        *p = (struct mon_pin_request){
            .serial = serial, .init_serial = ++m->link.last_serial, .cpu = cpu};
        if (m->link.init_pid == 0 || !send_to_init(m, INIT_PIN, p->init_serial, cpu))
            return ESRCH;
        p->connection = connection;
        return 0;
    }
    return EBUSY;
}
