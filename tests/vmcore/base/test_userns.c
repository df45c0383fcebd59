#include "tests/vmcore/base/suite.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAEMON = 54321, FIRST = 700000, COUNT = 10, SKIP = 77 };

static const struct um_userns_range range = {FIRST, COUNT};

/* A namespace of DAEMON's, who is then what we are: without any right of root's. */
static int become_daemon(void)
{
    struct um_error err;
    int fd = -1;

    ck_assert_msg(um_userns_new(DAEMON, DAEMON, &range, &fd, &err) == UM_OK, "%s", err.message);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setresgid(DAEMON, DAEMON, DAEMON), 0);
    ck_assert_int_eq(setresuid(DAEMON, DAEMON, DAEMON), 0);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0); /* as after an exec */
    return fd;
}

/* fn in a child; its exit status. */
static int in_child(int (*fn)(int ns), int ns)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn(ns));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "ended with status %x", status);
    return WEXITSTATUS(status);
}

static int capabilities(void)
{
    static const char *const names[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    char *text;
    int nonzero = 0;

    if (um_file_read("/proc/self/status", 65536, &text, NULL, NULL))
        return -1;
    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++) {
        const char *at = strstr(text, names[i]);

        nonzero += !at || strtoull(at + strlen(names[i]) + 1, NULL, 16) != 0;
    }
    free(text);
    return nonzero;
}

static int become_guest(int ns)
{
    uid_t r, e, s;

    if (um_userns_enter(ns) || um_userns_nest(FIRST + 3))
        return 1;
    if (getuid() != 0 || um_userns_become(FIRST + 3))
        return 2;
    if (getresuid(&r, &e, &s) < 0 || r != FIRST + 3 || e != r || s != r || getgid() != r)
        return 3;
    if (getgroups(0, NULL) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 4;
    return capabilities() != 0 ? 5 : 0;
}

START_TEST(a_child_becomes_one_of_the_range_with_nothing_left)
{
    ck_assert_int_eq(in_child(become_guest, become_daemon()), 0);
}
END_TEST

static int become_others(int ns)
{
    static const uid_t others[] = {0, 1, FIRST - 1, FIRST + COUNT};

    if (um_userns_enter(ns))
        return 1;
    for (size_t i = 0; i < UM_ARRAY_LEN(others); i++)
        if (setresuid(others[i], others[i], others[i]) == 0)
            return 2 + (int)i;
    return um_userns_nest(0) == 0 ? 10 : 0;
}

START_TEST(nobody_else_can_be_become_root_least_of_all)
{
    ck_assert_int_eq(in_child(become_others, become_daemon()), 0);
}
END_TEST

static int open_shadow(int ns)
{
    return um_userns_enter(ns) || open("/etc/shadow", O_RDONLY) >= 0;
}

START_TEST(files_of_others_stay_closed)
{
    ck_assert_int_eq(in_child(open_shadow, become_daemon()), 0);
}
END_TEST

/* The stop tells that all is done; then it waits for the kill. */
static int wait_as_guest(int ns)
{
    if (become_guest(ns) == 0)
        execl("/bin/sh", "sh", "-c", "kill -STOP $$; sleep 100", (char *)NULL);
    return 1;
}

/* user_namespaces(7): the owner has all capabilities in it, from outside. */
START_TEST(the_owner_looks_into_and_ends_what_runs_in_it)
{
    int ns = become_daemon(), status;
    char path[48], target[256];
    pid_t pid = fork();

    if (pid == 0)
        _exit(wait_as_guest(ns));
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
    ck_assert_int_gt(readlink(path, target, sizeof(target)), 0);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

static char litter[64];

static int make_litter(int ns)
{
    char path[96];

    if (become_guest(ns) != 0)
        return 1;
    snprintf(path, sizeof(path), "%s/closed", litter);
    if (mkdir(path, 0700) < 0)
        return 2;
    strcat(path, "/inner");
    if (mkdir(path, 0700) < 0 || chmod(path, 0) < 0)
        return 3;
    *strrchr(path, '/') = '\0';
    return chmod(path, 0) < 0 ? 4 : 0;
}

static int remove_litter(int ns)
{
    return um_userns_enter(ns) || !um_remove_tree(litter);
}

static int give_directory(int ns)
{
    return um_userns_enter(ns) || chown(litter, FIRST + 3, (gid_t)-1) < 0;
}

START_TEST(what_somebody_of_the_range_closed_can_be_removed)
{
    int ns = become_daemon();

    snprintf(litter, sizeof(litter), "/tmp/umld-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(litter));
    ck_assert_int_eq(in_child(give_directory, ns), 0);
    ck_assert_int_eq(in_child(make_litter, ns), 0);
    ck_assert(!um_remove_tree(litter));
    ck_assert_int_eq(in_child(remove_litter, ns), 0);
    ck_assert_int_eq(access(litter, F_OK), -1);
}
END_TEST

START_TEST(a_range_with_the_daemon_in_it_is_refused)
{
    struct um_error err;
    int fd = -1;

    ck_assert_int_eq(um_userns_new(FIRST + 1, DAEMON, &range, &fd, &err), UM_E_BAD_CONFIG);
    ck_assert_int_eq(um_userns_new(DAEMON, FIRST + COUNT - 1, &range, &fd, &err), UM_E_BAD_CONFIG);
    ck_assert_int_eq(fd, -1);
    ck_assert_ptr_nonnull(strstr(err.message, "700000-700009"));
}
END_TEST

static const struct suite_test tests[] = {
    {&a_child_becomes_one_of_the_range_with_nothing_left, 0},
    {&nobody_else_can_be_become_root_least_of_all, 0},
    {&files_of_others_stay_closed, 0},
    {&the_owner_looks_into_and_ends_what_runs_in_it, 0},
    {&what_somebody_of_the_range_closed_can_be_removed, 0},
    {&a_range_with_the_daemon_in_it_is_refused, 0},
};

int main(void)
{
    if (geteuid() != 0) {
        puts("only root can make a namespace with other users in it");
        return SKIP;
    }
    return suite_run("userns", tests, UM_ARRAY_LEN(tests), NULL, NULL);
}
