/*
 * The kill of a guest's whole tree, what is settled once it is proven dead, and the reboot in
 * place. The orderly way down is guest_ladder.c.
 */
#include "umld/guest_ids.h"
#include "umld/guest_ladder.h"
#include "umld/guest_live.h"
#include "umld/guest_settle.h"
#include "umld/settings.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reboot_call {
    struct umld *umld;
    int64_t id;
};

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
    struct reboot_call *call = arg;
    struct guest *g = guest_by_id(call->umld, call->id);

    if (g && code && code != UM_E_CANCELLED && g->state == GUEST_RUNNING)
        reboot_refused(g, um_code_info(code)->wire);
    free(call);
}

/* Written or not: who asks for a reboot gets one. */
static void reboot_now(struct guest *g, um_unused enum um_code code)
{
    struct reboot_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call) {
        reboot_refused(g, "out of memory");
        return;
    }
    *call = (struct reboot_call){g->umld, g->id};
    if (guest_mconsole(g, MCONSOLE_REBOOT, "reboot", MCONSOLE_TIMEOUT_MS, 0, reboot_sent, call,
                       &err)) {
        reboot_refused(g, err.message);
        free(call);
    }
}

void guest_reboot(struct guest *g)
{
    if (g->state == GUEST_RUNNING) /* it has not ended in the same round */
        guest_settle(g, settings_int(g->umld, SETTING_SYNC_SECONDS) * 1000, reboot_now);
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
    if (g->state == GUEST_KILLING)
        guest_ladder_kill(g);
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

    if (g->end.kind == POLICY_END_LEFT)
        guest_dismiss_monitor(g);
    g->end.starved = guest_cgroup_starved(g);
    guest_live_end(g);
    g->how = guest_ladder_how(g);
    guest_ladder_leave(g, "down");
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
