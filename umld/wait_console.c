#include "umld/wait_console.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 4096 }; /* at the worst some milliseconds of matching */

struct wait_console {
    struct guest *guest;
    bool from_now; /* until it was attached for the first time */
    bool attached; /* in the life `life` */
    unsigned life;
    int fd;
    struct um_watch *watch;
    struct um_lines lines;
    bool refused;
    struct um_error error;
    struct asking *asking; /* umlmon has not answered yet */
};

/* An attachment that umlmon has not confirmed; it outlives a waiter that has gone. */
struct asking {
    struct wait_console *console; /* NULL: gone */
};

struct wait_console *wait_console_new(struct guest *g, struct um_pattern *pattern, bool from_now)
{
    struct wait_console *c = calloc(1, sizeof(*c));

    if (!c) {
        um_pattern_free(pattern);
        return NULL;
    }
    *c = (struct wait_console){.guest = g, .fd = -1, .from_now = from_now};
    um_lines_init(&c->lines, pattern);
    return c;
}

static void detach(struct wait_console *c)
{
    um_watch_free(c->watch);
    c->watch = NULL;
    um_fd_close(&c->fd);
}

/* The answer to the last attachment does not matter any more. */
static void forget_asking(struct wait_console *c)
{
    if (c->asking)
        c->asking->console = NULL;
    c->asking = NULL;
}

void wait_console_free(struct wait_console *c)
{
    if (!c)
        return;
    detach(c);
    forget_asking(c);
    um_lines_done(&c->lines);
    free(c);
}

const char *wait_console_line(const struct wait_console *c)
{
    return c->lines.match[0] ? c->lines.match : NULL;
}

const struct um_error *wait_console_refusal(const struct wait_console *c)
{
    return c->refused ? &c->error : NULL;
}

/* False: there is no more at present. */
static bool read_piece(struct wait_console *c)
{
    char data[PIECE];
    ssize_t n;

    if (c->fd < 0)
        return false;
    n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
    if (n > 0 && !um_lines_feed(&c->lines, data, (size_t)n, true))
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* Found, or the console has ended; or umlmon refuses, and says why in a moment. */
    detach(c);
    guest_look(c->guest);
    return false;
}

void wait_console_read(struct wait_console *c)
{
    while (read_piece(c))
        ; /* a socket's buffer: some hundred KiB at the most once nobody writes */
}

static void on_output(um_unused int fd, um_unused unsigned ready, void *arg)
{
    (void)read_piece(arg);
}

static void refuse(struct wait_console *c, int errnum, const char *text)
{
    char object[96];

    detach(c);
    c->refused = true;
    guest_object(c->guest, object, sizeof(object));
    if (errnum == EUSERS)
        um_fail(&c->error, UM_E_BUSY, object, NULL, "its console cannot be followed: %s", text);
    else
        um_fail_errno(&c->error, errnum, object, "its console cannot be followed%s%s",
                      text[0] ? ": " : "", text);
    guest_look(c->guest);
}

static void answered(um_unused struct umld *umld, int errnum, const char *text, void *arg)
{
    struct asking *asking = arg;
    struct wait_console *c = asking->console;

    free(asking);
    if (!c)
        return;
    c->asking = NULL;
    if (errnum == ECONNRESET) { /* not taken; once there is a connection again it is asked again */
        detach(c);
        c->attached = false;
        guest_look(c->guest);
    } else if (errnum) {
        refuse(c, errnum, text);
    }
}

/* theirs: umlmon's end of the stream. */
static bool ask(struct wait_console *c, int theirs)
{
    struct mon_attach order = {
        .device = "con0", .flags = MON_ATTACH_READ_ONLY, .back = c->from_now ? 0 : -1};
    const int fds[MONITOR_FDS] = {theirs, -1};

    c->asking = calloc(1, sizeof(*c->asking));
    if (!c->asking)
        return false;
    c->asking->console = c;
    if (monitor_ask(c->guest, MON_ATTACH, &order, sizeof(order), fds, answered, c->asking))
        return true;
    free(c->asking);
    c->asking = NULL;
    return false;
}

void wait_console_attach(struct wait_console *c)
{
    struct guest *g = c->guest;
    um_autofd theirs = -1;
    int pair[2];

    if (wait_console_line(c) || c->refused || !monitor_connected(g) ||
        (c->attached && c->life == g->starts))
        return;
    detach(c); /* from a former life, read to its end */
    forget_asking(c);
    um_lines_reset(&c->lines);
    c->attached = true;
    c->life = g->starts;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        refuse(c, errno, "");
        return;
    }
    c->fd = pair[0];
    theirs = pair[1];
    c->watch = um_watch_new(g->umld->loop, c->fd, UM_READ, on_output, c);
    if (!c->watch || !ask(c, theirs))
        refuse(c, c->watch ? EAGAIN : ENOMEM, "");
    c->from_now = false; /* of a later boot everything is new */
}
