#include "umld/guest_watch.h"

#include "umld/events.h"
#include "umld/guest.h"
#include "umld/guest_evidence.h"
#include "umld/process.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLICES = 10,         /* of the limit, until it hangs */
    SUSPECT_SLICES = 3,  /* until it is suspected */
    LATE_MS = 500,       /* an answer that took longer is late */
    BUSY_PER_MILLE = 10, /* of a CPU: less is idle */
    WORST_SHARE = 10     /* a slice without any CPU counts a tenth */
};

/* Twice a minute, and no process of a guest can do it more often. */
#define REPORT_EVERY_NS (30 * UM_SEC_NS)

static const char *const state_names[WATCH_COUNT] = {
    [WATCH_RESPONSIVE] = "responsive", [WATCH_SUSPECT] = "suspect", [WATCH_HUNG] = "hung"};

const char *guest_watch_name(enum guest_watch_state s)
{
    return (unsigned)s < WATCH_COUNT ? state_names[s] : NULL;
}

static int64_t limit_ms(const struct guest *g)
{
    return settings_int(g->umld, SETTING_HANG_SECONDS) * 1000;
}

static int64_t slice_ms(const struct guest *g)
{
    return limit_ms(g) / SLICES;
}

/* 0 to 999, another one for each guest and each ping: so hundreds do not ask at the same time. */
static unsigned spread(const struct guest *g)
{
    uint64_t x = (uint64_t)g->id * UINT64_C(0x9e3779b97f4a7c15) + g->watch.pings * UINT64_C(7919);

    return (unsigned)((x ^ x >> 29) % 1000);
}

/* ---- what is done about a hang ---- */

static void end_it(struct guest *g, const char *text)
{
    g->end.hung = g->def.hang;
    free((char *)(uintptr_t)g->end.text);
    g->end.text = strdup(text);
    g->hung = true; /* stored: a new daemon knows why it is being killed */
    guest_post(g, GUEST_T_HUNG);
}

static void report(struct guest *g, const char *source, const char *text)
{
    char path[GUEST_PATH_SIZE + 64], boot[24];
    bool kept = guest_evidence_save(g, "hang", text, path);

    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    events_emit(g->umld, "guest.hang", g->def.name, "boot", boot, "source", source, "text", text,
                "policy", guest_hang_name(g->def.hang), "evidence", kept ? path : NULL, NULL);
    um_log(UM_LOG_WARNING, "guest %s: hangs: %s (hang=%s)%s%s", g->def.name, text,
           guest_hang_name(g->def.hang), kept ? ", evidence in " : "", kept ? path : "");
    if (g->def.hang == HANG_RESTART || g->def.hang == HANG_KILL)
        end_it(g, text);
    guest_touch(g);
}

void guest_watch_reported(struct guest *g)
{
    int64_t now = um_clock_mono_ns();
    struct guest_watch *w = &g->watch;

    /* One that is paused, or on its way down, has no time for its watchdog. */
    if (g->state != GUEST_RUNNING || g->asked[0] ||
        (w->reported_ns && now - w->reported_ns < REPORT_EVERY_NS)) {
        um_log(UM_LOG_INFO, "guest %s: its watchdog reports a hang: ignored", g->def.name);
        return;
    }
    w->reported_ns = now;
    report(g, "watchdog", "nothing was written to its /dev/watchdog in time");
}

static void hang(struct guest *g)
{
    char text[64];

    g->watch.state = WATCH_HUNG;
    g->watch.hung_ns = um_clock_mono_ns();
    g->hung = true;
    snprintf(text, sizeof(text), "no answer for %" PRId64 " s", limit_ms(g) / 1000);
    report(g, "mconsole", text);
}

