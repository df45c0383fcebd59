/*
 * The daemon as a whole: opens everything in order, wires the after-phase, closes everything. The
 * order of the after-phase is the design: drain the machines, store, commit, feed events, run
 * effects, send replies. An event that was seen must never be lost, or its number given again: so
 * nothing is written between the commit and the feed.
 */
#include "umld/balance.h"
#include "umld/cgroup.h"
#include "umld/child.h"
#include "umld/db.h"
#include "umld/event_feed.h"
#include "umld/events.h"
#include "umld/failpoint.h"
#include "umld/guest_ids.h"
#include "umld/host_shutdown.h"
#include "umld/images.h"
#include "umld/jobs.h"
#include "umld/kernels.h"
#include "umld/network_private.h"
#include "umld/pressure.h"
#include "umld/request.h"
#include "umld/server.h"
#include "umld/settings.h"
#include "umld/umld.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/own_files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_RETRY_NS (500 * UM_MS_NS)

static void wake(um_unused void *arg)
{
    /* The after-phase that follows is all that is wanted. */
}

/*
 * Nothing that is not stored is done or told. While it cannot be stored the guests run on, what
 * happens to them is kept, reading calls are served and changing ones are refused.
 */
static bool cannot_store(struct umld *umld)
{
    um_timer_arm(umld->retry, STORE_RETRY_NS);
    api_server_hold(umld->server, true);
    return api_server_after(umld->server);
}

static bool after(void *arg)
{
    struct umld *umld = arg;
    bool more, dirty;

    networks_drain(umld);
    guests_drain(umld->guests);
    host_shutdown_look(umld);
    guests_store(umld->guests);
    dirty = db_dirty(umld->db);
    if (dirty)
        failpoint("before-commit");
    if (!db_commit(umld->db))
        return cannot_store(umld);
    if (dirty)
        failpoint("after-commit");
    api_server_hold(umld->server, false);
    event_feed_after(umld->feed);
    more = guests_effects(umld->guests);
    more = networks_effects(umld) || more;
    /* Effects write, too: replies wait for that commit. */
    if (db_dirty(umld->db))
        return true;
    return api_server_after(umld->server) || more;
}

/* Roles: root and the daemon's own user are admins; a guest's owner is its owner; others may look.
 */
static enum api_role role_of(struct umld *umld, uid_t uid,
                             um_unused const struct api_method *method, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    struct guest *g = name ? guest_find(umld, name) : NULL;

    if (uid == 0 || uid == geteuid())
        return API_ROLE_ADMIN;
    if (g && g->def.owner == uid)
        return API_ROLE_OWNER;
    return API_ROLE_VIEWER;
}

/* The lock file tells who holds it: pid, then socket, a line each. */
struct holder {
    int pid;
    char socket[700];
};

static bool read_holder(int fd, struct holder *ret)
{
    char text[800];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%d\n%699[^\n]", &ret->pid, ret->socket) == 2;
}

/*
 * linux(host): flock(2) would go on with a child that has been forked and not yet executed, when we
 * are killed in between, and the next umld would be refused. A record lock is ours alone.
 */
static bool lock_now(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &lock) == 0;
}

/*
 * A daemon that ends has stopped listening but still writes; its successor, started at once, waits
 * for it. Nobody waits for one that serves.
 */
static bool lock_soon(int fd)
{
    enum { STEP_MS = 20, LIMIT_MS = 5000 };
    bool locked = lock_now(fd);

    for (int waited = 0; !locked && waited < LIMIT_MS; waited += STEP_MS) {
        struct holder holder;

        if (read_holder(fd, &holder) && access(holder.socket, F_OK) == 0)
            return false;
        poll(NULL, 0, STEP_MS);
        locked = lock_now(fd);
    }
    return locked;
}

static enum um_code tell_holder(int fd, const char *dir, const char *what, struct um_error *err)
{
    struct holder holder;

    if (!read_holder(fd, &holder)) {
        um_fail(err, UM_E_BUSY, dir, NULL, "another umld is using this %s directory", what);
        return um_hint(err, "choose other directories");
    }
    um_fail(err, UM_E_BUSY, dir, NULL, "another umld (pid %d) is using this %s directory",
            holder.pid, what);
    /* Its socket may have gone with a run directory that the system cleared away. */
    return um_hint(err,
                   "use it: umlctl --socket %s; or end it: kill %d (guests go on); or choose "
                   "other directories",
                   holder.socket, holder.pid);
}

