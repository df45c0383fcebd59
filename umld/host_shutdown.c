#include "umld/host_shutdown.h"

#include "umld/events.h"
#include "umld/guest_ladder.h"
#include "umld/jobs.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the budget, for syncing and halting, and within that for killing. */
enum { HALT_SHARE = 3, HALT_MAX_MS = 15000, KILL_SHARE = 6, KILL_MAX_MS = 5000 };

enum phase { PHASE_ASKING, PHASE_HALTING, PHASE_KILLING, PHASE_INSISTING, PHASE_OVER };

struct host_shutdown {
    struct umld *umld;
    uint64_t call_id;
    int64_t job;
    enum phase phase;
    int64_t until_ns[PHASE_OVER]; /* end of each phase, monotonic clock */
    struct um_timer *timer;
    int total, up, shown_up;
    enum phase shown_phase;
};

static const char *const phase_names[PHASE_OVER] = {
    [PHASE_ASKING] = "asking",
    [PHASE_HALTING] = "halting",
    [PHASE_KILLING] = "killing",
    [PHASE_INSISTING] = "killing",
};

bool host_shutdown_runs(const struct umld *umld)
{
    return umld->shutdown != NULL;
}

int64_t host_shutdown_left_ms(const struct umld *umld, int rung)
{
    const struct host_shutdown *s = umld->shutdown;
    int64_t now = um_clock_mono_ns(), until;

    if (!s)
        return INT64_MAX;
    if (rung < RUNG_SYNC && s->phase == PHASE_ASKING)
        return s->until_ns[PHASE_ASKING] > now ? (s->until_ns[PHASE_ASKING] - now) / UM_MS_NS : 0;
    /* What is left before the killing, in equal parts for this rung and those behind it: who has
     * not been asked yet because others depend on it gets a short chance, too. */
    until = s->until_ns[PHASE_HALTING];
    return until > now && rung < RUNG_KILL ? (until - now) / UM_MS_NS / (RUNG_KILL - rung) : 0;
}

static bool is_up(const struct guest *g)
{
    return !g->removed &&
           (g->inbox_count > 0 || (g->state != GUEST_STOPPED && g->state != GUEST_FAILED));
}

static void emit_phase(const struct host_shutdown *s, const char *phase)
{
    char up[24];

    snprintf(up, sizeof(up), "%d", s->up);
    um_log(UM_LOG_NOTICE, "host shutdown: %s, %d of %d guests are up", phase, s->up, s->total);
    events_emit(s->umld, "host.shutdown", "umld", "phase", phase, "up", up, NULL);
}

static json_t *progress(const struct host_shutdown *s)
{
    json_t *killed = json_array();
    char id[24];

    for (int i = 0; i < guest_count(s->umld); i++) {
        const struct guest *g = guest_list(s->umld, i);

        if (g->parked && !is_up(g) && g->how && strcmp(g->how, "killed") == 0)
            json_array_append_new(killed, json_string(g->def.name));
    }
    return json_pack("{s:s,s:s,s:i,s:i,s:o}", "job", jobs_id_text(s->job, id, sizeof(id)), "phase",
                     phase_names[s->phase], "done", s->total - s->up, "total", s->total, "killed",
                     killed);
}

static void show_progress(struct host_shutdown *s)
{
    struct api_call *call = api_call_find(s->umld->server, s->call_id);

    if (s->up == s->shown_up && s->phase == s->shown_phase)
        return;
    if (s->phase != s->shown_phase)
        emit_phase(s, phase_names[s->phase]);
    s->shown_up = s->up;
    s->shown_phase = s->phase;
    jobs_phase(s->umld, s->job, phase_names[s->phase], s->total - s->up, s->total);
    if (call && api_call_more(call) && !api_reply_continue(call, progress(s)))
        um_log(UM_LOG_DEBUG, "host shutdown: its client does not read the progress");
}

void host_shutdown_free(struct umld *umld)
{
    if (!umld->shutdown)
        return;
    um_timer_free(umld->shutdown->timer);
    free(umld->shutdown);
    umld->shutdown = NULL;
}

/* ---- asking ---- */

/* It is not on its way down yet, or something has turned it round. */
static bool needs_push(const struct guest *g)
{
    if (g->inbox_count > 0)
        return false;
    if (!g->parked)
        return true;
    return g->state != GUEST_STOPPING && g->state != GUEST_KILLING && g->state != GUEST_RELEASING &&
           g->state != GUEST_ADOPTING;
}

static void send_down(struct guest *g, enum guest_event event)
{
    g->parked = true;
    guest_ask(g, event, "the host's shutdown");
}

/* Mark what something that is up depends on. Returns the mark. */
static unsigned mark_needed(struct umld *umld)
{
    unsigned mark = ++umld->order_mark;

    for (int i = 0; i < guest_count(umld); i++) {
        const struct guest *g = guest_list(umld, i);

        for (size_t n = 0; is_up(g) && n < g->def.depends.n; n++) {
            struct guest *needed = guest_find(umld, g->def.depends.v[n]);

            if (needed)
                needed->order_mark = mark;
        }
    }
    return mark;
}

static void ask_next(struct host_shutdown *s)
{
    unsigned mark = mark_needed(s->umld);
    int under_way = 0;

    for (int i = 0; i < guest_count(s->umld); i++) {
        struct guest *g = guest_list(s->umld, i);

        if (!is_up(g) || (g->order_mark == mark && !g->parked))
            continue;
        under_way++;
        if (needs_push(g))
            send_down(g, GUEST_U_STOP);
    }
    /* A circle, which no definition makes but an edited database may. */
    for (int i = 0; under_way == 0 && i < guest_count(s->umld); i++)
        if (is_up(guest_list(s->umld, i)))
            send_down(guest_list(s->umld, i), GUEST_U_STOP);
}

