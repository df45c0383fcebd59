#include "netd/compat/switch/events.h"

#include "vmcore/base/clock.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 1024, LINES_BURST = 200, LINES_A_SECOND = 20 };

bool switch_say(const char *fmt, ...)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    char line[LINE_MAX_LEN + 1];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(line, LINE_MAX_LEN, fmt, ap);
    va_end(ap);
    if (len >= LINE_MAX_LEN)
        len = LINE_MAX_LEN - 1;
    line[len++] = '\n';
    /* A pipe with room takes as much at once: PIPE_BUF is more than a line. */
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) &&
           write(STDOUT_FILENO, line, (size_t)len) == len;
}

void switch_events_init(struct switch_events *e, const struct netd_switch *sw)
{
    *e = (struct switch_events){.sw = sw, .limit = {.rate = LINES_A_SECOND, .burst = LINES_BURST}};
}

void switch_events_unlimit(struct switch_events *e)
{
    e->limit = (struct netd_bucket){.rate = 0};
}

/* What the frames of a port came to, where not all was well. */
static void say_drops(const struct switch_events *e, uint32_t port)
{
    const struct netd_counters *c = netd_switch_counters(e->sw, port);
    char text[512];
    size_t len = 0;

    for (int i = 0; i < NETD_DROP_COUNT; i++) {
        if (c->drops[i] && len < sizeof(text))
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu %s", len ? ", " : "",
                                    (unsigned long long)c->drops[i],
                                    netd_drop_name((enum netd_drop)i));
    }
    if (len)
        (void)switch_say(" Port %u dropped: %s", netd_switch_number(e->sw, port), text);
}

/* In the bytes' own order, as the frame has them. */
static void print_mac(uint64_t mac, char ret[18])
{
    snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40 & 255),
             (unsigned)(mac >> 32 & 255), (unsigned)(mac >> 24 & 255), (unsigned)(mac >> 16 & 255),
             (unsigned)(mac >> 8 & 255), (unsigned)(mac & 255));
}

static bool say_event(const struct switch_events *e, const struct netd_event *event)
{
    unsigned port = netd_switch_number(e->sw, event->port);
    unsigned old_port = netd_switch_number(e->sw, event->old_port);
    char mac[18];

    print_mac(event->mac, mac);
    switch (event->kind) {
    case NETD_SEEN_PORT_UP:
        return switch_say("New connection");
    case NETD_SEEN_PORT_DOWN:
        return switch_say("Disconnect");
    case NETD_SEEN_LEARNT:
        return switch_say(" Addr: %s New port %u", mac, port);
    case NETD_SEEN_MOVED:
        return switch_say(" Addr: %s New port %u old port %u", mac, port, old_port);
    case NETD_SEEN_REFUSED:
        return switch_say(" Addr: %s from port %u refused, it belongs to port %u", mac, port,
                          old_port);
    case NETD_SEEN_UNKNOWN:
        return switch_say("unknown Addr: %s from port %u", mac, port);
    }
    return true;
}

void switch_events_take(void *arg, const struct netd_event *event)
{
    struct switch_events *e = arg;

    if (!netd_bucket_take(&e->limit, 1, um_clock_mono_ns()) || !say_event(e, event)) {
        e->left_out++;
        return;
    }
    if (event->kind == NETD_SEEN_PORT_DOWN)
        say_drops(e, event->port);
    if (e->left_out &&
        switch_say(" %llu more lines were left out", (unsigned long long)e->left_out))
        e->left_out = 0;
}
