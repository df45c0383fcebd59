/*
 * Consoles on descriptors. Output goes through a ring of 4095 bytes as in UML: what a log line
 * finds no room for is dropped, while numbered `output=` lines wait and are never lost.
 */
#include "fake_guest.h"

#include "mconsole/wire.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RING_SIZE = 4095, LINE_SIZE = 800, NUMBERED_LINE = 64 };

static struct console {
    const char *name; /* NULL: not open */
    int in, out;      /* -1: closed */
    size_t start, len;
    size_t line_len;
    char line[LINE_SIZE];
    char ring[RING_SIZE];
} consoles[CONSOLE_COUNT];

static long line_number; /* of output= and outputforever= */

/* ---- output ---- */

static void flush(struct console *c)
{
    while (c->len > 0 && c->out >= 0) {
        size_t n = RING_SIZE - c->start < c->len ? RING_SIZE - c->start : c->len;
        long done = SYS(write, c->out, c->ring + c->start, n);

        if (done == -EAGAIN || done == -EINTR)
            return;
        if (done <= 0) {
            c->len = 0; /* nobody is there any more */
            return;
        }
        c->start = (c->start + (size_t)done) % RING_SIZE;
        c->len -= (size_t)done;
    }
}

/* All or nothing. */
static bool console_put(struct console *c, const char *data, size_t len)
{
    if (c->out < 0)
        return true;
    if (len > RING_SIZE - c->len)
        flush(c);
    if (len > RING_SIZE - c->len)
        return false;
    for (size_t i = 0; i < len; i++)
        c->ring[(c->start + c->len + i) % RING_SIZE] = data[i];
    c->len += len;
    flush(c);
    return true;
}

void printk(const char *text)
{
    if (consoles[0].name)
        console_put(&consoles[0], text, strlen(text));
    else
        SYS(write, STDERR_FILENO, text, strlen(text));
}

void printk_line(const char *a, const char *b, const char *c)
{
    TEXT(line, 600);

    put_all(&line, a, b, b ? c : NULL, NULL);
    put(&line, "\n");
    printk(line.p);
}

