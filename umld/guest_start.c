/*
 * Starting a guest: a place among those booting, files checked, a kernel found (and probed if need
 * be), directories made, the launch order written; then, after a commit, the monitor is spawned.
 */
#include "umld/balance.h"
#include "umld/cgroup.h"
#include "umld/failpoint.h"
#include "umld/guest_ids.h"
#include "umld/guest_live.h"
#include "umld/guest_order.h"
#include "umld/kernels.h"
#include "umld/settings.h"
#include "umld/stranger.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/guest/launch.h"
#include "vmcore/monitor/order.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct launch_plan {
    struct um_buf order;
    bool gate; /* it joins control groups, and first the one of cgroups_gate() */
};

void guest_plan_free(struct guest *g)
{
    if (!g->plan)
        return;
    um_buf_done(&g->plan->order);
    free(g->plan);
    g->plan = NULL;
}

void guest_prepare_failed(struct guest *g, const struct um_error *err)
{
    um_log(UM_LOG_WARNING, "guest %s: cannot start: %s", g->def.name, err->message);
    guest_note_failure(g, POLICY_END_PREPARE, err);
    guest_post(g, GUEST_R_ERROR);
}

struct tools {
    char umlinit[PATH_MAX], guard[PATH_MAX], watchdog[PATH_MAX], bwrap[PATH_MAX];
};

static enum um_code find_tools(const struct guest *g, struct tools *t, struct um_error *err)
{
    enum um_code code = um_paths_libexec("umlinit", t->umlinit, sizeof(t->umlinit), err);

    if (!code)
        code = um_paths_libexec("libumlguard.so", t->guard, sizeof(t->guard), err);
    if (!code)
        code = um_paths_libexec("compat/uml_watchdog", t->watchdog, sizeof(t->watchdog), err);
    if (!code && g->def.sandbox)
        code = um_paths_program("bwrap", "bubblewrap", t->bwrap, sizeof(t->bwrap), err);
    return code;
}

enum um_code guest_run_directory(const struct guest *g, struct um_error *err)
{
    static const enum guest_path dirs[] = {GUEST_PATH_INNER, GUEST_PATH_LOG};
    char path[GUEST_PATH_SIZE];
    enum um_code code = UM_OK;

    /* What a former life left behind would be taken for this one's. */
    if (!guest_tree_remove(g->umld, guest_path(g, GUEST_PATH_DIR, path)))
        return um_fail_errno(err, errno, path, "cannot remove what is left of the last run");
    unlink(guest_path(g, GUEST_PATH_EXIT, path));
    for (size_t i = 0; !code && i < UM_ARRAY_LEN(dirs); i++)
        code = um_mkdir_parents(guest_path(g, dirs[i], path), 0700, err);
    /* Without a sandbox the guest itself walks down to its inner directory. */
    if (!code && g->uid && !g->def.sandbox && chmod(guest_path(g, GUEST_PATH_DIR, path), 0711) < 0)
        code = um_fail_errno(err, errno, path, "cannot be opened to the guest");
    return code;
}

/* What the order names is there, and the guest's. */
static enum um_code write_words(struct guest *g, const struct launch_kernel *kernel,
                                const struct launch_paths *paths, struct launch_options *options,
                                struct um_error *err)
{
    struct um_strv cgroups = {NULL, 0};
    enum um_code code = guest_cgroup_make(g, &cgroups, err);

    if (!code && g->uid)
        code = guest_files_give(g, kernel, paths, options->disks, err);
    options->cgroups = (const char *const *)cgroups.v;
    g->plan->gate = um_strv_contains(&cgroups, ORDER_CGROUP_GATE);
    if (!code)
        code = launch_order(&g->def, kernel, paths, options, &g->plan->order, err);
    if (!code)
        guest_live_begin(g);
    options->cgroups = NULL;
    um_strv_done(&cgroups);
    return code;
}

static enum um_code fill_order(struct guest *g, const struct launch_kernel *kernel,
                               struct launch_options *options, struct um_error *err)
{
    char dir[GUEST_PATH_SIZE], inner[GUEST_PATH_SIZE], log[GUEST_PATH_SIZE], exit[GUEST_PATH_SIZE],
        networks[GUEST_PATH_SIZE];
    struct launch_paths paths = {.guest_dir = guest_path(g, GUEST_PATH_DIR, dir),
                                 .inner_dir = guest_path(g, GUEST_PATH_INNER, inner),
                                 .log_dir = guest_path(g, GUEST_PATH_LOG, log),
                                 .exit_file = guest_path(g, GUEST_PATH_EXIT, exit),
                                 .networks = networks};
    struct launch_disks disks;
    struct tools tools = {.bwrap = ""};
    enum um_code code = find_tools(g, &tools, err);

