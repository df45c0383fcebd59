/*
 * After a daemon restart: who is alive is read from the run directory and asked of each monitor;
 * the database only says what was wished and what was under way. Rules:
 *
 *   monitor answers                       adopted in the state it tells; what it cannot tell
 *                                         (paused) is as stored
 *   no monitor, exit record               the end is reported with its true status and time
 *   no monitor, no record, but a stranger  another monitor is started
 *   (stranger.h) that lives
 *   no monitor, no record                 it vanished; what is left of it is killed; reported
 *   start interrupted before a monitor    started again (the wish is stored)
 *   in backoff                            starts again when it would have
 *   at rest and wanted up                 started: the host's shutdown stopped it, or its autostart
 *   pause, resume, reboot, stop or kill   carried on
 *   interrupted
 *   monitor of another protocol version   left alone (guest_monitor.c)
 *   run directories nobody knows          their guests are killed, the directories removed
 *
 * An exit record is believed only if the stored state had a process or was being settled: a record
 * is removed after its consequences are stored, so beside any other state it is an old one.
 */
#include "umld/guest_ids.h"
#include "umld/guest_ladder.h"
#include "umld/guest_live.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void enter_adopting(struct guest *g)
{
    enum guest_state before = g->state;

    g->adopting_from = before;
    g->state = GUEST_ADOPTING;
    /* A user's stop or kill left want down; a panic or a time limit is the guest's own failure. */
    g->end.stopping = !g->want_up || g->start_asked;
    if (g->hung && before == GUEST_KILLING)
        g->end.hung = g->def.hang; /* what it was being killed for */
    um_timer_arm(g->limit, guest_state_info(GUEST_ADOPTING)->timeout_ms * UM_MS_NS);
    guest_touch(g);
    /* Alive and being released: the daemon before this one was letting it go. */
    if (before == GUEST_RELEASING && g->stranger && stranger_lives(g->stranger))
        guest_post(g, GUEST_U_LEAVE);
}

/* The stop or kill that was under way, and the start wished behind it. */
static void carry_on_ending(struct guest *g, const struct mon_state *s, bool rebooted)
{
    bool start = g->start_asked;

    if (g->adopting_from == GUEST_STOPPING) {
        guest_ladder_go_on(g, rebooted);
        guest_post(g, GUEST_U_STOP);
    } else if (!g->want_up || start)
        guest_post(g, GUEST_U_KILL);
    else if (s->flags & MON_F_PANIC)
        guest_post(g, GUEST_M_PANIC);
    else if (g->end.hung)
        guest_post(g, GUEST_T_HUNG);
    else {
        g->expired_in = GUEST_BOOTING;
        guest_post(g, GUEST_T_EXPIRED);
    }
    if (start)
        guest_post(g, GUEST_U_START);
}

static void carry_on(struct guest *g, const struct mon_state *s, bool rebooted)
{
    if (g->adopting_from == GUEST_STOPPING || g->adopting_from == GUEST_KILLING)
        carry_on_ending(g, s, rebooted);
    else if (s->flags & MON_F_PANIC)
        guest_post(g, GUEST_M_PANIC);
    else if (strcmp(g->asked, "pause") == 0)
        guest_post(g, GUEST_U_PAUSE);
    else if (strcmp(g->asked, "resume") == 0)
        guest_post(g, GUEST_U_RESUME);
    else if (strcmp(g->asked, "reboot") == 0 && !rebooted)
        guest_post(g, GUEST_U_REBOOT);
}

/* In its kernel's eyes paused, as far as the daemon before this one knew. */
static bool was_paused(const struct guest *g)
{
    return g->adopting_from == GUEST_PAUSED ||
           (g->adopting_from == GUEST_STOPPING && strcmp(g->asked, "resume") == 0);
}

