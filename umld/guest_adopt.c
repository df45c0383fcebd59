/*
 * After a daemon restart: who is alive is read from the run directory and asked of each monitor;
 * the database only says what was wished. Rules: monitor answers       -> adopted in the state it
 * tells (paused: the stored state, or asked again) no monitor, exit record -> the end is reported
 * with its true status and time no monitor, no record -> it vanished; reported as such start
 * interrupted before a monitor existed -> started again (the wish is stored) stop or kill
 * interrupted -> carried on run directories nobody knows -> their guests are killed and the
 * directories removed
 */
#include "umld/guest.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void enter_adopting(struct guest *g)
{
    g->state = GUEST_ADOPTING;
    um_timer_arm(g->limit, guest_state_info(GUEST_ADOPTING)->timeout_ms * UM_MS_NS);
    guest_touch(g);
}

/* What was under way when the daemon ended goes on once the guest is adopted. */
static void carry_on(struct guest *g, enum guest_state before)
{
    if (before == GUEST_STOPPING)
        guest_post(g, GUEST_U_STOP);
    else if (before == GUEST_KILLING)
        guest_post(g, GUEST_U_KILL);
    else if (strcmp(g->asked, "pause") == 0)
        guest_post(g, GUEST_U_PAUSE);
    else if (strcmp(g->asked, "resume") == 0)
        guest_post(g, GUEST_U_RESUME);
}

static void adopted(struct guest *g, enum guest_state before, const struct mon_state *s)
{
    int pidfd = um_pidfd_open(s->monitor_pid);

    monitor_watch(g, s->monitor_pid, pidfd);
    if (before == GUEST_PAUSED && s->flags & MON_F_KERNEL_UP)
        guest_post(g, GUEST_A_PAUSED);
    else if (!(s->flags & (MON_F_EXITED | MON_F_EXEC_FAILED)))
        guest_post(g, s->flags & MON_F_KERNEL_UP ? GUEST_A_ALIVE : GUEST_A_BOOTING);
    carry_on(g, before);
}

static void gone(struct guest *g, enum guest_state before)
{
    bool had_process = guest_state_info(before)->has_process;

    if (guest_take_exit_record(g)) {
        enter_adopting(g);
        g->end.stopping = before == GUEST_STOPPING || before == GUEST_KILLING;
        guest_post(g, GUEST_A_GONE);
    } else if (had_process) {
        enter_adopting(g);
        g->end.kind = POLICY_END_LOST;
        g->end.stopping = before == GUEST_STOPPING || before == GUEST_KILLING;
        g->exit_ns = um_clock_wall_ns();
        guest_post(g, GUEST_A_GONE);
    } else if (before == GUEST_RELEASING) {
        enter_adopting(g);
        guest_post(g, GUEST_A_GONE);
    } else if (before == GUEST_PREPARING || before == GUEST_BACKOFF) {
        g->state = GUEST_STOPPED;
        guest_touch(g);
        if (g->want_up)
            guest_post(g, GUEST_U_START);
    } else if (before == GUEST_STOPPED && g->want_up) {
        guest_post(g, GUEST_U_START); /* wished, stored, not begun */
    }
}

static void adopt_one(struct guest *g)
{
    enum guest_state before = g->state;
    struct um_error err;

    if (monitor_connect(g, &err) == UM_OK) {
        enter_adopting(g);
        g->adopting_from = before;
        return;
    }
    monitor_close(g);
    /* A monitor that is there but does not listen any more is ending; its record is waited for. */
    if (g->monitor_pid > 0 && um_clock_process_start(g->monitor_pid) == g->monitor_start) {
        enter_adopting(g);
        g->adopting_from = before;
        g->end.stopping = before == GUEST_STOPPING || before == GUEST_KILLING;
        monitor_watch(g, g->monitor_pid, um_pidfd_open(g->monitor_pid));
        return;
    }
    gone(g, before);
}

void guest_adopted_state(struct guest *g, const struct mon_state *s)
{
    adopted(g, g->adopting_from, s);
}

/* ---- run directories that belong to no guest ---- */

struct orphan {
    struct umld *umld;
    char *dir;
    int fd;
    struct um_watch *watch;
    struct um_timer *limit;
};

static void orphan_done(struct orphan *o)
{
    um_log(UM_LOG_NOTICE, "removed the run directory %s, which belonged to no guest", o->dir);
    um_remove_tree(o->dir);
    um_watch_free(o->watch);
    um_timer_free(o->limit);
    um_fd_close(&o->fd);
    free(o->dir);
    free(o);
}

static void orphan_event(int fd, um_unused unsigned ready, void *arg)
{
    char data[MON_MESSAGE_MAX];

    /* Its monitor closes the connection when everything is dead. */
    if (um_fd_receive(fd, data, sizeof(data), NULL, NULL) == 0 ||
        (errno != EAGAIN && errno != EWOULDBLOCK))
        orphan_done(arg);
}

static void orphan_expired(void *arg)
{
    orphan_done(arg);
}

static void kill_orphan(struct umld *umld, const char *dir)
{
    struct mon_header kill = {
        .magic = MON_MAGIC, .version = MON_VERSION, .type = MON_KILL, .serial = 1};
    struct orphan *o = calloc(1, sizeof(*o));
    char path[GUEST_PATH_SIZE + 280];
    struct um_error err;

    if (!o)
        return;
    snprintf(path, sizeof(path), "%s/mon", dir);
    *o = (struct orphan){.umld = umld, .dir = strdup(dir), .fd = -1};
    if (um_unix_connect(path, SOCK_SEQPACKET, &o->fd, &err) ||
        !um_fd_send(o->fd, &kill, sizeof(kill), -1)) {
        orphan_done(o);
        return;
    }
    o->watch = um_watch_new(umld->loop, o->fd, UM_READ, orphan_event, o);
    o->limit = um_timer_new(umld->loop, orphan_expired, o);
    if (o->limit)
        um_timer_arm(o->limit, 10 * UM_SEC_NS);
}

static void sweep(struct umld *umld)
{
    char root[GUEST_PATH_SIZE], dir[GUEST_PATH_SIZE + 260];
    struct dirent *e;
    DIR *d;

    snprintf(root, sizeof(root), "%s/g", umld->paths.run_dir);
    d = opendir(root);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.' || guest_find(umld, e->d_name))
            continue;
        snprintf(dir, sizeof(dir), "%s/%s", root, e->d_name);
        kill_orphan(umld, dir);
    }
    if (d)
        closedir(d);
}

void guests_adopt(struct umld *umld)
{
    for (int i = 0; i < guest_count(umld); i++)
        adopt_one(guest_list(umld, i));
    sweep(umld);
}
