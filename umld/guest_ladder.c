#include "umld/guest_ladder.h"

#include "umld/events.h"
#include "umld/failpoint.h"
#include "umld/guest_settle.h"
#include "umld/host_shutdown.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { RUNG_MIN_MS = 200 };

static const struct rung {
    const char *name, *doing;
    const char *command; /* remount: guest_settle.c sends it; kill: umlmon is told, guest_stop.c */
    enum mconsole_verb verb;
    enum setting limit;
    bool wait_for_exit; /* the answer comes before the act: only the end of the guest counts */
} rungs[RUNG_COUNT] = {
    [RUNG_RESUME] = {"resume", "being resumed, to shut down", "go", MCONSOLE_GO,
                     SETTING_SYNC_SECONDS, false},
    [RUNG_CAD] = {"cad", "asked to shut down (Ctrl-Alt-Del)", "cad", MCONSOLE_CAD,
                  SETTING_STOP_SECONDS, true},
    [RUNG_SYNC] = {"sync", "did not shut down: its disks are being synced", "sysrq s",
                   MCONSOLE_SYSRQ, SETTING_SYNC_SECONDS, false},
    [RUNG_REMOUNT] = {"remount", "did not shut down: its disks are being remounted read-only",
                      "sysrq u", MCONSOLE_SYSRQ, SETTING_SYNC_SECONDS, false},
    [RUNG_HALT] = {"halt", "its kernel is being halted", "halt", MCONSOLE_HALT,
                   SETTING_HALT_SECONDS, true},
    [RUNG_KILL] = {.name = "kill", .doing = "being killed"},
};

struct rung_call {
    struct umld *umld;
    int64_t id;
    int rung;
    unsigned starts; /* of this life, not of a later one */
};

/* 0: this rung is left out. */
static int64_t limit_ms(const struct guest *g, int rung)
{
    int64_t limit = settings_int(g->umld, rungs[rung].limit) * 1000, left;

    if (rung == RUNG_CAD && g->grace_ms > 0)
        limit = g->grace_ms;
    if (g->parked) {
        left = host_shutdown_left_ms(g->umld, rung);
        limit = left < limit ? left : limit;
    }
    return limit;
}

int64_t guest_ladder_limit_ms(const struct guest *g)
{
    int64_t sum = 0;

    for (int rung = RUNG_RESUME; rung < RUNG_KILL; rung++)
        sum += limit_ms(g, rung);
    return sum + 5000;
}

/* What is stored as wished behind the stop. A new daemon resumes first who has to be, and starts
 * again who goes down for the host's sake only. */
static const char *behind(const struct guest *g)
{
    return g->parked ? "start" : "";
}

void guest_ladder_leave(struct guest *g, const char *result)
{
    char ms[24];

    if (!g->rung_ns)
        return;
    snprintf(ms, sizeof(ms), "%" PRId64, (um_clock_wall_ns() - g->rung_ns) / UM_MS_NS);
    um_log(UM_LOG_INFO, "guest %s: stop: %s: %s after %s ms", g->def.name, rungs[g->rung].name,
           result, ms);
    if (g->id)
        events_emit(g->umld, "guest.stop-step", g->def.name, "rung", rungs[g->rung].name, "result",
                    result, "ms", ms, NULL);
    g->rung_ns = 0;
    if (strcmp(g->asked, "resume") == 0)
        g->asked = behind(g);
    guest_touch(g);
}

static void enter(struct guest *g, int rung, int64_t limit)
{
    g->rung = rung;
    g->rung_ns = um_clock_wall_ns();
    g->rung_until_ns = g->rung_ns + limit * UM_MS_NS;
    um_log(UM_LOG_INFO, "guest %s: stop: %s (limit %" PRId64 " ms)", g->def.name, rungs[rung].name,
           limit);
    guest_touch(g);
}

static void climb(struct guest *g);

static void climb_on(struct guest *g, const char *result)
{
    guest_ladder_leave(g, result);
    g->rung++;
    climb(g);
}

/* Of this guest in this life and on this rung? Frees the call. */
static struct guest *still_there(struct rung_call *call)
{
    struct guest *g = guest_by_id(call->umld, call->id);
    bool ours = g && g->state == GUEST_STOPPING && g->rung == call->rung &&
                g->starts == call->starts && g->rung_ns;

    free(call);
    return ours ? g : NULL;
}

static struct rung_call *call_of(struct guest *g)
{
    struct rung_call *call = malloc(sizeof(*call));

    if (call)
        *call = (struct rung_call){g->umld, g->id, g->rung, g->starts};
    return call;
}

static void settled(struct guest *g, enum um_code code)
{
    if (g->rung == RUNG_REMOUNT && g->rung_ns)
        climb_on(g, !code ? "done" : code == UM_E_TIMEOUT ? "timeout" : um_code_info(code)->wire);
}

