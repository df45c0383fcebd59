/*
 * Control groups on hosts that are made up of ordinary directories: which place is found, which
 * files are written with what. The host's own are tried by tests/guest/test_limits.py.
 */
#include "tests/check_run.h"
#include "umld/cgroup_private.h"
#include "vmcore/base/fd.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char top[64];

static const char *at(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    return path;
}

static void put(const char *name, const char *text)
{
    ck_assert_int_eq(um_file_replace(at(name), text, strlen(text), 0644, NULL), UM_OK);
}

static void directory(const char *name)
{
    ck_assert_int_eq(um_mkdir_parents(at(name), 0755, NULL), UM_OK);
}

static void file_is(const char *name, const char *expected)
{
    char *text = NULL;

    ck_assert_msg(um_file_read(at(name), 4096, &text, NULL, NULL) == UM_OK, "%s", name);
    ck_assert_msg(strcmp(text, expected) == 0, "%s is \"%s\"", name, text);
    free(text);
}

static void set_up(void)
{
    snprintf(top, sizeof(top), "/tmp/umcgXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
}

static void tear_down(void)
{
    um_remove_tree(top);
}

/* ---- what is written ---- */

static const struct guest_limits all = {
    .value = {
        [LIMIT_MEMORY] = 256 << 20, [LIMIT_PIDS] = 200, [LIMIT_CPU] = 150, [LIMIT_IO] = 5 << 20}};

static void lines_are(bool v2, const struct guest_limits *limits, const char *expected)
{
    const dev_t disks[] = {makedev(254, 0), makedev(8, 16)};
    struct cgroup_line lines[CGROUP_LINES_MAX];
    size_t count = cgroup_lines(v2, limits, disks, UM_ARRAY_LEN(disks), lines);
    struct um_buf b = UM_BUF_INIT;

    for (size_t i = 0; i < count; i++)
        um_buf_printf(&b, "%s%s %s\n", lines[i].optional ? "?" : "", lines[i].file, lines[i].text);
    ck_assert_str_eq(b.data ? b.data : "", expected);
    um_buf_done(&b);
}

START_TEST(both_versions_hold_every_limit)
{
    const struct guest_limits one = {.value = {[LIMIT_CPU] = 30}}, none = {.value = {0}};

    lines_are(false, &all,
              "memory.limit_in_bytes 268435456\n"
              "?memory.memsw.limit_in_bytes 268435456\n"
              "pids.max 200\n"
              "cpu.cfs_quota_us 150000\n"
              "blkio.throttle.read_bps_device 254:0 5242880\n"
              "blkio.throttle.read_bps_device 8:16 5242880\n"
              "blkio.throttle.write_bps_device 254:0 5242880\n"
              "blkio.throttle.write_bps_device 8:16 5242880\n");
    lines_are(true, &all,
              "memory.max 268435456\n"
              "?memory.swap.max 0\n"
              "?memory.oom.group 1\n"
              "pids.max 200\n"
              "cpu.max 150000 100000\n"
              "io.max 254:0 rbps=5242880 wbps=5242880\n"
              "io.max 8:16 rbps=5242880 wbps=5242880\n");
    lines_are(true, &one, "cpu.max 30000 100000\n");
    lines_are(false, &none, "");
}
END_TEST

/* ---- version 1 ---- */

static void host_v1(void)
{
    struct um_buf mounts = UM_BUF_INIT;

    um_buf_printf(&mounts,
                  "20 1 0:1 / /proc rw - proc proc rw\n"
                  "30 1 0:2 / %s/memory rw,relatime - cgroup cgroup rw,memory\n"
                  "31 1 0:3 / %s/pids rw - cgroup cgroup rw,pids\n"
                  "32 1 0:4 /lxc/a %s/cpu rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
                  "33 1 0:5 / %s/unified rw - cgroup2 cgroup2 rw\n",
                  top, top, top, top);
    put("mountinfo", mounts.data);
    um_buf_done(&mounts);
    put("cgroup", "9:name=systemd:/\n8:pids:/\n4:memory:/one/two\n1:cpu,cpuacct:/lxc/a/b\n0::/\n");
    directory("memory/one/two");
    directory("pids");
    directory("cpu/b");
    directory("unified");
}

START_TEST(of_version_1_the_place_is_below_our_own_group)
{
    const char *text;
    struct cgroups *c;

    host_v1();
    c = cgroups_new(top, "umld-1");
    ck_assert(cgroups_hold(c, LIMIT_MEMORY, &text));
    ck_assert_str_eq(text, at("memory/one/two/umld-1"));
    ck_assert(cgroups_hold(c, LIMIT_PIDS, &text));
    ck_assert_str_eq(text, at("pids/umld-1"));
    /* A mount of a part of the tree: the rest of the path is below it. */
    ck_assert(cgroups_hold(c, LIMIT_CPU, &text));
    ck_assert_str_eq(text, at("cpu/b/umld-1"));
    ck_assert(!cgroups_hold(c, LIMIT_IO, &text));
    ck_assert_str_eq(text, "the host has no control group for it here");
    ck_assert(cgroups_any(c));
    ck_assert_int_eq(cgroups_gate(c), -1);
    ck_assert_int_eq(access(at("pids/umld-1"), F_OK), -1); /* finding makes nothing */
    cgroups_prepare(c, geteuid(), getegid());
    ck_assert_int_eq(access(at("pids/umld-1"), F_OK), 0);
    ck_assert_int_eq(access(at("memory/one/two/umld-1"), F_OK), 0);
    cgroups_free(c);
    ck_assert_int_eq(access(at("pids/umld-1"), F_OK), -1); /* nothing was in it */
}
END_TEST

START_TEST(a_limit_that_cannot_be_held_is_refused_and_nothing_is_made)
{
    const struct guest_limits limits = {.value = {[LIMIT_PIDS] = 50, [LIMIT_IO] = 1 << 20}};
    struct um_strv dirs = {NULL, 0};
    struct cgroups *c;
    struct um_error err;

    host_v1();
    c = cgroups_new(top, "umld-1");
    cgroups_prepare(c, geteuid(), getegid());
    ck_assert_int_eq(cgroup_make(c, "web", 7, &limits, NULL, 0, &dirs, &err), UM_E_UNSUPPORTED);
    ck_assert_str_eq(err.field, "limit:io");
    ck_assert_ptr_nonnull(strstr(err.hint, "limit:io=none"));
    ck_assert_uint_eq(dirs.n, 0);
    ck_assert_int_eq(access(at("pids/umld-1/guest-web.7"), F_OK), -1);
    cgroups_free(c);
}
END_TEST

START_TEST(a_group_whose_limit_cannot_be_written_is_taken_away_again)
{
    const struct guest_limits limits = {.value = {[LIMIT_PIDS] = 50}};
    struct um_strv dirs = {NULL, 0};
    struct cgroups *c;
    struct um_error err;

    host_v1(); /* no pids.max appears in an ordinary directory */
    c = cgroups_new(top, "umld-1");
    cgroups_prepare(c, geteuid(), getegid());
    ck_assert_int_eq(cgroup_make(c, "web", 7, &limits, NULL, 0, &dirs, &err), UM_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "guest-web.7/pids.max"));
    ck_assert_int_eq(access(at("pids/umld-1/guest-web.7"), F_OK), -1);
    um_strv_done(&dirs);
    cgroups_free(c);
}
END_TEST