/* Where umlinit pinned it, or the balancer moved it. */
static int pinned_cpu(pid_t pid)
{
    cpu_set_t set;

    if (sched_getaffinity(pid, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET((size_t)cpu, &set))
                return cpu;
    return -1;
}

/* Post what makes the state that of the monitor; what nobody has announced yet is announced. */
static void post_facts(struct guest *g, const struct mon_state *s, bool rebooted)
{
    bool up = s->flags & MON_F_KERNEL_UP;

    if (!up || g->adopting_from == GUEST_BOOTING)
        guest_post(g, GUEST_A_BOOTING);
    else if (was_paused(g) && !rebooted)
        guest_post(g, GUEST_A_PAUSED);
    else
        guest_post(g, GUEST_A_ALIVE);
    if (up && (rebooted || g->adopting_from == GUEST_BOOTING))
        guest_post(g, GUEST_M_UP);
    if (s->flags & MON_F_READY)
        guest_post(g, GUEST_M_READY);
}

void guest_adopted_state(struct guest *g, const struct mon_state *s)
{
    bool rebooted = s->boot > g->boot;

    if (rebooted) {
        g->boot = s->boot;
        guest_signals_reset(g);
        guest_live_renewed(g);
    }
    g->kernel_up = s->flags & MON_F_KERNEL_UP;
    g->ready = g->ready && !rebooted && (s->flags & MON_F_READY);
    g->cpu = g->def.pinned && !g->stranger && g->main_pid > 0 ? pinned_cpu(g->main_pid) : -1;
    guest_touch(g);
    monitor_watch(g, s->monitor_pid, um_pidfd_open(s->monitor_pid));
    if (s->flags & (MON_F_EXITED | MON_F_EXEC_FAILED))
        return; /* its end is at hand */
    post_facts(g, s, rebooted);
    carry_on(g, s, rebooted);
}

/* What is left of its delay; the clock may have been set meanwhile. */
static int64_t delay_left(const struct guest *g)
{
    int64_t left = g->next_start_ns - um_clock_wall_ns(), most = POLICY_DELAY_MAX_MS * UM_MS_NS;

    if (g->state != GUEST_BACKOFF || left < 0)
        return 0;
    return left < most ? left : most;
}

/*
 * Before it had a process of its own: the wish decides. The way to a start is that of a back-off:
 * nobody has asked, so what the restart policy has counted goes on counting.
 */
static void begin_again(struct guest *g)
{
    int64_t left = delay_left(g);
    char path[GUEST_PATH_SIZE];

    guest_drop_exit_record(g);
    guest_path(g, GUEST_PATH_DIR, path);
    guest_cgroup_remove(g->umld, path);
    guest_tree_remove(g->umld, path);
    if (g->state == GUEST_FAILED || (g->state == GUEST_STOPPED && !g->want_up))
        return;
    g->state = g->want_up ? GUEST_BACKOFF : GUEST_STOPPED;
    g->asked = "";
    g->next_start_ns = um_clock_wall_ns() + left;
    if (g->want_up)
        um_timer_arm(g->limit, left);
    guest_touch(g);
}

static void gone(struct guest *g)
{
    bool believed = guest_state_info(g->state)->has_process || g->state == GUEST_RELEASING;

    /* monitor_pid is stored with the first change after the spawn. */
    if (!believed || (g->monitor_pid == 0 && !g->host_restarted &&
                      (g->state == GUEST_BOOTING || g->state == GUEST_RELEASING) &&
                      !guest_take_exit_record(g))) {
        begin_again(g);
        return;
    }
    enter_adopting(g);
    if (g->host_restarted)
        g->end.text = strdup("the host was restarted while it ran");
    if (guest_take_exit_record(g))
        guest_post(g, GUEST_A_GONE);
    else
        monitor_lost(g);
}

static void adopt_one(struct guest *g)
{
    bool same = g->monitor_pid > 0 && um_clock_process_start(g->monitor_pid) == g->monitor_start;
    struct um_error err;

    /* One that is being stopped is wanted up only for the time after that. */
    g->start_asked = strcmp(g->asked, "start") == 0 || (g->state == GUEST_STOPPING && g->want_up);
    if (monitor_connect(g, &err) == UM_OK) {
        enter_adopting(g);
        guest_live_load(g);
        /* One that is stopped or hangs tells nothing: its end must be seen all the same. */
        if (same)
            monitor_watch(g, g->monitor_pid, um_pidfd_open(g->monitor_pid));
        return;
    }
    monitor_close(g);
    /* A monitor that is there but does not listen any more is ending; its record is waited for. */
    if (same) {
        enter_adopting(g);
        monitor_watch(g, g->monitor_pid, um_pidfd_open(g->monitor_pid));
    } else {
        gone(g);
    }
}

/* ---- run directories that belong to no guest ---- */

enum { ORPHAN_POLL_MS = 20, ORPHAN_GRACE_MS = 5000 };

struct orphan {
    struct umld *umld;
    char *dir;
    struct um_timer *timer;
    int64_t asked_ns; /* when its monitor was asked to end it */
    struct orphan *next;
};

static void orphan_free(struct orphan *o)
{
    struct orphan **link = &o->umld->orphans;

    while (*link && *link != o)
        link = &(*link)->next;
    if (*link)
        *link = o->next;
    um_timer_free(o->timer);
    free(o->dir);
    free(o);
}

void guests_adopt_done(struct umld *umld)
{
    while (umld->orphans)
        orphan_free(umld->orphans);
}

/* The polite way first: its monitor ends everything in order. */
static bool monitor_listens(const struct orphan *o)
{
    struct mon_header disown = {
        .magic = MON_MAGIC, .version = MON_VERSION, .type = MON_DISOWN, .serial = 1};
    char path[GUEST_PATH_SIZE + 280];
    um_autofd fd = -1;
    struct um_error err;

    snprintf(path, sizeof(path), "%s/mon", o->dir);
    return um_unix_connect(path, SOCK_SEQPACKET, &fd, &err) == UM_OK &&
           um_fd_send(fd, &disown, sizeof(disown), -1);
}

/* `probe-PID-N`: what a kernel probe that was cut off leaves in the state directory. */
static bool is_probe(const char *name)
{
    int pid, used = 0;
    unsigned long long n;

    return sscanf(name, "probe-%d-%llu%n", &pid, &n, &used) == 2 && name[used] == '\0';
}

/* What it has written. Its run directory goes later, so that a sweep cut off begins with it again.
 */
static void remove_probe(const struct umld *umld, const char *name)
{
    char dir[GUEST_PATH_SIZE + 280];

    snprintf(dir, sizeof(dir), "%s/guests/%s", umld->paths.state_dir, name);
    um_remove_tree(dir);
}

static void orphan_check(void *arg)
{
    struct orphan *o = arg;
    const char *name = strrchr(o->dir, '/') + 1;
    bool patient = um_clock_mono_ns() - o->asked_ns < ORPHAN_GRACE_MS * UM_MS_NS;

    if ((patient && monitor_listens(o)) || guest_dir_kill(o->umld, o->dir) > 0) {
        um_timer_arm(o->timer, ORPHAN_POLL_MS * UM_MS_NS);
        return;
    }
    um_log(UM_LOG_NOTICE, "removed the run directory %s, which belonged to no guest", o->dir);
    guest_cgroup_remove(o->umld, o->dir);
    if (is_probe(name))
        remove_probe(o->umld, name);
    if (!guest_tree_remove(o->umld, o->dir))
        um_log(UM_LOG_WARNING, "%s: cannot be removed", o->dir);
    orphan_free(o);
}

static void end_orphan(struct umld *umld, const char *dir)
{
    struct orphan *o = calloc(1, sizeof(*o));

    if (!o)
        return;
    *o = (struct orphan){
        .umld = umld, .dir = strdup(dir), .asked_ns = um_clock_mono_ns(), .next = umld->orphans};
    umld->orphans = o;
    o->timer = um_timer_new(umld->loop, orphan_check, o);
    if (o->dir && o->timer)
        orphan_check(o);
    else
        orphan_free(o);
}

typedef void (*sweep_fn)(struct umld *umld, const char *dir, const char *name);

static void sweep(struct umld *umld, const char *root, sweep_fn fn)
{
    char dir[GUEST_PATH_SIZE + 260];
    struct dirent *e;
    DIR *d = opendir(root);

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.' || guest_find(umld, e->d_name))
            continue;
        snprintf(dir, sizeof(dir), "%s/%s", root, e->d_name);
        fn(umld, dir, e->d_name);
    }
    if (d)
        closedir(d);
}

static void sweep_run(struct umld *umld, const char *dir, um_unused const char *name)
{
    end_orphan(umld, dir);
}

/* One with a run directory may have a monitor that writes there yet: it goes when that has ended.
 */
static void sweep_state(struct umld *umld, const char *dir, const char *name)
{
    char run[GUEST_PATH_SIZE + 280];

    snprintf(run, sizeof(run), "%s/g/%s", umld->paths.run_dir, name);
    if (is_probe(name) && access(run, F_OK) < 0)
        um_remove_tree(dir);
}

void guests_adopt(struct umld *umld)
{
    char root[GUEST_PATH_SIZE];

    for (int i = 0; i < guest_count(umld); i++)
        adopt_one(guest_list(umld, i));
    snprintf(root, sizeof(root), "%s/guests", umld->paths.state_dir);
    sweep(umld, root, sweep_state);
    snprintf(root, sizeof(root), "%s/g", umld->paths.run_dir);
    /* A guest whose row could not be read is not unknown: it must not be ended. */
    if (umld->unread_guests == 0)
        sweep(umld, root, sweep_run);
    else
        um_log(UM_LOG_WARNING, "%d stored guests cannot be read: run directories are left alone",
               umld->unread_guests);
    guest_cgroups_sweep(umld);
}
