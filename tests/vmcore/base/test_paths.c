#include "tests/vmcore/base/suite.h"
#include "vmcore/base/paths.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void clear(void)
{
    static const char *const names[] = {"UMLD_RUN_DIR", "UMLD_STATE_DIR", "XDG_RUNTIME_DIR",
                                        "XDG_STATE_HOME", "UMLD_LIBEXEC"};

    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("HOME", "/home/u", 1);
}

START_TEST(system_mode_has_fixed_paths)
{
    struct um_paths p;
    struct um_error err;

    clear();
    setenv("XDG_RUNTIME_DIR", "/x", 1);
    ck_assert_int_eq(um_paths_default(true, &p, &err), UM_OK);
    ck_assert_str_eq(p.run_dir, "/run/umld");
    ck_assert_str_eq(p.socket, "/run/umld/api");
    ck_assert_str_eq(p.state_dir, "/var/lib/umld");
}
END_TEST

START_TEST(user_mode_follows_the_environment)
{
    struct um_paths p;
    struct um_error err;

    clear();
    setenv("XDG_RUNTIME_DIR", "/r", 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_OK);
    ck_assert_str_eq(p.socket, "/r/umld/api");
    ck_assert_str_eq(p.state_dir, "/home/u/.local/state/umld");
    setenv("XDG_STATE_HOME", "/s", 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_OK);
    ck_assert_str_eq(p.state_dir, "/s/umld");
    setenv("UMLD_RUN_DIR", "/own/run", 1);
    setenv("UMLD_STATE_DIR", "/own/state", 1);
    ck_assert_int_eq(um_paths_default(true, &p, &err), UM_OK);
    ck_assert_str_eq(p.run_dir, "/own/run");
    ck_assert_str_eq(p.state_dir, "/own/state");
}
END_TEST

START_TEST(relative_directories_become_absolute)
{
    struct um_paths p;
    struct um_error err;

    clear();
    ck_assert_int_eq(chdir("/tmp"), 0);
    setenv("UMLD_RUN_DIR", "r/../run", 1);
    setenv("UMLD_STATE_DIR", "state/", 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_OK);
    ck_assert_str_eq(p.run_dir, "/tmp/run");
    ck_assert_str_eq(p.state_dir, "/tmp/state");
}
END_TEST

START_TEST(directories_too_long_are_refused_with_advice)
{
    struct um_paths p;
    struct um_error err;
    char dir[700];

    clear();
    memset(dir, 'x', sizeof(dir) - 1);
    dir[0] = '/';
    dir[UM_RUN_DIR_MAX + 1] = '\0';
    setenv("UMLD_RUN_DIR", dir, 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_E_BAD_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.hint, "UMLD_RUN_DIR"));
    dir[UM_RUN_DIR_MAX] = '\0';
    setenv("UMLD_RUN_DIR", dir, 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_OK);
    memset(dir, 'x', sizeof(dir) - 1);
    dir[0] = '/';
    dir[sizeof(dir) - 1] = '\0';
    setenv("UMLD_STATE_DIR", dir, 1);
    ck_assert_int_eq(um_paths_default(false, &p, &err), UM_E_BAD_CONFIG);
}
END_TEST

START_TEST(programs_are_found_or_a_package_is_named)
{
    struct um_error err;
    char path[256];

    clear();
    setenv("PATH", "relative:/nonexistent:/bin", 1);
    ck_assert_int_eq(um_paths_program("sh", "dash", path, sizeof(path), &err), UM_OK);
    ck_assert_str_eq(path, "/bin/sh");
    ck_assert_int_eq(um_paths_program("ldconfig", "libc-bin", path, sizeof(path), &err), UM_OK);
    ck_assert_str_eq(path, "/usr/sbin/ldconfig");
    ck_assert_int_eq(um_paths_program("nosuch", "pkg", path, sizeof(path), &err),
                     UM_E_MISSING_SOFTWARE);
    ck_assert_str_eq(err.hint, "apt-get install pkg");
}
END_TEST

START_TEST(private_files_are_found_by_environment_or_both_places_are_named)
{
    struct um_error err;
    char path[256];

    clear();
    setenv("UMLD_LIBEXEC", "/bin", 1);
    ck_assert_int_eq(um_paths_libexec("sh", path, sizeof(path), &err), UM_OK);
    ck_assert_str_eq(path, "/bin/sh");
    ck_assert_int_eq(um_paths_libexec("nosuch", path, sizeof(path), &err), UM_E_MISSING_SOFTWARE);
    ck_assert_ptr_nonnull(strstr(err.message, "/bin"));
    ck_assert_ptr_nonnull(strstr(err.message, "libexec/umld"));
}
END_TEST

static const struct suite_test tests[] = {
    {&system_mode_has_fixed_paths, 0},
    {&user_mode_follows_the_environment, 0},
    {&relative_directories_become_absolute, 0},
    {&directories_too_long_are_refused_with_advice, 0},
    {&programs_are_found_or_a_package_is_named, 0},
    {&private_files_are_found_by_environment_or_both_places_are_named, 0},
};
SUITE_MAIN("paths", tests)
