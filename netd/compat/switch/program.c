#include "netd/compat/switch/program.h"

#include "netd/compat/switch/daemon.h"
#include "netd/compat/switch/events.h"
#include "netd/compat/switch/options.h"
#include "netd/listener.h"
#include "netd/tap.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SIGHUP last: a daemon has no terminal that could be gone. */
static const int end_signals[] = {SIGTERM, SIGINT, SIGHUP};

struct tap {
    const char *name;
    int fd; /* until it is a link */
    struct netd_link *link;
};

struct program {
    struct switch_options options;
    char *absolute[3]; /* paths of the options, for a daemon */
    struct um_loop *loop;
    struct netd_switch *sw;
    struct netd_io io;
    bool io_ready;
    struct um_signal *signals[UM_ARRAY_LEN(end_signals)];
    struct um_watch *input; /* NULL: standard input is no terminal */
    struct um_timer *input_pause;
    struct tap taps[SWITCH_TAPS_MAX];
    struct netd_shared *shared;
    struct netd_listener *listener;
    struct switch_events events;
    bool has_pidfile;
};

static void on_signal(int signo, void *arg)
{
    struct program *p = arg;

    (void)switch_say("Caught signal %d, cleaning up and exiting", signo);
    um_loop_stop(p->loop);
}

/* Its end is ours; all else was meant for the program that has the terminal in front, if that is
 * not this one. */
static void on_input(int fd, um_unused unsigned ready, void *arg)
{
    struct program *p = arg;
    char bytes[256];
    ssize_t n = read(fd, bytes, sizeof(bytes));

    if (n == 0) {
        (void)switch_say("EOF on stdin, cleaning up and exiting");
        um_loop_stop(p->loop);
    } else if (n < 0 && errno != EINTR) {
        um_watch_set(p->input, 0);
        um_timer_arm(p->input_pause, UM_SEC_NS);
    }
}

static void on_input_pause_over(void *arg)
{
    struct program *p = arg;

    um_watch_set(p->input, UM_READ);
}

static void on_tap_closed(void *arg, const char *reason)
{
    struct tap *tap = arg;

    um_log(UM_LOG_ERROR, "%s: %s", tap->name, reason);
    netd_link_free(tap->link);
    tap->link = NULL;
}

/* A daemon's directory is another one: the path from the root. Once for each place in absolute. */
static enum um_code make_absolute(char **place, const char **path, struct um_error *err)
{
    char *folder;

    if (!*path || (*path)[0] == '/')
        return UM_OK;
    folder = getcwd(NULL, 0);
    if (!folder || asprintf(place, "%s/%s", folder, *path) < 0) {
        *place = NULL;
        free(folder);
        return um_fail_errno(err, errno, *path, "cannot tell the current directory");
    }
    free(folder);
    *path = *place;
    return UM_OK;
}

static enum um_code make_all_absolute(struct program *p, struct um_error *err)
{
    const char **paths[] = {&p->options.control, &p->options.data, &p->options.pidfile};
    enum um_code code = UM_OK;

    for (size_t i = 0; i < UM_ARRAY_LEN(paths) && code == UM_OK; i++)
        code = make_absolute(&p->absolute[i], paths[i], err);
    return code;
}

static bool watch_signals(struct program *p)
{
    size_t count = UM_ARRAY_LEN(end_signals) - (p->options.daemon ? 1 : 0);

    for (size_t i = 0; i < count; i++) {
        p->signals[i] = um_signal_new(p->loop, end_signals[i], on_signal, p);
        if (!p->signals[i])
            return false;
    }
    return true;
}

/* Only a terminal: its end is that of the session. Nothing is waited for at anything else. */
static bool watch_input(struct program *p)
{
    if (p->options.daemon || !isatty(STDIN_FILENO))
        return true;
    signal(SIGTTIN, SIG_IGN); /* in the background a read fails, and does not stop the switch */
    p->input_pause = um_timer_new(p->loop, on_input_pause_over, p);
    p->input = um_watch_new(p->loop, STDIN_FILENO, UM_READ, on_input, p);
    return p->input_pause && p->input;
}

static enum um_code start_switch(struct program *p, struct um_error *err)
{
    struct netd_switch_config config = netd_switch_config_default;

    config.hub = p->options.hub;
    config.mac.age_ns = p->options.age_s * UM_SEC_NS;
    config.mac.guard_ns = p->options.guard_s * UM_SEC_NS;
    p->loop = um_loop_new();
    p->sw = netd_switch_new(&config);
    p->io_ready = p->loop && p->sw && netd_io_init(&p->io, p->loop, p->sw);
    if (!p->io_ready || !watch_signals(p) || !watch_input(p))
        return um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "no memory");
    switch_events_init(&p->events, p->sw);
    return UM_OK;
}

static enum um_code open_sockets(struct program *p, const struct netd_port_config *port,
                                 struct um_error *err)
{
    const struct switch_options *o = &p->options;
    enum um_code code = UM_OK;

    if (o->data)
        code = netd_shared_new(&p->io, o->data, &o->access, &p->shared, err);
    if (code == UM_OK)
        code = netd_listener_new(&p->io, NETD_LISTEN_UML, o->control, &o->access, port,
                                 &p->listener, err);
    if (code == UM_OK && p->shared)
        netd_listener_serve_v0(p->listener, p->shared);
    return code;
}

