#include "tests/vmcore/base/suite.h"
#include "vmcore/base/acl.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { READER = 700001, WRITER = 700002, OTHER = 700003, SKIP = 77 };

static char file[64];

static bool file_made(mode_t mode)
{
    um_autofd fd = -1;

    snprintf(file, sizeof(file), "/var/tmp/umld-acl-XXXXXX");
    fd = mkstemp(file);
    return fd >= 0 && fchmod(fd, mode) == 0;
}

static void make_file(mode_t mode)
{
    ck_assert(file_made(mode));
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* May uid do that? Asked by being it. */
static bool may(uid_t uid, int mode)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0
                  ? 2
                  : access(file, mode) < 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

START_TEST(one_user_gets_what_was_given_and_nobody_else)
{
    make_file(0600);
    ck_assert_int_eq(um_acl_grant(file, READER, false), 0);
    ck_assert(may(READER, R_OK) && !may(READER, W_OK) && !may(OTHER, R_OK));
    ck_assert_int_eq(um_acl_revoke(file, READER), 0);
    ck_assert(!may(READER, R_OK));
    unlink(file);
}
END_TEST

START_TEST(the_mode_comes_back_when_the_last_entry_goes)
{
    static const mode_t modes[] = {0600, 0640, 0644, 0400};

    for (size_t i = 0; i < UM_ARRAY_LEN(modes); i++) {
        make_file(modes[i]);
        ck_assert_int_eq(um_acl_grant(file, WRITER, true), 0);
        ck_assert(may(WRITER, R_OK | W_OK));
        ck_assert_int_eq(um_acl_revoke(file, WRITER), 0);
        ck_assert_uint_eq(mode_of(file), modes[i]);
        ck_assert_int_eq(getxattr(file, "system.posix_acl_access", NULL, 0), -1);
        ck_assert_int_eq(errno, ENODATA);
        unlink(file);
    }
}
END_TEST

START_TEST(entries_of_others_stay)
{
    make_file(0600);
    ck_assert_int_eq(um_acl_grant(file, WRITER, true), 0);
    ck_assert_int_eq(um_acl_grant(file, READER, false), 0);
    ck_assert_int_eq(um_acl_grant(file, WRITER, true), 0); /* again: still one entry */
    ck_assert_int_eq(um_acl_revoke(file, READER), 0);
    ck_assert(may(WRITER, R_OK | W_OK) && !may(READER, R_OK));
    ck_assert_int_eq(um_acl_revoke(file, OTHER), 0);
    ck_assert(may(WRITER, W_OK));
    unlink(file);
}
END_TEST

START_TEST(a_mask_is_not_widened_for_others)
{
    make_file(0600);
    ck_assert_int_eq(um_acl_grant(file, OTHER, true), 0);
    ck_assert_int_eq(chmod(file, 0640), 0); /* acl(5): this is the mask now */
    ck_assert(!may(OTHER, W_OK));
    ck_assert_int_eq(um_acl_grant(file, WRITER, true), EEXIST);
    ck_assert_int_eq(um_acl_grant(file, READER, false), 0);
    ck_assert(may(READER, R_OK) && !may(OTHER, W_OK));
    unlink(file);
}
END_TEST

START_TEST(errors_are_told)
{
    ck_assert_int_eq(um_acl_grant("/nonexistent/file", READER, false), ENOENT);
    ck_assert_int_eq(um_acl_revoke("/nonexistent/file", READER), ENOENT);
    ck_assert_int_eq(um_acl_grant("/proc/self/status", READER, false), EOPNOTSUPP);
}
END_TEST

static const struct suite_test tests[] = {
    {&one_user_gets_what_was_given_and_nobody_else, 0},
    {&the_mode_comes_back_when_the_last_entry_goes, 0},
    {&entries_of_others_stay, 0},
    {&a_mask_is_not_widened_for_others, 0},
    {&errors_are_told, 0},
};

int main(void)
{
    int errnum = 0;

    if (geteuid() != 0) {
        puts("only root can try a file as somebody else");
        return SKIP;
    }
    if (file_made(0600))
        errnum = um_acl_grant(file, READER, false);
    unlink(file);
    if (errnum == EOPNOTSUPP) {
        puts("the file system of /var/tmp has no access control lists");
        return SKIP;
    }
    return suite_run("acl", tests, UM_ARRAY_LEN(tests), NULL, NULL);
}
