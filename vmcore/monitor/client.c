/*
 * Console clients. Output: a position in the log, so nothing is buffered here and a slow client
 * costs nobody anything. Input: read only when the console has room, so a fast one waits in its own
 * socket.
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 4096, CHUNKS_PER_ROUND = 16 };

static void watch_needed(struct mon_client *c)
{
    bool in = !c->in_ended && !(c->writer && c->in_full);

    mon_watch_set(&c->mon->loop, &c->watch, (in ? EPOLLIN : 0u) | (c->out_full ? EPOLLOUT : 0u));
}

void mon_client_drop(struct mon_client *c)
{
    struct monitor *m = c->mon;
    struct mon_client **at = &m->clients;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    m->client_count--;
    mon_watch_stop(&m->loop, &c->watch);
    um_fd_close(&c->fd);
    um_fd_close(&c->early);
    mon_log_reader_done(&c->reader);
    free(c);
    mon_end_client(m);
}

/* False: the client is gone. */
static bool send_output(struct mon_client *c)
{
    char data[CHUNK];

    c->out_full = false;
    for (int i = 0; i < CHUNKS_PER_ROUND; i++) {
        size_t len = mon_log_peek(&c->console->log, &c->reader, data, sizeof(data));
        ssize_t n;

        if (len == 0) {
            if (c->mon->phase == MON_PHASE_DELIVERING) {
                mon_client_drop(c);
                return false;
            }
            watch_needed(c);
            return true;
        }
        n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            mon_client_drop(c);
            return false;
        }
        if (n > 0)
            mon_log_advance(&c->reader, (size_t)n);
        if (n < 0 && errno == EAGAIN)
            break;
    }
    c->out_full = true; /* or just this round's share: either way the loop comes back */
    watch_needed(c);
    return true;
}

static ssize_t next_input(struct mon_client *c, char *data, size_t size)
{
    ssize_t n = c->early >= 0 ? read(c->early, data, size) : 0;

    if (n > 0)
        return n;
    um_fd_close(&c->early);
    return recv(c->fd, data, size, MSG_DONTWAIT);
}

static void take_input(struct mon_client *c, const char *data, size_t len)
{
    if (len == 0) {
        /* It may only have stopped sending (`echo reboot | ...`): output goes on. */
        c->in_ended = true;
        c->writer = false;
    } else if (c->writer && !mon_console_type(c->console, data, len)) {
        c->in_full = true;
    }
    /* No event tells of these: the next round of the console does. */
    if (c->writer && (c->early >= 0 || c->hung_up)) {
        c->in_full = true;
        mon_console_await_room(c->console);
    }
}

/* One chunk, since the guest's output must be read in between. False: the client is gone. */
static bool receive_input(struct mon_client *c)
{
    char data[CHUNK];
    size_t room = c->writer ? mon_console_room(c->console) : sizeof(data);
    ssize_t n;

    c->in_full = room == 0;
    if (!c->in_full) {
        n = next_input(c, data, room < sizeof(data) ? room : sizeof(data));
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            mon_client_drop(c);
            return false;
        }
        if (n >= 0)
            take_input(c, data, (size_t)n);
        if (c->hung_up && !c->writer) {
            mon_client_drop(c);
            return false;
        }
    }
    watch_needed(c);
    return true;
}

/*
 * The peer is gone. What it typed before still counts (`printf 'halt\n' | socat ...` must work), so
 * a writer stays until that is read, unwatched since a hangup is reported without end.
 */
static void hang_up(struct mon_client *c)
{
    if (!c->writer) {
        mon_client_drop(c);
        return;
    }
    c->hung_up = true;
    mon_watch_stop(&c->mon->loop, &c->watch);
    receive_input(c);
}

static void on_client(uint32_t events, void *arg)
{
    struct mon_client *c = arg;

    if (events & (EPOLLHUP | EPOLLERR)) {
        hang_up(c);
        return;
    }
    if ((events & EPOLLIN) && !receive_input(c))
        return;
    if (events & EPOLLOUT)
        send_output(c);
}