static enum um_code open_taps(struct program *p, struct um_error *err)
{
    for (int i = 0; i < p->options.tap_count; i++) {
        p->taps[i] = (struct tap){.name = p->options.taps[i], .fd = -1};
        if (netd_tap_open(p->taps[i].name, &p->taps[i].fd, err) != UM_OK)
            return err->code;
    }
    return UM_OK;
}

static enum um_code link_taps(struct program *p, struct netd_port_config *port,
                              struct um_error *err)
{
    for (int i = 0; i < p->options.tap_count; i++) {
        struct tap *tap = &p->taps[i];

        snprintf(port->name, sizeof(port->name), "%s", tap->name);
        tap->link = netd_link_new(&p->io, tap->fd, NETD_LINK_TAP, port, on_tap_closed, tap);
        tap->fd = -1;
        if (!tap->link)
            return um_fail(err, UM_E_NO_RESOURCES, tap->name, NULL, "no memory");
    }
    return UM_OK;
}

static enum um_code write_pidfile(struct program *p, struct um_error *err)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    enum um_code code = UM_OK;

    if (p->options.pidfile)
        code = um_file_replace(p->options.pidfile, text, (size_t)len, 0644, err);
    p->has_pidfile = p->options.pidfile && code == UM_OK;
    return code;
}

static void say_start(const struct switch_options *o)
{
    char taps[SWITCH_TAPS_MAX * 40] = "";
    size_t len = 0;

    for (int i = 0; i < o->tap_count; i++)
        len += (size_t)snprintf(taps + len, sizeof(taps) - len, " tap device '%s'", o->taps[i]);
    if (o->data)
        (void)switch_say("Control protocol 0 compatibility");
    if (o->hub)
        (void)switch_say("uml_switch will be a hub instead of a switch");
    if (o->data)
        (void)switch_say("uml_switch attached to unix sockets '%s' and '%s'%s", o->control, o->data,
                         taps);
    else
        (void)switch_say("uml_switch attached to unix socket '%s'%s", o->control, taps);
}

/* What can fail for want of a right comes first, what others see comes last. */
static enum um_code start(struct program *p, struct um_error *err)
{
    struct netd_port_config port = netd_port_config_default;
    enum um_code code = start_switch(p, err);

    port.frame_max = p->options.frame_max;
    snprintf(port.name, sizeof(port.name), "port");
    if (code == UM_OK)
        code = open_taps(p, err);
    if (code == UM_OK)
        code = open_sockets(p, &port, err);
    if (code == UM_OK)
        code = write_pidfile(p, err);
    if (code != UM_OK)
        return code;
    say_start(&p->options);
    netd_switch_observe(p->sw, switch_events_take, &p->events);
    return link_taps(p, &port, err);
}

static void say_strangers(const struct program *p)
{
    if (p->shared && netd_shared_strangers(p->shared))
        (void)switch_say(" Data socket dropped: %llu %s",
                         (unsigned long long)netd_shared_strangers(p->shared),
                         netd_drop_name(NETD_DROP_STRANGER));
}

static void stop(struct program *p)
{
    switch_events_unlimit(&p->events);
    say_strangers(p);
    for (int i = 0; i < p->options.tap_count; i++) {
        netd_link_free(p->taps[i].link);
        if (p->taps[i].name)
            um_fd_close(&p->taps[i].fd);
    }
    netd_listener_free(p->listener);
    netd_shared_free(p->shared);
    if (p->has_pidfile)
        unlink(p->options.pidfile);
    for (size_t i = 0; i < UM_ARRAY_LEN(p->signals); i++)
        um_signal_free(p->signals[i]);
    um_watch_free(p->input);
    um_timer_free(p->input_pause);
    if (p->io_ready)
        netd_io_done(&p->io);
    netd_switch_free(p->sw);
    um_loop_free(p->loop);
}

/* Exit status. told: of switch_daemon_start(), or -1. */
static int serve(struct program *p, int told)
{
    struct um_error err = UM_ERROR_INIT;
    char text[1200];
    enum um_code code = start(p, &err);

    if (code == UM_OK && p->options.daemon)
        switch_daemon_ready(told);
    if (code == UM_OK)
        um_loop_run(p->loop);
    else
        fprintf(stderr, "uml_switch: %s\n", um_error_text(&err, text, sizeof(text)));
    stop(p);
    return code == UM_OK ? 0 : 1;
}

int switch_program(int argc, char **argv)
{
    static struct program p;
    struct um_error err = UM_ERROR_INIT;
    int told = -1, status = 1;
    char text[1200];

    if (!switch_options_read(argc, argv, &p.options))
        return 1;
    um_log_init("uml_switch");
    signal(SIGPIPE, SIG_IGN);
    if (p.options.daemon && make_all_absolute(&p, &err) != UM_OK)
        fprintf(stderr, "uml_switch: %s\n", um_error_text(&err, text, sizeof(text)));
    else if (p.options.daemon && !switch_daemon_start(&told))
        fprintf(stderr, "uml_switch: cannot go to the background: %s\n", strerror(errno));
    else
        status = serve(&p, told);
    for (size_t i = 0; i < UM_ARRAY_LEN(p.absolute); i++)
        free(p.absolute[i]);
    return status;
}