    snprintf(networks, sizeof(networks), "%s/n", g->umld->paths.run_dir);
    paths.umlinit = tools.umlinit;
    paths.guard = tools.guard;
    paths.watchdog = tools.watchdog;
    paths.bwrap = tools.bwrap;
    if (!code)
        code = guest_run_directory(g, err);
    if (code)
        return code;
    if (!launch_disks_read(&g->def, &disks))
        return um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    options->disks = &disks;
    code = write_words(g, kernel, &paths, options, err);
    options->disks = NULL;
    launch_disks_done(&disks);
    return code;
}

static enum um_code write_order(struct guest *g, const struct launch_kernel *kernel,
                                struct um_error *err)
{
    struct launch_options options = {.boot = g->boot + 1,
                                     .cpu = balance_choose(g),
                                     .uid = g->uid,
                                     .log_size = (uint64_t)settings_int(g->umld, SETTING_LOG_SIZE),
                                     .log_parts = (int)settings_int(g->umld, SETTING_LOG_PARTS)};
    enum um_code code;

    guest_plan_free(g);
    g->plan = calloc(1, sizeof(*g->plan));
    if (!g->plan)
        return um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    code = fill_order(g, kernel, &options, err);
    if (code)
        return code;
    g->boot++;
    g->cpu = options.cpu;
    free(g->kernel_path);
    g->kernel_path = strdup(kernel->path);
    guest_touch(g);
    return UM_OK;
}

static void plan(struct guest *g, const struct launch_kernel *kernel)
{
    struct um_error err;

    if (guest_ids_give(g, &err) || guest_disks_free(g, g, &err) || write_order(g, kernel, &err)) {
        guest_prepare_failed(g, &err);
        return;
    }
    if (!g->def.sandbox)
        um_log(UM_LOG_WARNING, "guest %s: starts without a sandbox: its root has the host's files",
               g->def.name);
    guest_post(g, GUEST_R_READY);
}

struct kernel_wait {
    int64_t id;
    unsigned start; /* which of its starts asked */
};

static void kernel_found(struct umld *umld, const struct kernel_entry *entry,
                         const struct um_error *err, void *arg)
{
    struct kernel_wait *wait = arg;
    struct guest *g = guest_by_id(umld, wait->id);
    struct launch_kernel kernel;
    bool late = g && g->starts != wait->start;

    free(wait);
    if (!g || late || g->state != GUEST_PREPARING)
        return;
    if (!entry) {
        guest_prepare_failed(g, err);
        return;
    }
    kernel_launch(entry, &kernel);
    plan(g, &kernel);
}

int guest_boot_places(const struct umld *umld)
{
    int places = (int)settings_int(umld, SETTING_BOOTS);

    /* A booting guest waits for its devices for up to half of its time: with fewer places CPUs idle
     * (tests/bench, storm), with many more they only take turns. */
    return places > 0 ? places : (int)sysconf(_SC_NPROCESSORS_ONLN) * 4;
}

/* What somebody else had started becomes umld's own. False: it cannot, and that was posted. */
static bool take_over(struct guest *g)
{
    struct um_error err;

    if (!g->stranger)
        return true;
    if (guest_stranger_startable(g, &err)) {
        guest_prepare_failed(g, &err);
        return false;
    }
    guest_drop_stranger(g);
    return true;
}

void guest_prepare(struct guest *g)
{
    struct kernel_wait *wait;
    struct um_error errors[4];
    size_t count = 0;

    if (g->state != GUEST_PREPARING)
        return;
    if (g->given_kernel) {
        plan(g, g->given_kernel);
        return;
    }
    if (!take_over(g))
        return;
    if (!guest_order_met(g) || !guest_slot_take(g, guest_boot_places(g->umld)))
        return;
    guest_definition_check_files(&g->def, guest_ids_any(g->umld), errors, UM_ARRAY_LEN(errors),
                                 &count);
    if (count) {
        guest_prepare_failed(g, &errors[0]);
        return;
    }
    wait = malloc(sizeof(*wait));
    if (!wait)
        return;
    wait->id = g->id;
    wait->start = g->starts;
    kernels_resolve(g->umld, g->def.kernel, kernel_found, wait);
}

