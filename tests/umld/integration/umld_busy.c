/*
 * umld with a source of events: at SIGUSR1 it emits `busy.tick` and, each thousandth, `busy.rare`,
 * until there are UMLD_BUSY_EVENTS of all kinds; the data says the number once more. Everything
 * else is the real daemon. Arguments as umld's: --run-dir DIR --state-dir DIR.
 */
#include "umld/events.h"
#include "umld/umld.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EACH_ROUND = 500, RARE = 1000 };

struct source {
    struct umld *umld;
    struct um_timer *timer;
    int64_t count;
};

static void emit(void *arg)
{
    struct source *s = arg;

    for (int i = 0; i < EACH_ROUND; i++) {
        int64_t seq = events_last(s->umld->events) + 1;
        char number[24];

        if (seq > s->count)
            return;
        snprintf(number, sizeof(number), "%" PRId64, seq);
        events_emit(s->umld, seq % RARE ? "busy.tick" : "busy.rare", seq % 3 ? "web" : "db",
                    "number", number, NULL);
    }
    um_timer_arm(s->timer, 0);
}

static void on_signal(um_unused int signo, void *arg)
{
    emit(arg);
}

int main(int argc, char **argv)
{
    struct umld_options options = {.check_only = false};
    const char *count = getenv("UMLD_BUSY_EVENTS");
    struct source source = {.count = count ? atoll(count) : 0};
    struct um_signal *begin;
    struct um_error err;

    if (argc != 5)
        return 2;
    um_log_init("umld");
    snprintf(options.paths.run_dir, sizeof(options.paths.run_dir), "%s", argv[2]);
    snprintf(options.paths.state_dir, sizeof(options.paths.state_dir), "%s", argv[4]);
    snprintf(options.paths.socket, sizeof(options.paths.socket), "%s/api", argv[2]);
    if (umld_start(&options, &source.umld, &err)) {
        fprintf(stderr, "umld_busy: %s\n", err.message);
        return 1;
    }
    source.timer = um_timer_new(source.umld->loop, emit, &source);
    begin = um_signal_new(source.umld->loop, SIGUSR1, on_signal, &source);
    umld_run(source.umld);
    um_signal_free(begin);
    um_timer_free(source.timer);
    umld_free(source.umld);
    return 0;
}