static enum um_code take_lock(const struct umld *umld, const char *dir, const char *what,
                              int *ret_fd, struct um_error *err)
{
    enum um_code code;
    char path[700];
    int fd;

    snprintf(path, sizeof(path), "%s/lock", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return um_fail_errno(err, errno, path, "cannot open the lock file");
    if (!lock_soon(fd)) {
        code = tell_holder(fd, dir, what, err);
        close(fd);
        return code;
    }
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n%s\n", (int)getpid(), umld->paths.socket) < 0)
        um_log(UM_LOG_WARNING, "%s: cannot be written", path);
    *ret_fd = fd;
    return UM_OK;
}

/*
 * The files on which umld holds record locks; those of SQLite in WAL mode are on umld.db and
 * umld.db-shm (sqlite.org/walformat.html).
 */
static bool know_own_files(const struct umld *umld, bool ours)
{
    const struct {
        const char *dir, *name;
    } files[] = {
        {umld->paths.run_dir, "lock"},          {umld->paths.state_dir, "lock"},
        {umld->paths.state_dir, "umld.db"},     {umld->paths.state_dir, "umld.db-wal"},
        {umld->paths.state_dir, "umld.db-shm"},
    };
    bool ok = true;
    char path[700];

    for (size_t i = 0; i < UM_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", files[i].dir, files[i].name);
        if (ours)
            ok = um_own_file_add(path) && ok;
        else
            um_own_file_drop(path);
    }
    return ok;
}

/* user: whom umld will become; a directory of an earlier run is theirs already. */
static enum um_code own_directory(const char *path, mode_t mode, const char *user,
                                  struct um_error *err)
{
    const struct passwd *pw = user ? getpwnam(user) : NULL;
    struct stat st;
    enum um_code code = um_mkdir_parents(path, mode, err);

    if (code)
        return code;
    /* /tmp/umld-UID may have been made by somebody else first. */
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
        (st.st_uid != geteuid() && (!pw || st.st_uid != pw->pw_uid))) {
        um_fail(err, UM_E_DENIED, path, NULL, "is not a directory of this user");
        return um_hint(err, "remove it, or set UMLD_RUN_DIR and UMLD_STATE_DIR");
    }
    return UM_OK;
}

static enum um_code make_top_directories(const struct umld *umld, const char *user,
                                         struct um_error *err)
{
    enum um_code code = own_directory(umld->paths.run_dir, 0700, user, err);

    /* Everybody may reach the socket of system mode; what they may do is decided inside. */
    if (!code && chmod(umld->paths.run_dir, umld->system ? 0755 : 0700) < 0)
        code = um_fail_errno(err, errno, umld->paths.run_dir, "cannot set its mode");
    return code ? code : own_directory(umld->paths.state_dir, 0700, user, err);
}

static enum um_code make_inner_directories(const struct umld *umld, struct um_error *err)
{
    char path[700];
    enum um_code code;

    snprintf(path, sizeof(path), "%s/g", umld->paths.run_dir);
    code = um_mkdir_parents(path, 0700, err);
    /* Guests without a sandbox walk through it to their own; what is in it is each closed. */
    if (!code && chmod(path, guest_ids_any(umld) ? 0711 : 0700) < 0)
        code = um_fail_errno(err, errno, path, "cannot set its mode");
    if (code)
        return code;
    snprintf(path, sizeof(path), "%s/n", umld->paths.run_dir);
    code = um_mkdir_parents(path, 0700, err);
    if (code)
        return code;
    snprintf(path, sizeof(path), "%s/guests", umld->paths.state_dir);
    return um_mkdir_parents(path, 0700, err);
}

/* Named after the run directory: the next umld there finds what this one made. */
static enum um_code find_cgroups(struct umld *umld, struct um_error *err)
{
    uint32_t hash = 2166136261u;
    char name[24];

    for (const char *p = umld->paths.run_dir; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    snprintf(name, sizeof(name), "umld-%08x", hash);
    umld->cgroups = cgroups_new("/proc/self", name);
    return umld->cgroups ? UM_OK : um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
}

/* What root has to do for umld before it becomes somebody else. */
static enum um_code set_guests_apart(struct umld *umld, const struct umld_options *o,
                                     const struct passwd *pw, struct um_error *err)
{
    uid_t uid = pw ? pw->pw_uid : geteuid();
    gid_t gid = pw ? pw->pw_gid : getegid();

    if (umld->system)
        cgroups_prepare(umld->cgroups, uid, gid);
    return guest_ids_open(umld, &o->guest_uids, uid, gid, err);
}

static enum um_code become(struct umld *umld, const struct umld_options *o, struct um_error *err)
{
    const char *user = o->user;
    struct passwd *pw = user ? getpwnam(user) : NULL;
    enum um_code code;

