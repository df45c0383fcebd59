#include "netd/program.h"

#include "netd/listener.h"
#include "vmcore/base/log.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTENERS_MAX = 8 };

struct program {
    struct um_loop *loop;
    struct netd_switch *sw;
    struct netd_io io;
    bool io_ready;
    struct um_signal *signals[2];
    struct netd_listener *listeners[LISTENERS_MAX];
    int listener_count;
    struct netd_switch_config config;
};

/* What the command line asks for. */
struct request {
    struct {
        enum netd_listener_kind kind;
        const char *path;
    } listen[LISTENERS_MAX];
    int listen_count;
};

static const char usage[] =
    "usage: umlnetd [--hub] --listen KIND:PATH ...\n"
    "\n"
    "Forwards Ethernet frames between the ports of one network until SIGTERM.\n"
    "\n"
    "  --hub               pass every frame to every other port, learn nothing\n"
    "  --listen KIND:PATH  take ports from the socket at PATH (up to 8 times); KIND is\n"
    "                        uml        control socket of the uml_switch protocol, v1 and v3\n"
    "                        vde        folder for vde_plug and other clients of VDE\n"
    "                        seqpacket  one message a frame: vecN:transport=bess,dst=PATH\n"
    "                        stream2    two bytes of length before each frame: vde_plug\n"
    "                        stream4    four bytes of length: qemu -netdev stream\n"
    "  --help              print this\n"
    "\n"
    "It prints a line to standard output when all sockets are there.\n";

static bool add_listen(struct request *r, const char *text)
{
    const char *colon = strchr(text, ':');
    char kind[16];

    if (!colon || !colon[1] || (size_t)(colon - text) >= sizeof(kind)) {
        fprintf(stderr, "umlnetd: --listen %s: it must be KIND:PATH, as in seqpacket:/run/lan\n",
                text);
        return false;
    }
    if (r->listen_count == LISTENERS_MAX) {
        fprintf(stderr, "umlnetd: --listen %s: at most %d are possible\n", text, LISTENERS_MAX);
        return false;
    }
    memcpy(kind, text, (size_t)(colon - text));
    kind[colon - text] = '\0';
    if (!netd_listener_kind_from_name(kind, &r->listen[r->listen_count].kind)) {
        fprintf(stderr,
                "umlnetd: --listen %s: no such kind: uml, vde, seqpacket, stream2 or stream4\n",
                text);
        return false;
    }
    r->listen[r->listen_count++].path = colon + 1;
    return true;
}

/* Exit status, or -1 to go on. */
static int read_options(int argc, char **argv, struct program *p, struct request *r)
{
    static const struct option options[] = {{"hub", no_argument, NULL, 'h'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, '?'},
                                            {NULL, 0, NULL, 0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            p->config.hub = true;
        } else if (option == 'l') {
            if (!add_listen(r, optarg))
                return 2;
        } else if (optopt == 0 && strcmp(argv[optind - 1], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else {
            fprintf(stderr, "umlnetd: %s: unknown, or without its value\n%s", argv[optind - 1],
                    usage);
            return 2;
        }
    }
    if (optind < argc || !r->listen_count) {
        fprintf(stderr, "umlnetd: %s\n%s",
                optind < argc ? "no arguments are taken" : "--listen is missing", usage);
        return 2;
    }
    return -1;
}

static void on_signal(um_unused int signo, void *arg)
{
    struct program *p = arg;

    um_loop_stop(p->loop);
}

static enum um_code open_listeners(struct program *p, const struct request *r, struct um_error *err)
{
    for (int i = 0; i < r->listen_count; i++) {
        struct netd_port_config config = netd_port_config_default;
        enum um_code code;

        snprintf(config.name, sizeof(config.name), "%s%d",
                 netd_listener_kind_name(r->listen[i].kind), i);
        code = netd_listener_new(&p->io, r->listen[i].kind, r->listen[i].path, &netd_access_default,
                                 &config, &p->listeners[i], err);
        if (code != UM_OK)
            return code;
        p->listener_count++;
    }
    return UM_OK;
}

static enum um_code start(struct program *p, const struct request *r, struct um_error *err)
{
    p->loop = um_loop_new();
    p->sw = netd_switch_new(&p->config);
    p->io_ready = p->loop && p->sw && netd_io_init(&p->io, p->loop, p->sw);
    if (p->io_ready) {
        p->signals[0] = um_signal_new(p->loop, SIGTERM, on_signal, p);
        p->signals[1] = um_signal_new(p->loop, SIGINT, on_signal, p);
    }
    if (!p->signals[0] || !p->signals[1])
        return um_fail(err, UM_E_NO_RESOURCES, "umlnetd", NULL, "no memory");
    return open_listeners(p, r, err);
}

static void stop(struct program *p)
{
    for (int i = 0; i < p->listener_count; i++)
        netd_listener_free(p->listeners[i]);
    um_signal_free(p->signals[0]);
    um_signal_free(p->signals[1]);
    if (p->io_ready)
        netd_io_done(&p->io);
    netd_switch_free(p->sw);
    um_loop_free(p->loop);
}

int netd_program(int argc, char **argv)
{
    struct program p = {.config = netd_switch_config_default};
    struct um_error err = UM_ERROR_INIT;
    struct request r = {.listen_count = 0};
    char text[1200];
    int status = read_options(argc, argv, &p, &r);

    if (status >= 0)
        return status;
    um_log_init("umlnetd");
    if (start(&p, &r, &err) == UM_OK) {
        printf("ready\n");
        fflush(stdout);
        um_loop_run(p.loop);
        status = 0;
    } else {
        um_log(UM_LOG_ERROR, "%s", um_error_text(&err, text, sizeof(text)));
        status = 1;
    }
    stop(&p);
    return status;
}