static void rung_done(enum um_code code, um_unused int32_t status, um_unused const char *text,
                      um_unused size_t len, void *arg)
{
    struct guest *g = still_there(arg);

    if (!g || code == UM_E_CANCELLED)
        return;
    /* Without a socket it is about to end, or between two kernels: either is seen in its time. */
    if ((!code || code == UM_E_NOT_RUNNING) && rungs[g->rung].wait_for_exit)
        return;
    climb_on(g, code ? um_code_info(code)->wire : "done");
}

static bool ask(struct guest *g, int64_t limit)
{
    const struct rung *r = &rungs[g->rung];
    struct rung_call *call = call_of(g);
    struct um_error err;

    if (!call)
        return false;
    if (guest_mconsole(g, r->verb, r->command,
                       (int)(limit < MCONSOLE_TIMEOUT_MS ? limit : MCONSOLE_TIMEOUT_MS),
                       MCONSOLE_FIRST, rung_done, call, &err) == UM_OK)
        return true;
    um_log(UM_LOG_INFO, "guest %s: stop: %s: %s", g->def.name, r->name, err.message);
    free(call);
    return false;
}

/* Stand on g->rung; entered: it has its time already. */
static void stand(struct guest *g)
{
    int64_t left = (g->rung_until_ns - um_clock_wall_ns()) / UM_MS_NS, most = limit_ms(g, g->rung);

    /* The clock may have been set since another daemon began it. */
    left = left < RUNG_MIN_MS ? RUNG_MIN_MS : left > most ? most : left;
    guest_set_doing(g, "%s", rungs[g->rung].doing);
    if (g->rung == RUNG_REMOUNT)
        guest_settle(g, left, settled);
    if (g->rung == RUNG_REMOUNT || ask(g, left)) {
        um_timer_arm(g->step, left * UM_MS_NS);
        failpoint(rungs[g->rung].command);
    } else {
        climb_on(g, "not sent");
    }
}

/* The next rung that is given time. False: there is none but the kill. */
static bool enter_next(struct guest *g)
{
    while (g->rung < RUNG_KILL && limit_ms(g, g->rung) == 0)
        g->rung++;
    if (g->rung >= RUNG_KILL)
        return false;
    enter(g, g->rung, limit_ms(g, g->rung));
    return true;
}

static void climb(struct guest *g)
{
    if (enter_next(g))
        stand(g);
    else
        guest_expire(g);
}

void guest_ladder_from(struct guest *g, enum guest_rung rung)
{
    if (!g->ladder_found || g->rung < (int)rung) {
        g->rung = rung;
        g->rung_ns = 0;
        g->stop_rebooted = false;
        /* Stored together with the state: a new daemon knows how much time this stop gives. */
        (void)enter_next(g);
    }
    g->ladder_found = false;
    g->asked = g->rung == RUNG_RESUME ? "resume" : behind(g);
    guest_touch(g);
    guest_effect(g, EFFECT_LADDER);
}

void guest_ladder_go_on(struct guest *g, bool rebooted)
{
    if (rebooted) {
        g->stop_rebooted = true;
        guest_ladder_leave(g, "rebooted");
        g->rung = RUNG_HALT;
    }
    g->ladder_found = rebooted || (g->rung_ns > 0 && g->rung < RUNG_KILL);
}

void guest_ladder(struct guest *g)
{
    if (g->state != GUEST_STOPPING) /* it ended in the same round */
        return;
    if (g->rung_ns)
        stand(g);
    else
        climb(g);
}

void guest_ladder_step(struct guest *g)
{
    if (g->state == GUEST_STOPPING)
        climb_on(g, "timeout");
    else
        guest_slot_release(g);
}

void guest_ladder_hurry(struct guest *g)
{
    if (g->state != GUEST_STOPPING || g->rung >= RUNG_SYNC)
        return;
    guest_ladder_leave(g, "no time left");
    g->rung = RUNG_SYNC;
    climb(g);
}

void guest_halt_now(struct guest *g)
{
    if (g->state != GUEST_STOPPING)
        return;
    g->stop_rebooted = true;
    guest_ladder_leave(g, "rebooted");
    guest_lanes_close(g); /* they lead to the kernel before this one */
    g->rung = RUNG_HALT;
    climb(g);
}

void guest_ladder_kill(struct guest *g)
{
    if (!g->end.stopping || (g->rung == RUNG_KILL && g->rung_ns))
        return;
    guest_ladder_leave(g, "cut short");
    enter(g, RUNG_KILL, guest_state_info(GUEST_KILLING)->timeout_ms);
    guest_set_doing(g, "%s", rungs[RUNG_KILL].doing);
}

const char *guest_ladder_how(const struct guest *g)
{
    if (!g->end.stopping || g->end.kind == POLICY_END_CANCEL || g->end.kind == POLICY_END_PREPARE)
        return NULL;
    if (g->end.panicked)
        return "crashed";
    if (g->rung == RUNG_KILL)
        return "killed";
    if (g->stop_rebooted)
        return "rebooted";
    if (g->rung == RUNG_HALT)
        return "halted";
    if (g->end.kind == POLICY_END_UNTOLD) /* nothing speaks against it */
        return "shutdown";
    return g->end.kind == POLICY_END_EXIT && WIFEXITED(g->end.wait_status) ? "shutdown" : "crashed";
}
