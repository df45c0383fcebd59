#include "cli/daemon.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/paths.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_MS = 10000, /* the daemon must be serving by then */
    LOCK_MS = 12000,  /* somebody else starting it must be done by then */
    STEP_MS = 20,
};

static int ms_left(int64_t deadline_ns)
{
    int64_t left = (deadline_ns - um_clock_mono_ns()) / UM_MS_NS;

    return left > 0 ? (int)left : 0;
}

/* Beside this program first: a build directory or a moved installation uses its own daemon. */
static enum um_code find_umld(char *ret, size_t size, struct um_error *err)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;

    if (n > 0) {
        exe[n] = '\0';
        slash = strrchr(exe, '/');
        snprintf(ret, size, "%.*s/umld", (int)(slash - exe), exe);
        if (access(ret, X_OK) == 0)
            return UM_OK;
    }
    if (um_paths_program("umld", "umld", ret, size, err) == UM_OK)
        return UM_OK;
    um_fail(err, UM_E_MISSING_SOFTWARE, "umld", NULL,
            "no daemon is running, and its program is neither beside umlctl nor on PATH");
    return um_hint(err, "install umld, or name a running daemon with --socket");
}

/*
 * A run directory below /tmp may have been made by somebody else to impersonate our daemon. root
 * may own it: it does so in tests and in containers.
 */
static enum um_code check_run_dir(const char *run_dir, struct um_error *err)
{
    struct stat st;

    if (lstat(run_dir, &st) < 0)
        return UM_OK;
    if (S_ISDIR(st.st_mode) && (st.st_uid == getuid() || st.st_uid == 0))
        return UM_OK;
    um_fail(err, UM_E_DENIED, "run directory", NULL, "%s belongs to another user", run_dir);
    return um_hint(err, "set UMLD_RUN_DIR or XDG_RUNTIME_DIR to a directory of your own");
}

/* Released by closing the descriptor. -1 and err: not got in time. */
static int take_lock(const char *run_dir, struct um_error *err)
{
    int64_t deadline = um_clock_mono_ns() + LOCK_MS * UM_MS_NS;
    char path[PATH_MAX];
    int fd;

    if (um_mkdir_parents(run_dir, 0700, err))
        return -1;
    snprintf(path, sizeof(path), "%s/start.lock", run_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        um_fail_errno(err, errno, path, "cannot open");
        return -1;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (ms_left(deadline) == 0) {
            um_fail(err, UM_E_TIMEOUT, path, NULL, "another umlctl has been starting umld for %d s",
                    LOCK_MS / 1000);
            um_fd_close(&fd);
            return -1;
        }
        poll(NULL, 0, STEP_MS);
    }
    return fd;
}

/* Wait for the child to end while keeping what it says. Exit status, or -1: time is up. */
static int await_child(pid_t pid, int pidfd, int out, struct um_buf *said)
{
    int64_t deadline = um_clock_mono_ns() + START_MS * UM_MS_NS;
    struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    bool ended = false;
    int status = -1;

    while (!ended && ms_left(deadline) > 0) {
        char data[1024];
        ssize_t n = 0;

        poll(p, 2, ms_left(deadline));
        ended = p[1].revents != 0;
        /* Once more after its end: the last words are in the pipe before the exit is seen. */
        while ((n = read(out, data, sizeof(data))) > 0)
            if (said->len < 4096)
                um_buf_append(said, data, (size_t)n);
        if (n == 0)
            p[0].fd = -1;
    }
    if (!ended)
        um_pidfd_signal(pidfd, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum um_code spawn_umld(struct um_error *err)
{
    um_autofd in = -1, out = -1, pidfd = -1;
    char path[PATH_MAX], last[400];
    char background[] = "--background";
    char *argv[] = {path, background, NULL};
    struct um_buf said = UM_BUF_INIT;
    struct um_fd_map map;
    struct um_spawn spec = {.argv = argv, .fds = &map, .fd_count = 1, .new_session = true};
    enum um_code code;
    int pipefd[2], status;
    pid_t pid;

    code = find_umld(path, sizeof(path), err);
    if (code)
        return code;
    if (pipe2(pipefd, O_CLOEXEC) < 0)
        return um_fail_errno(err, errno, path, "cannot start");
    in = pipefd[0];
    out = pipefd[1];
    map = (struct um_fd_map){.from = out, .to = 2};
    if (!um_fd_set_nonblock(in, true))
        return um_fail_errno(err, errno, path, "cannot start");
    code = um_spawn(&spec, &pid, &pidfd, err);
    if (code)
        return code;
    um_fd_close(&out);
    status = await_child(pid, pidfd, in, &said);
    while (said.len > 0 && said.data[said.len - 1] == '\n')
        said.data[--said.len] = '\0';
    snprintf(last, sizeof(last), "%s", said.len > 0 ? said.data : "it gave no reason");
    um_buf_done(&said);
    if (status == 0)
        return UM_OK;
    um_fail(err, UM_E_UNREACHABLE, path, NULL, "the daemon %s: %s",
            status < 0 ? "was not ready in time" : "could not be started", last);
    return um_hint(err, "run %s --background yourself to see more", path);
}

static enum um_code start_and_connect(const struct um_paths *paths, struct client **ret,
                                      struct um_error *err)
{
    um_autofd lock = take_lock(paths->run_dir, err);
    enum um_code code;

    if (lock < 0)
        return err ? err->code : UM_E_UNREACHABLE;
    /* Somebody else may have started it while we waited for the lock. */
    if (client_connect(paths->socket, ret, err) == UM_OK)
        return UM_OK;
    code = spawn_umld(err);
    return code ? code : client_connect(paths->socket, ret, err);
}

enum um_code daemon_connect(bool may_start, struct client **ret, struct um_error *err)
{
    struct um_paths paths;
    enum um_code code;

    if (um_paths_default(true, &paths, err) == UM_OK &&
        client_connect(paths.socket, ret, err) == UM_OK)
        return UM_OK;
    code = um_paths_default(false, &paths, err);
    if (code)
        return code;
    code = check_run_dir(paths.run_dir, err);
    if (code)
        return code;
    code = client_connect(paths.socket, ret, err);
    if (code != UM_E_UNREACHABLE || !may_start)
        return code;
    return start_and_connect(&paths, ret, err);
}
