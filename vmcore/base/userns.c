#include "vmcore/base/userns.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One write for the whole map: user_namespaces(7). */
static int write_map(pid_t pid, const char *file, const char *text)
{
    char path[48];
    um_autofd fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return errno;
    return 0;
}

static int write_maps(pid_t pid, const char *uids, const char *gids)
{
    int errnum = write_map(pid, "uid_map", uids);

    return errnum ? errnum : write_map(pid, "gid_map", gids);
}

static ssize_t read_retry(int fd, void *data, size_t size)
{
    ssize_t n;

    do
        n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* ---- the namespace of all guests ---- */

/* The child that makes it; it stays until `release` ends, so that there is something to name. */
static void make(uid_t uid, gid_t gid, int report, int release)
{
    int errnum = 0;
    char byte;

    /* The capabilities are kept for this one call; the owner is who we are when it is made. */
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 || unshare(CLONE_NEWUSER) < 0)
        errnum = errno;
    if (write(report, &errnum, sizeof(errnum)) != (ssize_t)sizeof(errnum))
        _exit(1);
    _exit(read_retry(release, &byte, 1) < 0);
}

static int take(pid_t pid, uid_t uid, gid_t gid, const struct um_userns_range *range, int *ret_fd)
{
    char uids[96], gids[96], path[48];
    int errnum;

    snprintf(uids, sizeof(uids), "%u %u %u\n%u %u 1\n", range->first, range->first, range->count,
             (unsigned)uid, (unsigned)uid);
    snprintf(gids, sizeof(gids), "%u %u %u\n%u %u 1\n", range->first, range->first, range->count,
             (unsigned)gid, (unsigned)gid);
    errnum = write_maps(pid, uids, gids);
    if (errnum)
        return errnum;
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? errno : 0;
}

static bool within(const struct um_userns_range *r, uint32_t id)
{
    return id >= r->first && id - r->first < r->count;
}

static int make_and_take(uid_t uid, gid_t gid, const struct um_userns_range *range, int *ret_fd)
{
    int report[2], release[2], errnum = EPIPE;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    if (pipe2(release, O_CLOEXEC) < 0) {
        errnum = errno;
        close(report[0]);
        close(report[1]);
        return errnum;
    }
    pid = fork();
    if (pid == 0) {
        close(release[1]);
        make(uid, gid, report[1], release[0]);
    }
    close(report[1]);
    close(release[0]);
    if (pid < 0)
        errnum = errno;
    else if (read_retry(report[0], &errnum, sizeof(errnum)) != (ssize_t)sizeof(errnum))
        errnum = EPIPE;
    else if (errnum == 0)
        errnum = take(pid, uid, gid, range, ret_fd);
    close(report[0]);
    close(release[1]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return errnum;
}

enum um_code um_userns_new(uid_t uid, gid_t gid, const struct um_userns_range *range, int *ret_fd,
                           struct um_error *err)
{
    int errnum;

    if (within(range, uid) || within(range, gid)) {
        um_fail(err, UM_E_BAD_CONFIG, "--guest-uids", NULL,
                "%u-%u contains the daemon's own user or group, %u and %u", range->first,
                range->first + range->count - 1, (unsigned)uid, (unsigned)gid);
        return um_hint(err, "give a range of numbers that nobody else uses");
    }
    errnum = make_and_take(uid, gid, range, ret_fd);
    if (errnum == 0)
        return UM_OK;
    um_fail_errno(err, errnum, "--guest-uids", "the guests' user namespace cannot be made");
    return um_hint(err, "user namespaces must be allowed: sysctl user.max_user_namespaces, "
                        "kernel.unprivileged_userns_clone");
}

int um_userns_enter(int fd)
{
    return setns(fd, CLONE_NEWUSER) < 0 ? errno : 0;
}

/* ---- one guest's ---- */

/* Stays in the namespace above, whose capabilities the maps need, and writes them from there. */
static void serve_maps(pid_t pid, uint32_t id, uid_t uid, gid_t gid, int go)
{
    char uids[64], gids[64], byte;

    snprintf(uids, sizeof(uids), "0 %u 1\n%u %u 1\n", (unsigned)uid, id, id);
    snprintf(gids, sizeof(gids), "0 %u 1\n%u %u 1\n", (unsigned)gid, id, id);
    _exit(read_retry(go, &byte, 1) == 1 ? write_maps(pid, uids, gids) : ECANCELED);
}

static int await_errno(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

int um_userns_nest(uint32_t id)
{
    pid_t self = getpid(), helper;
    int go[2], errnum = 0, answer;

    if (pipe2(go, O_CLOEXEC) < 0)
        return errno;
    helper = fork();
    if (helper == 0) {
        close(go[1]);
        serve_maps(self, id, geteuid(), getegid(), go[0]);
    }
    close(go[0]);
    if (helper < 0 || unshare(CLONE_NEWUSER) < 0 || write(go[1], "", 1) != 1)
        errnum = errno;
    close(go[1]);
    answer = helper > 0 ? await_errno(helper) : 0;
    return errnum ? errnum : answer;
}