/* ---- the end ---- */

static void names_up(const struct host_shutdown *s, char *buf, size_t size)
{
    buf[0] = '\0';
    for (int i = 0; i < guest_count(s->umld); i++) {
        const struct guest *g = guest_list(s->umld, i);
        size_t used = strlen(buf);

        if (is_up(g) && used + strlen(g->def.name) + sizeof(", ") < size)
            snprintf(buf + used, size - used, "%s%s", used ? ", " : "", g->def.name);
    }
}

static void finish(struct host_shutdown *s, const struct um_error *err)
{
    struct umld *umld = s->umld;
    struct api_call *call = api_call_find(umld->server, s->call_id);

    emit_phase(s, !err ? "down" : err->code == UM_E_CANCELLED ? "cancelled" : "failed");
    jobs_phase(umld, s->job, phase_names[s->phase], s->total - s->up, s->total);
    jobs_end(umld, s->job, err);
    if (call && err)
        api_reply_error(call, err);
    else if (call)
        api_reply(call, progress(s));
    host_shutdown_free(umld);
    if (!err)
        umld_quit(umld);
}

static void give_up(struct host_shutdown *s)
{
    struct um_error err;
    char names[400];

    names_up(s, names, sizeof(names));
    um_fail(&err, UM_E_TIMEOUT, "umld", NULL, "%d guests are not proven dead: %s", s->up, names);
    um_hint(&err, "umld goes on; see its log");
    finish(s, &err);
}

static void next_phase(void *arg)
{
    struct host_shutdown *s = arg;

    if (++s->phase == PHASE_OVER) {
        s->phase = PHASE_INSISTING;
        give_up(s);
        return;
    }
    um_timer_arm(s->timer, s->until_ns[s->phase] - um_clock_mono_ns());
    for (int i = 0; i < guest_count(s->umld); i++) {
        struct guest *g = guest_list(s->umld, i);

        if (s->phase > PHASE_HALTING && is_up(g))
            send_down(g, GUEST_U_KILL);
        else if (is_up(g) && g->parked)
            guest_ladder_hurry(g);
    }
}

/* The order does not matter any more. */
static void push_all(struct host_shutdown *s)
{
    for (int i = 0; i < guest_count(s->umld); i++) {
        struct guest *g = guest_list(s->umld, i);

        if (is_up(g) && needs_push(g))
            send_down(g, s->phase == PHASE_HALTING ? GUEST_U_STOP : GUEST_U_KILL);
    }
}

void host_shutdown_look(struct umld *umld)
{
    struct host_shutdown *s = umld->shutdown;

    if (!s)
        return;
    s->up = 0;
    for (int i = 0; i < guest_count(umld); i++)
        s->up += is_up(guest_list(umld, i));
    if (s->up == 0) {
        finish(s, NULL);
        return;
    }
    show_progress(s);
    if (s->phase == PHASE_ASKING)
        ask_next(s);
    else
        push_all(s);
}

/* What went down comes up again; what has only been asked may stay. */
static enum um_code cancel(struct umld *umld, um_unused int64_t id, um_unused void *arg,
                           um_unused struct um_error *ret_err)
{
    struct um_error err;

    um_fail(&err, UM_E_CANCELLED, "umld", NULL, "the shutdown was cancelled");
    um_hint(&err, "guests that are down already are started again");
    for (int i = 0; i < guest_count(umld); i++) {
        struct guest *g = guest_list(umld, i);

        if (!g->parked || !g->want_up)
            continue;
        g->parked = false;
        guest_ask(g,
                  g->state == GUEST_STOPPING && g->rung <= RUNG_CAD ? GUEST_U_KEEP : GUEST_U_START,
                  "the end of the host's shutdown");
    }
    finish(umld->shutdown, &err);
    return UM_OK;
}

static int64_t share_ms(int64_t budget, int share, int64_t most)
{
    return budget / share < most ? budget / share : most;
}

static void refuse(struct api_call *call, enum um_code code, const char *why)
{
    struct um_error err;

    um_fail(&err, code, "umld", NULL, "%s", why);
    api_reply_error(call, &err);
}

void host_shutdown_begin(struct umld *umld, struct api_call *call, int64_t budget_ms)
{
    int64_t now = um_clock_mono_ns(), end = now + budget_ms * UM_MS_NS;
    int64_t killing = share_ms(budget_ms, KILL_SHARE, KILL_MAX_MS) * UM_MS_NS;
    struct host_shutdown *s;

    if (umld->shutdown) {
        refuse(call, UM_E_BUSY, "is shutting its guests down already");
        return;
    }
    s = calloc(1, sizeof(*s));
    if (s)
        s->timer = um_timer_new(umld->loop, next_phase, s);
    if (!s || !s->timer) {
        free(s);
        refuse(call, UM_E_NO_RESOURCES, "out of memory");
        return;
    }
    s->umld = umld;
    s->call_id = api_call_id(call);
    s->shown_up = -1;
    s->shown_phase = PHASE_OVER;
    s->until_ns[PHASE_INSISTING] = end;
    s->until_ns[PHASE_KILLING] = end - killing / 2;
    s->until_ns[PHASE_HALTING] = end - killing;
    s->until_ns[PHASE_ASKING] = end - share_ms(budget_ms, HALT_SHARE, HALT_MAX_MS) * UM_MS_NS;
    s->job = jobs_begin(umld, "host.shutdown", "umld", api_call_uid(call), cancel, NULL);
    umld->shutdown = s;
    for (int i = 0; i < guest_count(umld); i++)
        s->total += is_up(guest_list(umld, i));
    um_timer_arm(s->timer, s->until_ns[PHASE_ASKING] - now);
}