static void recover(struct guest *g)
{
    struct guest_watch *w = &g->watch;
    char seconds[24] = "", boot[24];

    if (w->state == WATCH_SUSPECT)
        um_log(UM_LOG_INFO, "guest %s: answers again", g->def.name);
    w->state = WATCH_RESPONSIVE;
    if (!g->hung)
        return;
    g->hung = false;
    if (w->hung_ns)
        snprintf(seconds, sizeof(seconds), "%" PRId64,
                 (um_clock_mono_ns() - w->hung_ns) / UM_SEC_NS);
    w->hung_ns = 0;
    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    events_emit(g->umld, "guest.responsive", g->def.name, "boot", boot, "seconds", seconds, NULL);
    um_log(UM_LOG_NOTICE, "guest %s: answers again after having hung", g->def.name);
    guest_touch(g);
}

/* ---- signs of life ---- */

static bool is_idle(struct guest *g, int64_t now)
{
    struct guest_watch *w = &g->watch;
    int64_t ticks = process_cpu_ticks(g->main_pid), used = ticks - w->cpu_ticks,
            passed_ms = (now - w->cpu_ns) / UM_MS_NS;
    bool idle = w->cpu_ns &&
                used * 1000 * 1000 < passed_ms * BUSY_PER_MILLE * sysconf(_SC_CLK_TCK) + 1000000;

    w->cpu_ticks = ticks;
    w->cpu_ns = now;
    return idle;
}

static void adapt(struct guest *g, int64_t took_ms)
{
    struct guest_watch *w = &g->watch;
    int64_t shortest = limit_ms(g) / 10, usual = limit_ms(g) / 3, longest = limit_ms(g);
    bool idle = is_idle(g, um_clock_mono_ns());

    if (took_ms > LATE_MS)
        w->interval_ms = shortest;
    else if (idle || w->interval_ms < usual)
        w->interval_ms *= 2;
    else
        w->interval_ms = usual;
    if (w->interval_ms > longest)
        w->interval_ms = longest;
}

static void alive(struct guest *g)
{
    g->watch.silent_ms = 0;
    recover(g);
}

/* An answer to anything, on any lane. */
static bool heard(struct guest *g)
{
    struct guest_watch *w = &g->watch;
    int64_t last = w->heard_ns;

    for (int i = 0; i < MCONSOLE_LANE_COUNT; i++) {
        int64_t answered = g->lanes[i] ? mconsole_lane_answered_ns(g->lanes[i]) : 0;

        if (answered > w->heard_ns)
            w->heard_ns = answered;
    }
    return w->heard_ns != last;
}

/* ---- pings ---- */

static void begin_slice(struct guest *g)
{
    struct guest_watch *w = &g->watch;

    w->slice_ns = um_clock_mono_ns();
    w->cpu_wait_ns = process_cpu_wait_ns(g->main_pid);
    um_timer_arm(w->timer, slice_ms(g) * UM_MS_NS);
}

static void rest(struct guest *g)
{
    struct guest_watch *w = &g->watch;

    w->waiting = false;
    um_timer_arm(w->timer, w->interval_ms * (900 + spread(g) / 5) * UM_MS_NS / 1000);
}

struct ping_call {
    struct umld *umld;
    int64_t id;
    unsigned round;
};

static void answered(enum um_code code, um_unused int32_t status, um_unused const char *text,
                     um_unused size_t len, void *arg)
{
    struct ping_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);
    bool ours = g && g->watch.round == call->round;

    free(call);
    if (!ours)
        return;
    g->watch.asked = false;
    /* Without an answer the slice goes on, and asks again at its end. */
    if (code != UM_OK && code != UM_E_GUEST_ERROR)
        return;
    alive(g);
    adapt(g, (um_clock_mono_ns() - g->watch.sent_ns) / UM_MS_NS);
    rest(g);
}

static void ask(struct guest *g)
{
    struct guest_watch *w = &g->watch;
    struct ping_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call)
        return;
    *call = (struct ping_call){g->umld, g->id, w->round};
    /* One ping for the whole limit: a kernel that is stopped collects them, and not many fit. */
    if (guest_mconsole_on(g, MCONSOLE_LANE_WATCH, "version", (int)limit_ms(g), 0, answered, call,
                          &err)) {
        free(call);
        return;
    }
    w->asked = true;
    w->sent_ns = um_clock_mono_ns();
    w->pings++;
    g->umld->pings++;
}