static bool is_web(const char *guest, um_unused const char *dir, um_unused void *arg)
{
    return strcmp(guest, "web") == 0;
}

START_TEST(only_groups_nobody_keeps_are_swept)
{
    struct cgroups *c;

    host_v1();
    c = cgroups_new(top, "umld-1");
    cgroups_prepare(c, geteuid(), getegid());
    directory("pids/umld-1/guest-web.7");
    directory("pids/umld-1/guest-old.1.12");
    directory("pids/umld-1/guest-busy.3/in"); /* cannot be removed */
    directory("pids/umld-1/other.7");
    ck_assert_int_eq(cgroups_sweep(c, is_web, NULL), 1);
    ck_assert_int_eq(access(at("pids/umld-1/guest-web.7"), F_OK), 0);
    ck_assert_int_eq(access(at("pids/umld-1/guest-old.1.12"), F_OK), -1);
    ck_assert_int_eq(access(at("pids/umld-1/other.7"), F_OK), 0);
    cgroups_free(c);
    ck_assert_int_eq(access(at("pids/umld-1/guest-web.7"), F_OK), 0);
}
END_TEST

START_TEST(what_the_host_killed_is_counted)
{
    static const struct {
        const char *file, *text;
        uint64_t count;
    } rows[] = {{"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2},
                {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", 0},
                {"memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\n", 1},
                {"memory.stat", "oom_kill 7\n", 0}};
    char name[64];

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        directory("g");
        snprintf(name, sizeof(name), "g/%s", rows[i].file);
        put(name, rows[i].text);
        ck_assert_uint_eq(cgroup_starved(at("g")), rows[i].count);
        um_remove_tree(at("g"));
    }
}
END_TEST

/* ---- version 2 ---- */

static void host_v2(const char *own, const char *top_dir)
{
    struct um_buf mounts = UM_BUF_INIT, groups = UM_BUF_INIT;
    char name[128];

    um_buf_printf(&mounts, "33 1 0:5 / %s/cg rw - cgroup2 cgroup2 rw,nsdelegate\n", top);
    put("mountinfo", mounts.data);
    um_buf_printf(&groups, "0::%s\n", own);
    put("cgroup", groups.data);
    um_buf_done(&mounts);
    um_buf_done(&groups);
    directory(top_dir);
    snprintf(name, sizeof(name), "%s/cgroup.controllers", top_dir);
    put(name, "cpuset cpu io memory pids\n");
    snprintf(name, sizeof(name), "%s/cgroup.subtree_control", top_dir);
    put(name, "");
}

START_TEST(of_version_2_the_place_is_beside_our_own_group)
{
    const char *text;
    struct cgroups *c;

    host_v2("/system.slice/umld.service", "cg/system.slice");
    c = cgroups_new(top, "umld-1");
    for (int i = 0; i < LIMIT_COUNT; i++) {
        ck_assert(cgroups_hold(c, (enum guest_limit)i, &text));
        ck_assert_str_eq(text, at("cg/system.slice/umld-1"));
    }
    cgroups_free(c);
    host_v2("/", "cg");
    c = cgroups_new(top, "umld-1");
    ck_assert(cgroups_hold(c, LIMIT_MEMORY, &text));
    ck_assert_str_eq(text, at("cg/umld-1"));
    cgroups_free(c);
}
END_TEST

/* The kernel makes these files with the group: here they are there before. */
START_TEST(controllers_are_switched_on_and_a_gate_is_kept)
{
    static const char *const files[] = {"cgroup.procs", "cgroup.subtree_control",
                                        "gate/cgroup.procs"};
    const char *text;
    struct cgroups *c;
    char name[96];

    host_v2("/system.slice/umld.service", "cg/system.slice");
    put("cg/system.slice/cgroup.controllers", "io\n");
    directory("cg/system.slice/umld-1/gate");
    for (size_t i = 0; i < UM_ARRAY_LEN(files); i++) {
        snprintf(name, sizeof(name), "cg/system.slice/umld-1/%s", files[i]);
        put(name, "");
    }
    c = cgroups_new(top, "umld-1");
    cgroups_prepare(c, geteuid(), getegid());
    ck_assert(cgroups_hold(c, LIMIT_IO, &text));
    ck_assert(!cgroups_hold(c, LIMIT_CPU, &text));
    ck_assert_int_ge(cgroups_gate(c), 0);
    file_is("cg/system.slice/cgroup.subtree_control", "+io");
    file_is("cg/system.slice/umld-1/cgroup.subtree_control", "+io");
    ck_assert_int_eq(write(cgroups_gate(c), "0", 1), 1);
    file_is("cg/system.slice/umld-1/gate/cgroup.procs", "0");
    cgroups_free(c);
}
END_TEST

START_TEST(a_place_that_cannot_be_made_is_told)
{
    const char *text;
    struct cgroups *c;

    host_v2("/system.slice/umld.service", "cg/system.slice");
    put("cg/system.slice/umld-1", "in the way");
    c = cgroups_new(top, "umld-1");
    cgroups_prepare(c, geteuid(), getegid());
    ck_assert(!cgroups_any(c));
    ck_assert(!cgroups_hold(c, LIMIT_PIDS, &text));
    ck_assert_ptr_nonnull(strstr(text, "umld-1: "));
    ck_assert_int_eq(cgroups_gate(c), -1);
    cgroups_free(c);
}
END_TEST

START_TEST(a_host_without_any_is_no_error)
{
    const char *text;
    struct cgroups *c = cgroups_new(top, "umld-1"); /* neither file is there */

    ck_assert(!cgroups_any(c));
    ck_assert(!cgroups_hold(c, LIMIT_MEMORY, &text));
    cgroups_prepare(c, geteuid(), getegid());
    cgroups_free(c);
    cgroups_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cgroup");
    TCase *t = tcase_create("hosts");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, both_versions_hold_every_limit);
    tcase_add_test(t, of_version_1_the_place_is_below_our_own_group);
    tcase_add_test(t, a_limit_that_cannot_be_held_is_refused_and_nothing_is_made);
    tcase_add_test(t, a_group_whose_limit_cannot_be_written_is_taken_away_again);
    tcase_add_test(t, only_groups_nobody_keeps_are_swept);
    tcase_add_test(t, what_the_host_killed_is_counted);
    tcase_add_test(t, of_version_2_the_place_is_beside_our_own_group);
    tcase_add_test(t, controllers_are_switched_on_and_a_gate_is_kept);
    tcase_add_test(t, a_place_that_cannot_be_made_is_told);
    tcase_add_test(t, a_host_without_any_is_no_error);
    suite_add_tcase(suite, t);
    return check_run(suite);
}
