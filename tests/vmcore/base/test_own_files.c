#include "tests/vmcore/base/suite.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/own_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[32], mine[64], other[64];
static int held;

static void begin(void)
{
    snprintf(dir, sizeof(dir), "/tmp/umownXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(mine, sizeof(mine), "%s/mine", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    held = open(mine, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fcntl(held, F_SETLK, &(struct flock){.l_type = F_WRLCK}), 0);
    ck_assert(um_own_file_add(mine));
}

static void end(void)
{
    um_own_file_drop(mine);
    close(held);
    ck_assert(um_remove_tree(dir));
}

/* As another process sees it: one's own record locks are never in the way. */
static bool locked(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK};
        int fd = open(mine, O_RDWR | O_CLOEXEC);

        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 7 : 8);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 8));
    return WEXITSTATUS(status) == 7;
}

static void refused(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(um_own_file_is(&st));
    errno = 0;
    ck_assert_int_eq(um_open_named(path), -1);
    ck_assert_int_eq(errno, EBUSY);
    ck_assert(locked());
}

START_TEST(no_name_of_ours_costs_its_lock)
{
    begin();
    ck_assert(locked());
    refused(mine);
    ck_assert_int_eq(symlink(mine, other), 0);
    refused(other);
    ck_assert_int_eq(unlink(other), 0);
    ck_assert_int_eq(link(mine, other), 0);
    refused(other);
    close(open(other, O_RDONLY | O_CLOEXEC)); /* what it is about */
    ck_assert(!locked());
    end();
}
END_TEST

START_TEST(other_files_are_opened_without_waiting)
{
    char byte = 0;
    int fd;

    begin();
    ck_assert_int_eq(um_open_named(other), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(mkfifo(other, 0600), 0);
    fd = um_open_named(other); /* nobody writes */
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(close(fd), 0);
    um_own_file_drop(mine);
    ck_assert_int_eq(write(held, "x", 1), 1);
    fd = um_open_named(mine);
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(close(fd), 0);
    end();
}
END_TEST

START_TEST(there_is_room_for_eight)
{
    char path[UM_OWN_FILES_MAX + 1][16];

    for (int i = 0; i <= UM_OWN_FILES_MAX; i++) {
        snprintf(path[i], sizeof(path[i]), "/no/such/%d", i);
        ck_assert_int_eq(um_own_file_add(path[i]), i < UM_OWN_FILES_MAX);
    }
    for (int i = 0; i <= UM_OWN_FILES_MAX; i++)
        um_own_file_drop(path[i]);
    ck_assert(um_own_file_add(path[0]));
    um_own_file_drop(path[0]);
}
END_TEST

static const struct suite_test tests[] = {
    {&no_name_of_ours_costs_its_lock, 0},
    {&other_files_are_opened_without_waiting, 0},
    {&there_is_room_for_eight, 0},
};
SUITE_MAIN("own_files", tests)