static bool has_writer(const struct mon_console *console)
{
    for (const struct mon_client *c = console->mon->clients; c; c = c->next)
        if (c->console == console && c->writer)
            return true;
    return false;
}

static void depose_others(struct mon_client *writer)
{
    for (struct mon_client *c = writer->mon->clients; c; c = c->next) {
        if (c->console != writer->console || !c->writer || c == writer)
            continue;
        c->writer = false;
        um_fd_close(&c->early);
        mon_log_reader_note(&c->reader, "\r\n[console taken over]\r\n");
        c->out_full = true;
        watch_needed(c);
    }
}

static bool is_stream(int fd)
{
    socklen_t size = sizeof(int);
    int type = 0;

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static int may_attach(struct monitor *m, const struct mon_newcomer *n, struct mon_console **ret,
                      const char **ret_why)
{
    *ret_why = "the guest has ended";
    if (m->loop.stop)
        return ESHUTDOWN;
    *ret = mon_console_find(m, n->ask.device);
    *ret_why = "there is no such console";
    if (!*ret)
        return ENODEV;
    *ret_why = "the guest owns this pty: open its path";
    if ((*ret)->config->pts)
        return EOPNOTSUPP;
    *ret_why = "not a stream socket";
    if (!is_stream(n->fd))
        return ENOTSOCK;
    *ret_why = "too many console clients";
    if (m->client_count >= MON_CLIENT_MAX)
        return EUSERS;
    *ret_why = "somebody else is writing to this console";
    if (!(n->ask.flags & (MON_ATTACH_READ_ONLY | MON_ATTACH_STEAL)) && has_writer(*ret))
        return EBUSY;
    *ret_why = "";
    return 0;
}

int mon_client_new(struct monitor *m, const struct mon_newcomer *n, struct mon_client **ret_client,
                   const char **ret_why)
{
    struct mon_console *console;
    struct mon_client *c;
    int errnum = may_attach(m, n, &console, ret_why);

    if (errnum)
        return errnum;
    c = calloc(1, sizeof(*c));
    if (!c)
        return ENOMEM;
    *c = (struct mon_client){.mon = m,
                             .console = console,
                             .fd = n->fd,
                             .early = n->early,
                             .writer = !(n->ask.flags & MON_ATTACH_READ_ONLY),
                             .out_full = true};
    mon_log_reader_start(&console->log, &c->reader, n->ask.back);
    errnum = mon_log_reader_put(&c->reader, n->greeting, n->greeting_len) ? 0 : EMSGSIZE;
    if (!errnum && !mon_watch_start(&m->loop, &c->watch, c->fd, EPOLLIN | EPOLLOUT, on_client, c))
        errnum = errno;
    if (errnum) {
        *ret_why = strerror(errnum);
        free(c);
        return errnum;
    }
    c->next = m->clients;
    m->clients = c;
    m->client_count++;
    *ret_client = c;
    return 0;
}

void mon_client_begin(struct mon_client *c)
{
    if (c->writer)
        depose_others(c);
    else
        um_fd_close(&c->early);
    receive_input(c);
}

void mon_client_output(struct mon_console *console)
{
    struct mon_client *next;

    for (struct mon_client *c = console->mon->clients; c; c = next) {
        next = c->next;
        if (c->console == console && !c->out_full && !c->hung_up)
            send_output(c);
    }
}

void mon_client_input(struct mon_console *console)
{
    struct mon_client *next;

    for (struct mon_client *c = console->mon->clients; c; c = next) {
        next = c->next;
        if (c->console != console || !c->in_full || mon_console_room(console) == 0)
            continue;
        if (c->hung_up && !c->writer)
            mon_client_drop(c);
        else
            receive_input(c);
    }
}

bool mon_client_finish(struct monitor *m, bool force)
{
    struct mon_client *next;

    for (struct mon_client *c = m->clients; c; c = next) {
        next = c->next;
        if (force || c->hung_up)
            mon_client_drop(c);
        else
            send_output(c);
    }
    return m->clients == NULL;
}