/* What the slice that ends now counts. */
static int64_t slice_weight_ms(const struct guest *g)
{
    const struct guest_watch *w = &g->watch;
    int64_t passed = (um_clock_mono_ns() - w->slice_ns) / UM_MS_NS, slice = slice_ms(g);
    int64_t wait = process_cpu_wait_ns(g->main_pid), starved = 0;

    if (passed > 0 && wait > w->cpu_wait_ns && w->cpu_wait_ns >= 0)
        starved = (wait - w->cpu_wait_ns) / UM_MS_NS * slice / passed;
    if (starved > slice - slice / WORST_SHARE)
        starved = slice - slice / WORST_SHARE;
    return slice - starved;
}

static void end_slice(struct guest *g)
{
    struct guest_watch *w = &g->watch;

    if (heard(g)) {
        alive(g);
        return;
    }
    w->silent_ms += slice_weight_ms(g);
    if (w->state == WATCH_RESPONSIVE && w->silent_ms >= limit_ms(g) * SUSPECT_SLICES / SLICES) {
        w->state = WATCH_SUSPECT;
        um_log(UM_LOG_INFO, "guest %s: has not answered for %" PRId64 " ms", g->def.name,
               w->silent_ms);
    }
    if (w->state != WATCH_HUNG && w->silent_ms >= limit_ms(g))
        hang(g);
}

static void begin_waiting(struct guest *g)
{
    (void)heard(g); /* what was answered before it was asked is no sign of life now */
    g->watch.waiting = true;
    g->watch.waiting_ns = um_clock_mono_ns();
}

static void on_timer(void *arg)
{
    struct guest *g = arg;
    struct guest_watch *w = &g->watch;

    if (w->state == WATCH_OFF)
        return;
    if (w->waiting)
        end_slice(g);
    else
        begin_waiting(g);
    begin_slice(g);
    if (!w->asked)
        ask(g);
}

/* ---- watched or not ---- */

static bool is_to_be_watched(const struct guest *g)
{
    return g->id && g->state == GUEST_RUNNING && g->kernel_up && !g->asked[0] &&
           g->def.hang != HANG_NONE;
}

static void begin(struct guest *g)
{
    struct guest_watch *w = &g->watch;

    if (!w->timer)
        w->timer = um_timer_new(g->umld->loop, on_timer, g);
    if (!w->timer)
        return;
    w->state = g->hung ? WATCH_HUNG : WATCH_RESPONSIVE;
    w->interval_ms = limit_ms(g) / 3;
    w->waiting = false;
    w->silent_ms = w->cpu_ns = 0;
    /* A guest that has just come up, or a hundred that were just adopted, are left alone first. */
    um_timer_arm(w->timer, w->interval_ms * (500 + spread(g)) * UM_MS_NS / 1000);
}

static void end(struct guest *g)
{
    struct guest_watch *w = &g->watch;

    w->state = WATCH_OFF;
    w->asked = false;
    w->round++;
    um_timer_disarm(w->timer);
    mconsole_lane_free(g->lanes[MCONSOLE_LANE_WATCH]);
    g->lanes[MCONSOLE_LANE_WATCH] = NULL;
}

void guest_watch_update(struct guest *g)
{
    bool wanted = is_to_be_watched(g);

    if (wanted && g->watch.state == WATCH_OFF)
        begin(g);
    else if (!wanted && g->watch.state != WATCH_OFF)
        end(g);
}

void guest_watch_rebooted(struct guest *g)
{
    if (g->watch.state != WATCH_OFF)
        alive(g);
    g->hung = false;
}

void guest_watch_done(struct guest *g)
{
    um_timer_free(g->watch.timer);
    g->watch.timer = NULL;
    g->watch.state = WATCH_OFF;
}
