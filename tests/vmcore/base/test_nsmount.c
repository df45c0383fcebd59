#include "tests/vmcore/base/suite.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/nsmount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIP = 77 };

/* A directory of the host with the file `disk`, and a sandbox: process, and its mount namespace. */
static char host[32];
static pid_t sandbox;
static int ns = -1;

static bool put(const char *path, const char *text)
{
    um_autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool map_ids(unsigned uid, unsigned gid)
{
    char uids[32], gids[32];

    snprintf(uids, sizeof(uids), "0 %u 1", uid);
    snprintf(gids, sizeof(gids), "0 %u 1", gid);
    return put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", uids) &&
           put("/proc/self/gid_map", gids);
}

/*
 * As bubblewrap leaves it: a root nobody writes, a /tmp that the guest does, and a directory bound
 * into it, HOST/share, in which the guest has made a link.
 */
static bool make_sandbox(const char *root)
{
    char tmp[128], share[128], old[128], link[64];
    unsigned uid = geteuid(), gid = getegid();

    snprintf(tmp, sizeof(tmp), "%s/tmp", root);
    snprintf(share, sizeof(share), "%s%s/share", root, host);
    snprintf(old, sizeof(old), "%s/old", root);
    snprintf(link, sizeof(link), "%s/share/link", host);
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && map_ids(uid, gid) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", root, "tmpfs", 0, NULL) == 0 && mkdir(tmp, 0777) == 0 &&
           um_mkdir_parents(share, 0777, NULL) == 0 && mkdir(old, 0777) == 0 &&
           mount("none", tmp, "tmpfs", 0, NULL) == 0 &&
           mount("none", share, "tmpfs", 0, NULL) == 0 && syscall(SYS_pivot_root, root, old) == 0 &&
           chdir("/") == 0 && umount2("/old", MNT_DETACH) == 0 && symlink("/tmp", link) == 0 &&
           mount("none", "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0;
}

static void end_sandbox(void)
{
    if (ns >= 0)
        close(ns);
    if (sandbox > 0) {
        kill(sandbox, SIGKILL);
        waitpid(sandbox, NULL, 0);
    }
    um_remove_tree(host);
}

/* False: no user namespaces here. */
static bool begin(void)
{
    char path[64], byte = 0;
    int report[2];

    snprintf(host, sizeof(host), "/var/tmp/umns-XXXXXX");
    if (!mkdtemp(host) || chmod(host, 0755) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return false;
    snprintf(path, sizeof(path), "%s/root", host);
    sandbox = mkdir(path, 0755) < 0 ? -1 : fork();
    if (sandbox == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (make_sandbox(path) && write(report[1], "", 1) == 1)
            for (;;)
                pause();
        perror("sandbox");
        _exit(1);
    }
    close(report[1]);
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)sandbox);
    if (read(report[0], &byte, 1) == 1)
        ns = open(path, O_RDONLY | O_CLOEXEC);
    close(report[0]);
    return ns >= 0;
}

static void setup(void)
{
    ck_assert(begin());
    atexit(end_sandbox);
}

/* um_nsmount_add, or remove for flags -1, in a child. */
static int run(const char *path, int flags)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(flags < 0 ? um_nsmount_remove(ns, path) : um_nsmount_add(ns, path, (unsigned)flags));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "ended with status %x", status);
    return WEXITSTATUS(status);
}

/* Of a file in the sandbox. */
static const char *inside(const char *path)
{
    static char buf[128];

    snprintf(buf, sizeof(buf), "/proc/%d/root%s", (int)sandbox, path);
    return buf;
}

static bool says(const char *path, const char *text)
{
    char *found;
    bool same;

    if (um_file_read(inside(path), 4096, &found, NULL, NULL))
        return false;
    same = strcmp(found, text) == 0;
    free(found);
    return same;
}

static const char *disk(const char *text)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/disk", host);
    ck_assert(put(path, text));
    return path;
}

START_TEST(a_file_is_there_under_its_own_path_and_gone_again)
{
    const char *path;

    setup();
    path = disk("first");
    ck_assert_int_eq(run(path, 0), 0);
    ck_assert(says(path, "first"));
    ck_assert(put(inside(path), "written"));
    ck_assert_int_eq(run(path, -1), 0);
    ck_assert(says(path, "")); /* the place is left */
    ck_assert_int_eq(run(path, -1), 0);
    ck_assert_int_eq(run(path, 0), 0);
    ck_assert(says(path, "written"));
    ck_assert_int_eq(run("/never/there", -1), 0);
}
END_TEST

START_TEST(read_only_holds_for_who_may_write_the_file)
{
    const char *path;

    setup();
    path = disk("first");
    ck_assert_int_eq(run(path, UM_NSMOUNT_READ_ONLY), 0);
    ck_assert(says(path, "first"));
    errno = 0;
    ck_assert(!put(inside(path), "written"));
    ck_assert_int_eq(errno, EROFS);
}
END_TEST

START_TEST(a_place_is_made_on_tmp_as_well)
{
    char path[] = "/tmp/umns-XXXXXX";
    int fd = mkstemp(path);

    setup();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "tmp", 3), 3);
    close(fd);
    ck_assert_int_eq(run(path, 0), 0);
    ck_assert(says(path, "tmp"));
    unlink(path);
}
END_TEST

START_TEST(nothing_is_made_in_a_bound_directory_and_no_link_followed)
{
    char path[64];

    setup();
    snprintf(path, sizeof(path), "%s/share/link", host);
    ck_assert_int_eq(um_mkdir_parents(path, 0755, NULL), UM_OK);
    strcat(path, "/disk");
    ck_assert(put(path, "x"));
    ck_assert_int_eq(run(path, 0), ENOTDIR);
    ck_assert_int_eq(run(path, -1), ENOTDIR);
    ck_assert_int_eq(access(inside("/tmp/disk"), F_OK), -1);
    snprintf(path, sizeof(path), "%s/share/disk", host);
    ck_assert(put(path, "x"));
    ck_assert_int_eq(run(path, 0), EXDEV);
    ck_assert_int_eq(access(inside(path), F_OK), -1);
}
END_TEST

static const struct suite_test tests[] = {
    {&a_file_is_there_under_its_own_path_and_gone_again, 0},
    {&read_only_holds_for_who_may_write_the_file, 0},
    {&a_place_is_made_on_tmp_as_well, 0},
    {&nothing_is_made_in_a_bound_directory_and_no_link_followed, 0},
};

int main(void)
{
    bool possible = begin();

    end_sandbox();
    if (!possible) {
        puts("no user namespaces, or none with mounts, for this user");
        return SKIP;
    }
    return suite_run("nsmount", tests, UM_ARRAY_LEN(tests), NULL, NULL);
}