/* 64 bytes with the newline: `line 0000000001 abc...`; a last shorter one makes the total exact. */
static bool put_numbered_line(size_t size)
{
    TEXT(line, NUMBERED_LINE + 1);

    put(&line, "line ");
    put_number(&line, line_number, 10);
    put(&line, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    line.p[size - 1] = '\n';
    if (!console_put(&consoles[0], line.p, size))
        return false;
    line_number++;
    return true;
}

bool output_pump(void)
{
    while (guest.script.output > 0) {
        long size = guest.script.output < NUMBERED_LINE ? guest.script.output : NUMBERED_LINE;

        if (!put_numbered_line((size_t)size))
            return true;
        guest.script.output -= size;
    }
    return false;
}

void output_tick(void)
{
    (void)put_numbered_line(NUMBERED_LINE);
}

void consoles_drain(void)
{
    for (int i = 0; i < CONSOLE_COUNT; i++)
        flush(&consoles[i]);
}

/* ---- input: what a shell on the console would do ---- */

/* `\n` in what is typed is a newline in what is sent. Never longer. */
static size_t unescape(const char *text, char *ret)
{
    size_t n = 0;

    for (; *text; text++) {
        bool newline = *text == '\\' && text[1] == 'n';

        ret[n++] = newline ? '\n' : *text;
        text += newline;
    }
    return n;
}

static void notify_user(const char *text)
{
    char data[LINE_SIZE];

    notify_send(MCONSOLE_NOTIFY_USER, data, unescape(text, data));
}

/* From a child, as the watchdog helper does it. */
static void notify_from_child(int type, const char *text)
{
    long pid = SYS(fork, 0);

    if (pid == 0) {
        notify_send(type, text, strlen(text));
        leave(0);
    }
    SYS(wait4, pid, NULL, 0, NULL);
}

static void run_line(struct console *c)
{
    TEXT(answer, LINE_SIZE + 16);

    c->line[c->line_len] = '\0';
    c->line_len = 0;
    if (str_equal(c->line, "halt"))
        guest_exit(0);
    if (str_equal(c->line, "panic"))
        guest_panic("Attempted to kill init!");
    if (str_starts(c->line, "exit "))
        guest_exit((int)str_number(c->line + 5, NULL));
    if (str_equal(c->line, "reboot"))
        guest_reboot();
    if (str_starts(c->line, "notify "))
        notify_user(c->line + 7);
    if (str_equal(c->line, "hang"))
        notify_from_child(MCONSOLE_NOTIFY_HANG, "");
    if (str_starts(c->line, "forge "))
        notify_from_child(MCONSOLE_NOTIFY_USER, c->line + 6);
    put_all(&answer, "fake: ", c->line, "\n", NULL);
    console_put(c, answer.p, answer.len);
}

/* UML: end of file on the input closes both directions for good. */
static void close_console(struct console *c)
{
    c->in = c->out = -1;
    c->len = 0;
}

static void read_input(struct console *c)
{
    char data[256];
    long n = SYS(read, c->in, data, sizeof(data));

    if (n == -EAGAIN || n == -EINTR)
        return;
    if (n <= 0) {
        close_console(c);
        return;
    }
    for (long i = 0; i < n; i++) {
        if (data[i] == '\n' || data[i] == '\r')
            run_line(c);
        else if (c->line_len < LINE_SIZE - 1)
            c->line[c->line_len++] = data[i];
    }
}

/* ---- set-up ---- */

/* UML: regular files and /dev/null cannot be polled, so their end is never noticed. */
static bool can_poll(int fd)
{
    struct {
        uint32_t events;
        uint64_t data;
    } __attribute__((packed)) event = {1, 0};
    long ep = SYS(epoll_create1, O_CLOEXEC), n;

    n = SYS(epoll_ctl, ep, 1, fd, &event);
    SYS(close, ep);
    return n == 0;
}

/* UML: raw mode on ttys, O_NONBLOCK on the open file description, shared as it is. */
static void prepare(int fd)
{
    struct termios t;
    long flags = SYS(fcntl, fd, F_GETFL);

    if (flags >= 0)
        SYS(fcntl, fd, F_SETFL, flags | O_NONBLOCK);
    if (SYS(ioctl, fd, TCGETS, &t) < 0)
        return;
    t.c_iflag = 0;
    t.c_oflag = 0;
    t.c_lflag = 0;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    SYS(ioctl, fd, TCSETS, &t);
}

/* `fd:N` or `fd:IN,fd:OUT`; anything else leaves the console closed. */
static bool parse_channels(const char *spec, int *in, int *out)
{
    if (str_starts(spec, "null,fd:")) {
        *in = -1;
        *out = (int)str_number(spec + 8, NULL);
        return true;
    }
    if (!str_starts(spec, "fd:"))
        return false;
    *in = *out = (int)str_number(spec + 3, &spec);
    if (str_starts(spec, ",fd:"))
        *out = (int)str_number(spec + 4, NULL);
    return true;
}

static void open_console(struct console *c, const struct device *d)
{
    if (!parse_channels(d->spec, &c->in, &c->out) || SYS(fcntl, c->out, F_GETFD) < 0)
        return;
    c->name = d->name;
    prepare(c->out);
    if (c->in >= 0 && (SYS(fcntl, c->in, F_GETFD) < 0 || !can_poll(c->in)))
        c->in = -1;
    if (c->in >= 0)
        prepare(c->in);
}

void consoles_open(void)
{
    int next = 1;

    if (!device_find("con0"))
        device_set("con0", "fd:0,fd:1");
    for (int i = 0; i < DEVICE_COUNT; i++) {
        const struct device *d = &guest.devices[i];
        struct console *c = str_equal(d->name, "con0") ? &consoles[0] : &consoles[next];

        if (!str_starts(d->name, "con") && !str_starts(d->name, "ssl"))
            continue;
        if (c != &consoles[0] && ++next == CONSOLE_COUNT)
            return;
        open_console(c, d);
        if (c->name && c != &consoles[0]) {
            TEXT(banner, 64);

            put_all(&banner, "fake guest on ", d->name, "\n", NULL);
            console_put(c, banner.p, banner.len);
        }
    }
}

bool console_is_open(const char *device)
{
    for (int i = 0; i < CONSOLE_COUNT; i++)
        if (consoles[i].name && str_equal(consoles[i].name, device))
            return true;
    return false;
}

/* Two entries a console: input, and output while something waits. */
int consoles_poll(struct pollfd *fds)
{
    int n = 0;

    for (int i = 0; i < CONSOLE_COUNT; i++) {
        struct console *c = &consoles[i];

        if (!c->name)
            continue;
        if (c->in >= 0)
            fds[n++] = (struct pollfd){.fd = c->in, .events = POLLIN};
        if (c->out >= 0 && c->len > 0)
            fds[n++] = (struct pollfd){.fd = c->out, .events = POLLOUT};
    }
    return n;
}

void consoles_ready(const struct pollfd *fds, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < CONSOLE_COUNT && fds[i].revents; k++) {
            struct console *c = &consoles[k];

            if (c->name && c->in == fds[i].fd && (fds[i].events & POLLIN))
                read_input(c);
            if (c->name && c->out == fds[i].fd && (fds[i].events & POLLOUT))
                flush(c);
        }
}
