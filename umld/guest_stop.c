/*
 * Bringing a guest down: the ladder cad -> sync -> halt -> kill, one rung at a time, each with its
 * own limit; the kill of the whole tree; and what is settled once it is proven dead.
 */
#include "umld/failpoint.h"
#include "umld/guest_ids.h"
#include "umld/guest_live.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct rung {
    enum mconsole_verb verb;
    const char *command;
    int64_t limit_ms;   /* until the next rung; 0: the setting stop-seconds */
    bool wait_for_exit; /* the answer comes before the act: only the end of the guest counts */
} rungs[] = {
    {MCONSOLE_CAD, "cad", 0, true},
    {MCONSOLE_SYSRQ, "sysrq s", 5000, false},
    {MCONSOLE_SYSRQ, "sysrq u", 5000, false},
    {MCONSOLE_HALT, "halt", 5000, true},
};

struct rung_call {
    struct umld *umld;
    int64_t id;
    int rung;
};

static void climb(struct guest *g);

static void rung_done(enum um_code code, um_unused int32_t status, um_unused const char *text,
                      um_unused size_t len, void *arg)
{
    struct rung_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);
    int rung = call->rung;

    free(call);
    if (!g || g->state != GUEST_STOPPING || g->rung != rung || code == UM_E_CANCELLED)
        return;
    if (code)
        um_log(UM_LOG_INFO, "guest %s: stop: %s: %s", g->def.name,
               rung < 0 ? "go" : rungs[rung].command, um_code_info(code)->wire);
    else if (rung >= 0 && rungs[rung].wait_for_exit)
        return;
    if (rung < 0) {
        g->asked = "";
        guest_touch(g);
    }
    g->rung++;
    climb(g);
}

static bool ask(struct guest *g, enum mconsole_verb verb, const char *command, int64_t limit_ms)
{
    struct rung_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call)
        return false;
    *call = (struct rung_call){g->umld, g->id, g->rung};
    if (guest_mconsole(g, verb, command, (int)(limit_ms < 5000 ? limit_ms : 5000), MCONSOLE_FIRST,
                       rung_done, call, &err) == UM_OK)
        return true;
    free(call);
    return false;
}

static void climb(struct guest *g)
{
    for (; g->rung < (int)UM_ARRAY_LEN(rungs); g->rung++) {
        const struct rung *r = g->rung < 0 ? NULL : &rungs[g->rung];
        int64_t limit = r ? r->limit_ms : 5000;

        if (limit == 0)
            limit = settings_int(g->umld, SETTING_STOP_SECONDS) * 1000;
        um_log(UM_LOG_INFO, "guest %s: stop: %s (limit %lld ms)", g->def.name,
               r ? r->command : "go", (long long)limit);
        if (ask(g, r ? r->verb : MCONSOLE_GO, r ? r->command : "go", limit)) {
            um_timer_arm(g->step, limit * UM_MS_NS);
            failpoint(r ? r->command : "go");
            return;
        }
    }
    guest_expire(g);
}

void guest_ladder(struct guest *g)
{
    if (g->state != GUEST_STOPPING) /* it ended in the same round */
        return;
    climb(g);
}

void guest_ladder_step(struct guest *g)
{
    if (g->state == GUEST_STOPPING) {
        if (g->rung < 0)
            g->asked = "";
        g->rung++;
        climb(g);
    } else {
        guest_slot_release(g);
    }
}

void guest_halt_now(struct guest *g)
{
    if (g->state != GUEST_STOPPING)
        return;
    g->rung = (int)UM_ARRAY_LEN(rungs) - 1;
    climb(g);
}

static void reboot_refused(struct guest *g, const char *why)
{
    um_log(UM_LOG_WARNING, "guest %s: reboot: %s", g->def.name, why);
    g->asked = "";
    guest_touch(g);
    guest_waiters_check(g);
}

/* The kernel answers before it acts; that it came up again is seen by its notification. */
static void reboot_sent(enum um_code code, um_unused int32_t status, um_unused const char *text,
                        um_unused size_t len, void *arg)
{
    struct rung_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);

    if (g && code && code != UM_E_CANCELLED && g->state == GUEST_RUNNING)
        reboot_refused(g, um_code_info(code)->wire);
    free(call);
}

static void reboot_done(enum um_code code, um_unused int32_t status, um_unused const char *text,
                        um_unused size_t len, void *arg)
{
    struct rung_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);
    struct um_error err;

    if (!g || code == UM_E_CANCELLED || g->state != GUEST_RUNNING) {
        free(call);
        return;
    }
    /* The first answer is sysrq s: the disks are written; now the kernel re-executes itself. */
    if (guest_mconsole(g, MCONSOLE_REBOOT, "reboot", MCONSOLE_TIMEOUT_MS, 0, reboot_sent, call,
                       &err)) {
        reboot_refused(g, err.message);
        free(call);
    }
}

void guest_reboot(struct guest *g)
{
    struct rung_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call) {
        reboot_refused(g, "out of memory");
        return;
    }
    *call = (struct rung_call){g->umld, g->id, 0};
    if (guest_mconsole(g, MCONSOLE_SYSRQ, "sysrq s", MCONSOLE_TIMEOUT_MS, 0, reboot_done, call,
                       &err)) {
        reboot_refused(g, err.message);
        free(call);
    }
}

static void kill_if_same(pid_t pid, int64_t start)
{
    um_autofd fd = pid > 0 ? um_pidfd_open(pid) : -1;

    /* The descriptor pins the process; only then is its start time proof of who it is. */
    if (fd >= 0 && um_clock_process_start(pid) == start)
        um_pidfd_signal(fd, SIGKILL);
}

void guest_kill(struct guest *g)
{
    if (!g->kill_asked && monitor_ask(g, MON_KILL, NULL, 0, NULL, NULL, NULL)) {
        g->kill_asked = true;
        return;
    }
    /* The sandbox's first process ends with umlmon, and everything in it with that one. */
    um_log(UM_LOG_WARNING, "guest %s: killing its monitor %d", g->def.name, (int)g->monitor_pid);
    kill_if_same(g->monitor_pid, g->monitor_start);
    kill_if_same(g->main_pid, g->main_start);
}

void guest_release(struct guest *g)
{
    char path[GUEST_PATH_SIZE];

    g->end.starved = guest_cgroup_starved(g);
    guest_live_end(g);
    monitor_close(g);
    guest_lanes_close(g);
    guest_plan_free(g);
    guest_slot_release(g);
    guest_files_take_back(g);
    guest_cgroup_remove(g->umld, guest_path(g, GUEST_PATH_DIR, path));
    if (!guest_tree_remove(g->umld, path))
        um_log(UM_LOG_WARNING, "guest %s: cannot remove %s", g->def.name, path);
    g->monitor_pid = g->main_pid = 0;
    g->cpu = -1;
    g->ready = g->kernel_up = false;
    g->asked = "";
    guest_touch(g);
    guest_judge_end(g);
}