enum um_code guest_start_check(struct guest *g, struct um_error *err)
{
    struct um_error why[4];
    char object[96];
    size_t count = 0;
    enum um_code code;

    guest_definition_check_files(&g->def, guest_ids_any(g->umld), why, UM_ARRAY_LEN(why), &count);
    if (!count && guest_stranger_startable(g, why) == UM_OK &&
        kernels_check(g->umld, g->def.kernel, why) == UM_OK && guest_disks_free(g, g, why) == UM_OK)
        return UM_OK;
    /* As Start says it: not about a value of this call, but of the definition. */
    code = why->code;
    if (code == UM_E_INVALID || code == UM_E_NOT_FOUND || code == UM_E_EXISTS)
        code = UM_E_BAD_CONFIG;
    guest_object(g, object, sizeof(object));
    if (strcmp(why->object, object) == 0)
        why->object[0] = '\0';
    um_fail(err, code, object, NULL, "cannot start: %s%s%s", why->object,
            why->object[0] ? ": " : "", why->message);
    if (why->hint[0])
        um_hint(err, "%s", why->hint);
    return code;
}

static enum um_code order_file(const struct um_buf *order, int *ret_fd, struct um_error *err)
{
    um_autofd fd = memfd_create("launch-order", MFD_CLOEXEC);

    if (fd < 0 || !um_fd_write_all(fd, order->data, order->len) || lseek(fd, 0, SEEK_SET) < 0)
        return um_fail_errno(err, errno, "launch order", "cannot be written");
    *ret_fd = fd;
    fd = -1;
    return UM_OK;
}

enum um_code guest_spawn_monitor(struct guest *g, const struct um_buf *order, bool gate,
                                 struct um_error *err)
{
    um_autofd file = -1, listener = -1;
    char program[PATH_MAX], socket[GUEST_PATH_SIZE], dir[GUEST_PATH_SIZE];
    /* It reads its order; its arguments are for people, and for guest_dir_kill(). */
    char *argv[] = {program, g->def.name, dir, NULL};
    struct um_fd_map fds[4];
    size_t count = 0;
    pid_t pid;
    int pidfd;
    enum um_code code = um_paths_libexec("umlmon", program, sizeof(program), err);

    guest_path(g, GUEST_PATH_DIR, dir);
    if (!code)
        code = order_file(order, &file, err);
    if (!code)
        code = um_unix_listen(guest_path(g, GUEST_PATH_SOCKET, socket), SOCK_SEQPACKET, 0600,
                              &listener, err);
    /* Connected before it lives: nothing it has to tell can come too early. */
    if (!code)
        code = monitor_connect(g, err);
    if (code)
        return code;
    fds[count++] = (struct um_fd_map){file, ORDER_FD};
    fds[count++] = (struct um_fd_map){listener, ORDER_LISTEN_FD};
    if (g->uid && !g->stranger)
        fds[count++] = (struct um_fd_map){guest_ids_userns(g->umld), ORDER_USERNS_FD};
    if (gate)
        fds[count++] = (struct um_fd_map){cgroups_gate(g->umld->cgroups), ORDER_CGROUP_FD};
    code = um_spawn(
        &(struct um_spawn){
            .argv = argv, .fds = fds, .fd_count = count, .keep_stderr = true, .new_session = true},
        &pid, &pidfd, err);
    if (code)
        return code;
    failpoint_guest("spawned", g);
    monitor_watch(g, pid, pidfd);
    guest_look(g); /* somebody may wait for its first words */
    return UM_OK;
}

void guest_spawn(struct guest *g)
{
    struct um_error err;

    if (g->state != GUEST_BOOTING) {
        guest_plan_free(g);
        /* A kill came first: there is nothing to wait for. */
        if (g->state == GUEST_KILLING)
            guest_post(g, GUEST_P_SPAWN_ERR);
        return;
    }
    if (!g->plan)
        return;
    if (guest_spawn_monitor(g, &g->plan->order, g->plan->gate, &err)) {
        um_log(UM_LOG_WARNING, "guest %s: cannot start: %s: %s", g->def.name, err.object,
               err.message);
        guest_note_failure(g, POLICY_END_SPAWN, &err);
        guest_post(g, GUEST_P_SPAWN_ERR);
    }
    guest_plan_free(g);
}