    if (user && !pw) {
        um_fail(err, UM_E_BAD_CONFIG, user, NULL, "there is no such user");
        return um_hint(err, "create it: useradd --system --home-dir /var/lib/umld %s", user);
    }
    code = set_guests_apart(umld, o, pw, err);
    if (code || !pw || geteuid() == pw->pw_uid)
        return code;
    if (chown(umld->paths.run_dir, pw->pw_uid, pw->pw_gid) < 0 ||
        chown(umld->paths.state_dir, pw->pw_uid, pw->pw_gid) < 0 ||
        initgroups(user, pw->pw_gid) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
        return um_fail_errno(err, errno, user, "cannot become this user");
    return UM_OK;
}

static void raise_limits(void)
{
    struct rlimit limit;

    /* A limit on the size of files is an error of writing, not the daemon's end. */
    signal(SIGXFSZ, SIG_IGN);
    /* A guest costs the daemon a few descriptors; hundreds need more than the usual 1024. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum um_code open_state(struct umld *umld, struct um_error *err)
{
    char path[700];
    enum um_code code;

    snprintf(path, sizeof(path), "%s/umld.db", umld->paths.state_dir);
    code = db_open(path, &umld->db, err);
    if (code)
        return code;
    umld->settings = settings_new(umld);
    umld->events = events_new(umld);
    umld->feed = event_feed_new(umld);
    umld->jobs = jobs_new(umld);
    umld->kernels = kernels_new(umld);
    umld->images = images_new(umld);
    umld->networks = networks_new(umld);
    umld->guests = guests_new(umld);
    umld->balance = balance_new(umld);
    if (!umld->settings || !umld->events || !umld->feed || !umld->jobs || !umld->kernels ||
        !umld->images || !umld->networks || !umld->guests || !umld->balance)
        return um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    code = kernels_load(umld, err);
    if (!code)
        code = networks_load(umld, err);
    return code ? code : guests_load(umld, err);
}

static enum um_code serve(struct umld *umld, struct um_error *err)
{
    int fd;
    enum um_code code =
        um_unix_listen(umld->paths.socket, SOCK_STREAM, umld->system ? 0666 : 0600, &fd, err);

    if (code)
        return code;
    umld->server = api_server_new(umld->loop, umld, fd, &api_server_default_limits, role_of);
    if (!umld->server)
        return um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    api_server_remember(umld->server, &request_memory);
    return UM_OK;
}

enum um_code umld_start(const struct umld_options *options, struct umld **ret, struct um_error *err)
{
    struct umld *umld = calloc(1, sizeof(*umld));
    enum um_code code = UM_OK;

    if (!umld)
        return um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    umld->paths = options->paths;
    umld->system = options->system;
    umld->log_level_given = options->log_level_given;
    umld->cpu_pressure = pressure_cpu;
    umld->lock_fd = umld->state_lock_fd = -1;
    umld->started_ns = um_clock_wall_ns();
    umask(077);
    raise_limits();
    code = find_cgroups(umld, err);
    if (!code)
        code = make_top_directories(umld, options->user, err);
    if (!code)
        code = become(umld, options, err);
    if (!code)
        code = make_inner_directories(umld, err);
    if (!code && !know_own_files(umld, true))
        code = um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    if (!code)
        code = take_lock(umld, umld->paths.run_dir, "run", &umld->lock_fd, err);
    if (!code)
        code = take_lock(umld, umld->paths.state_dir, "state", &umld->state_lock_fd, err);
    if (!code && !(umld->loop = um_loop_new()))
        code = um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "cannot make an event loop");
    if (!code && umld->loop && !(umld->retry = um_timer_new(umld->loop, wake, NULL)))
        code = um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    if (!code)
        code = open_state(umld, err);
    if (!code && !options->check_only) {
        jobs_recover(umld);
        images_recover(umld);
        code = serve(umld, err);
    }
    if (!code && !options->check_only) {
        networks_adopt(umld);
        guests_adopt(umld);
        events_emit(umld, "daemon.started", "umld", "version", UMLD_VERSION, NULL);
        if (!um_loop_add_after(umld->loop, after, umld))
            code = um_fail(err, UM_E_INTERNAL, "umld", NULL, "too many hooks");
    }
    if (code) {
        umld_free(umld);
        return code;
    }
    *ret = umld;
    return UM_OK;
}

static void on_quit_signal(int signo, void *arg)
{
    um_log(UM_LOG_NOTICE, "ending on signal %d; guests go on", signo);
    umld_quit(arg);
}

void umld_run(struct umld *umld)
{
    struct um_signal *term = um_signal_new(umld->loop, SIGTERM, on_quit_signal, umld);
    struct um_signal *intr = um_signal_new(umld->loop, SIGINT, on_quit_signal, umld);

    um_log(UM_LOG_NOTICE, "serving %s, state in %s, %d guests", umld->paths.socket,
           umld->paths.state_dir, guest_count(umld));
    um_loop_run(umld->loop);
    um_signal_free(term);
    um_signal_free(intr);
}

void umld_quit(struct umld *umld)
{
    um_loop_stop(umld->loop);
}

void umld_free(struct umld *umld)
{
    if (!umld)
        return;
    if (umld->server)
        unlink(umld->paths.socket);
    children_end(umld);
    guests_adopt_done(umld);
    host_shutdown_free(umld);
    /* Who waits for ports is answered, and may look for its guest. */
    networks_free(umld->networks);
    guests_free(umld->guests);
    api_server_free(umld->server);
    balance_free(umld->balance);
    images_free(umld->images);
    kernels_free(umld->kernels);
    jobs_free(umld->jobs);
    event_feed_free(umld->feed);
    events_free(umld->events);
    settings_free(umld->settings);
    db_close(umld->db);
    um_timer_free(umld->load_timer);
    guest_ids_close(umld);
    cgroups_free(umld->cgroups);
    um_timer_free(umld->sweep);
    um_timer_free(umld->retry);
    um_loop_free(umld->loop);
    know_own_files(umld, false);
    um_fd_close(&umld->lock_fd);
    um_fd_close(&umld->state_lock_fd);
    free(umld);
}
