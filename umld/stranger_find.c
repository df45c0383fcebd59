/*
 * Which process is the kernel behind a socket. Its pid file, its arguments and its socket are the
 * user's, and may lie: what counts is that the process holds the very socket (mconsole/
 * main_process.h), and that a pidfd of it is open before anything else about it is read.
 */
#include "umld/stranger.h"

#include "mconsole/main_process.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A guest of some umld: R/g/NAME/in/uml/mconsole, with its monitor's socket at R/g/NAME/mon. */
static bool is_managed(const char *socket)
{
    static const char tail[] = "/in/uml/mconsole";
    size_t len = strlen(socket), tail_len = sizeof(tail) - 1;
    char path[PATH_MAX];
    struct stat st;

    if (len <= tail_len || strcmp(socket + len - tail_len, tail) != 0)
        return false;
    snprintf(path, sizeof(path), "%.*s/mon", (int)(len - tail_len), socket);
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static enum um_code check_socket(const char *socket, struct um_error *err)
{
    struct stat st;

    if (stat(socket, &st) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        um_fail(err, UM_E_NOT_FOUND, socket, "socket", "there is no such socket");
        return um_hint(err, "give the path of a running kernel's mconsole socket");
    }
    if (stat(socket, &st) < 0)
        return um_fail_errno(err, errno, socket, "cannot be reached by umld (uid %u)",
                             (unsigned)geteuid());
    if (!S_ISSOCK(st.st_mode))
        return um_fail(err, UM_E_INVALID, socket, "socket", "is not a socket");
    if (!is_managed(socket))
        return UM_OK;
    um_fail(err, UM_E_CONFLICT, socket, "socket", "belongs to a guest of umld already");
    return um_hint(err, "see: umlctl list, also of the umld in the other mode");
}

/* The owner of /proc/PID: the user the process acts as. */
static bool owner_of(pid_t pid, uid_t *ret)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &st) < 0)
        return false;
    *ret = st.st_uid;
    return true;
}

static enum um_code denied(const char *socket, pid_t pid, uid_t uid, struct um_error *err)
{
    um_fail(err, UM_E_DENIED, socket, "socket",
            "process %d belongs to uid %u, and umld is uid %u: it could not end it", (int)pid,
            (unsigned)uid, (unsigned)geteuid());
    return um_hint(err, "let its owner adopt it, with an umld of his own");
}

/* proc(5): the number of a pidfd's process is in fdinfo; 0: unknown. */
static pid_t pid_of(int pidfd)
{
    char path[64], line[128];
    int pid = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Pid: %d", &pid) == 1)
            break;
    if (f)
        fclose(f);
    return pid > 0 ? pid : 0;
}

static bool ended(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, 0) != 0;
}

static enum um_code find_process(const char *socket, struct stranger *s, int *ret_pidfd,
                                 struct um_error *err)
{
    um_autofd pidfd = -1;
    enum um_code code = mconsole_pid_of(socket, &s->pid, err);

    if (code == UM_E_NOT_FOUND) {
        um_fail(err, UM_E_NOT_FOUND, socket, "socket",
                "there is no file \"pid\" beside it: its process is not known");
        return um_hint(err, "a kernel writes that file; start it with umid=NAME");
    }
    if (code)
        return code;
    /* Said before /proc refuses to show its descriptors. */
    if (owner_of(s->pid, &s->uid) && s->uid != geteuid() && geteuid() != 0)
        return denied(socket, s->pid, s->uid, err);
    code = mconsole_main_pidfd(socket, &pidfd, err);
    if (code)
        return um_hint(err, "a socket left behind by a dead kernel is cleaned by uml_mconsole");
    s->pid = pid_of(pidfd);
    s->start = s->pid ? um_clock_process_start(s->pid) : -1;
    if (s->start <= 0 || !owner_of(s->pid, &s->uid) || ended(pidfd))
        return um_fail(err, UM_E_NOT_RUNNING, socket, "socket", "its kernel has just ended");
    if (!um_pidfd_signal(pidfd, 0) && errno == EPERM)
        return denied(socket, s->pid, s->uid, err);
    *ret_pidfd = pidfd;
    pidfd = -1;
    return UM_OK;
}

enum um_code stranger_find(const char *socket, struct stranger **ret, int *ret_pidfd,
                           struct um_error *err)
{
    enum um_code code = check_socket(socket, err);
    struct stranger *s = code ? NULL : calloc(1, sizeof(*s));

    if (code)
        return code;
    /* Where it is made anew after a reboot is seen in its real directory only. */
    if (!s || !(s->socket = realpath(socket, NULL))) {
        free(s);
        return um_fail_errno(err, errno, socket, "cannot be looked up");
    }
    code = find_process(s->socket, s, ret_pidfd, err);
    if (code)
        stranger_free(s);
    else
        *ret = s;
    return code;
}

bool stranger_lives(const struct stranger *s)
{
    um_autofd pidfd = um_pidfd_open(s->pid);

    /* The descriptor pins the process; only then is its start time proof of who it is. */
    return pidfd >= 0 && um_clock_process_start(s->pid) == s->start && !ended(pidfd);
}
