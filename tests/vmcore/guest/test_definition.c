/*
 * What a definition may say, and what must be true on the host.
 */
#include "tests/check_run.h"
#include "vmcore/guest/definition.h"

#include "cow_header.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX 16

static struct um_error errors[MAX];
static char dir[] = "/tmp/umld-test-XXXXXX";

static struct guest_definition empty(void)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;

    d.name = strdup("web");
    return d;
}

static void add(struct guest_definition *d, const char *word)
{
    struct um_error err = UM_ERROR_INIT;
    struct device v;

    ck_assert_msg(device_parse(word, dir, &v, &err) == UM_OK, "%s", err.message);
    ck_assert(guest_definition_set(d, &v));
}

static size_t check(const struct guest_definition *d)
{
    size_t n = 99;

    guest_definition_check(d, errors, MAX, &n);
    return n;
}

static size_t check_files(const struct guest_definition *d)
{
    size_t n = 99;

    guest_definition_check_files(d, false, errors, MAX, &n);
    return n;
}

/* One device, and the fragment of the only problem it is to give; NULL: none. */
static void expect_files(const char *word, const char *fragment, const char *hint)
{
    struct guest_definition d = empty();
    size_t n;

    add(&d, word);
    n = check_files(&d);
    ck_assert_msg(n == (fragment ? 1 : 0), "%s: %zu problems: %s", word, n,
                  n ? errors[0].message : "");
    if (fragment)
        ck_assert_msg(strstr(errors[0].message, fragment) != NULL, "%s", errors[0].message);
    if (hint)
        ck_assert_msg(strstr(errors[0].hint, hint) != NULL, "%s", errors[0].hint);
    guest_definition_done(&d);
}

START_TEST(devices_are_found_replaced_and_removed_by_name)
{
    struct guest_definition d = empty(), copy;

    add(&d, "ubd0=/a");
    add(&d, "con1=pts");
    add(&d, "ubda=/b"); /* the same disk */
    ck_assert_uint_eq(d.device_count, 2);
    ck_assert_str_eq(guest_definition_find(&d, "ubd0")->ubd.file, "/b");
    ck_assert_ptr_eq(guest_definition_find(&d, "ubda"), guest_definition_find(&d, "ubd0"));
    ck_assert_ptr_null(guest_definition_find(&d, "ubd"));
    ck_assert_ptr_null(guest_definition_find(&d, "con"));
    ck_assert_ptr_null(guest_definition_find(&d, "con10"));
    ck_assert_uint_eq(guest_definition_memory(&d), GUEST_MEMORY_DEFAULT);
    add(&d, "mem=128M");
    ck_assert_uint_eq(guest_definition_memory(&d), 128 << 20);
    ck_assert(um_strv_add(&d.cmdline, "quiet"));
    ck_assert(guest_definition_copy(&d, &copy));
    ck_assert_uint_eq(copy.device_count, 3);
    ck_assert_str_eq(copy.cmdline.v[0], "quiet");
    ck_assert(guest_definition_unset(&d, "con1"));
    ck_assert(!guest_definition_unset(&d, "con1"));
    ck_assert_uint_eq(d.device_count, 2);
    ck_assert_str_eq(d.devices[1].text, "mem=128M");
    guest_definition_done(&d);
    guest_definition_done(&copy);
    guest_definition_done(NULL);
}
END_TEST

START_TEST(names_of_policies_go_both_ways)
{
    enum guest_restart r;
    enum guest_ready y;
    enum guest_hang h;

    for (int i = 0; i < RESTART_COUNT; i++) {
        ck_assert(guest_restart_from_name(guest_restart_name((enum guest_restart)i), &r));
        ck_assert_int_eq(r, i);
    }
    for (int i = 0; i < READY_COUNT; i++) {
        ck_assert(guest_ready_from_name(guest_ready_name((enum guest_ready)i), &y));
        ck_assert_int_eq(y, i);
    }
    for (int i = 0; i < HANG_COUNT; i++) {
        ck_assert(guest_hang_from_name(guest_hang_name((enum guest_hang)i), &h));
        ck_assert_int_eq(h, i);
    }
    ck_assert(!guest_hang_from_name("Kill", &h));
    ck_assert(!guest_restart_from_name("sometimes", &r));
    ck_assert(!guest_ready_from_name("", &y));
}
END_TEST

START_TEST(a_plain_definition_is_fine)
{
    struct guest_definition d = empty();

    add(&d, "ubd0=/a,/base");
    add(&d, "ubd1=/b,/base"); /* two COW files on one base */
    add(&d, "con1=pts");
    add(&d, "con0=fd:0,fd:1");
    add(&d, "con=none");
    add(&d, "share0=/srv:/mnt:ro");
    ck_assert(um_strv_add(&d.cmdline, "root=/dev/ubda"));
    ck_assert(um_strv_add(&d.cmdline, "console=tty0"));
    ck_assert(um_strv_add(&d.cmdline, "--"));
    ck_assert(um_strv_add(&d.cmdline, "single"));
    d.ready = READY_CONSOLE;
    d.ready_pattern = strdup("login: ?$");
    ck_assert_msg(check(&d) == 0, "%s", errors[0].message);
    guest_definition_done(&d);
}
END_TEST

static const struct {
    const char *words[3]; /* devices */
    const char *cmdline;  /* one word */
    const char *field, *fragment;
} faults[] = {
    {{"mem=8M"}, NULL, "mem", "out of range, 24M to 64G"},
    {{"mem=65G"}, NULL, "mem", "out of range"},
    {{"con1=port:9000"}, NULL, "con1", "not in this version"},
    {{"ssl=pty"}, NULL, "ssl", "not in this version"},
    {{"con1=fd:3"}, NULL, "con1", "descriptors 0, 1 and 2"},
    {{"con=managed"}, NULL, "con", "needs its own"},
    {{"con0=pts"}, NULL, "con0", "umld's own terminal"},
    {{"con1=pts,null"}, NULL, "con1", "at once"},
    {{"con1=null,xterm"}, NULL, "con1", "not in this version"},
    {{"ubd0=/a", "ubd1=/a"}, NULL, "ubd1", "ubd1 writes /a, which ubd0 uses too"},
    {{"ubd0=/x/../a", "ubd1=/a"}, NULL, "ubd1", "uses too"},
    {{"ubd0r=/a", "ubd1=/a"}, NULL, "ubd1", "ubd1 writes /a"},
    {{"ubd0=/a", "ubd1r=/a"}, NULL, "ubd0", "ubd0 writes /a"},
    {{"ubd0=/c,/base", "ubd1=/base"}, NULL, "ubd1", "ubd1 writes /base"},
    {{"ubd0=/a,/a"}, NULL, "ubd0", "are the same"},
    {{"share0=/srv:/proc/x"}, NULL, "share0", "used by the sandbox"},
    {{"share0=/tmp"}, NULL, "share0", "used by the sandbox"},
    {{"share0=/srv:/a/../b"}, NULL, "share0", "no plain absolute path"},
    {{"share0=/srv:/"}, NULL, "share0", "whole of /"},
    {{"hostfs=/"}, NULL, "hostfs", "whole of /"},
    {{"share0=/srv", "share1=/srv"}, NULL, "share1", "inside each other"},
    {{"share0=/a:/mnt", "share1=/b:/mnt/b"}, NULL, "share1", "inside each other"},
    {{"vec0:transport=tap"}, NULL, "vec0", "no network of the host's"},
    {{"eth0=daemon"}, NULL, "eth0", "no network of the host's"},
    {{NULL}, "net0=lan", "cmdline", "before `--`"},
    {{NULL}, "umid=x", "cmdline", "umld names"},
    {{NULL}, "uml_dir=/x", "cmdline", "umld names"},
    {{NULL}, "con1=null", "cmdline", "begins with con"},
    {{NULL}, "console.sh", "cmdline", "begins with con"},
    {{NULL}, "ssl0=null", "cmdline", "begins with ssl"},
    {{NULL}, "mconsole=notify:/x", "cmdline", "management console"},
    {{NULL}, "mem=1G", "cmdline", "before `--`"},
    {{NULL}, "eth0=tuntap", "cmdline", "before `--`"},
    {{NULL}, "ubd0=/x", "cmdline", "before `--`"},
    {{NULL}, "--help", "cmdline", "print something"},
    {{NULL}, "a b", "cmdline", "blanks"},
    {{NULL}, "a\nb", "cmdline", "blanks"},
    {{NULL}, "", "cmdline", "empty"},
    {{NULL}, "seccomp=on", "cmdline", "isolate"},
};

START_TEST(each_fault_gives_its_problem)
{
    struct guest_definition d = empty();
    size_t n;

    for (size_t i = 0; i < 3 && faults[_i].words[i]; i++)
        add(&d, faults[_i].words[i]);
    if (faults[_i].cmdline)
        ck_assert(um_strv_add(&d.cmdline, faults[_i].cmdline));
    n = check(&d);
    ck_assert_msg(n == 1, "%zu problems: %s; %s", n, n ? errors[0].message : "",
                  n > 1 ? errors[1].message : "");
    ck_assert_str_eq(errors[0].field, faults[_i].field);
    ck_assert_str_eq(errors[0].object, "guest \"web\"");
    ck_assert_msg(strstr(errors[0].message, faults[_i].fragment) != NULL, "%s", errors[0].message);
    guest_definition_done(&d);
}
END_TEST

START_TEST(all_problems_are_reported_at_once_and_no_more_than_asked_for)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;
    size_t n;

    d.name = strdup("-web");
    d.kernel = strdup("a/b");
    add(&d, "mem=1M");
    add(&d, "con1=xterm");
    ck_assert(um_strv_add(&d.labels, "novalue"));
    d.ready_pattern = strdup("x");
    ck_assert_uint_eq(check(&d), 6);
    guest_definition_check(&d, errors, 2, &n);
    ck_assert_uint_eq(n, 2);
    guest_definition_done(&d);
}
END_TEST

START_TEST(ready_patterns_are_compiled_within_limits)
{
    static const char *const bad[] = {"", "(", "a{1000}{1000}", "((a{200}){200}){200}", "[z-a]"};
    struct guest_definition d = empty();

    d.ready = READY_CONSOLE;
    ck_assert_uint_eq(check(&d), 1);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++) {
        free(d.ready_pattern);
        d.ready_pattern = strdup(bad[i]);
        ck_assert_msg(check(&d) == 1, "%s", bad[i]);
        ck_assert_str_eq(errors[0].field, "readyPattern");
    }
    guest_definition_done(&d);
}
END_TEST

START_TEST(without_sandbox_the_kernels_own_net_devices_are_allowed_once)
{
    struct guest_definition d = empty();

    d.sandbox = false;
    add(&d, "vec0:transport=tap");
    add(&d, "eth0=daemon");
    add(&d, "net1=lan");
    ck_assert_uint_eq(check(&d), 0);
    add(&d, "net0=lan");
    ck_assert_uint_eq(check(&d), 1);
    ck_assert_str_eq(errors[0].field, "vec0");
    ck_assert(strstr(errors[0].message, "name for net0"));
    guest_definition_done(&d);
}
END_TEST

START_TEST(without_sandbox_shares_have_no_path_of_their_own)
{
    struct guest_definition d = empty();

    d.sandbox = false;
    add(&d, "share0=/srv:/mnt");
    ck_assert_uint_eq(check(&d), 1);
    guest_definition_done(&d);
}
END_TEST

START_TEST(trusted_guests_may_use_seccomp_and_long_lines_are_refused)
{
    struct guest_definition d = empty();
    char word[200];

    d.trusted = true;
    ck_assert(um_strv_add(&d.cmdline, "seccomp=auto"));
    ck_assert_uint_eq(check(&d), 0);
    memset(word, 'x', sizeof(word));
    word[199] = '\0';
    for (int i = 0; i < 20; i++)
        ck_assert(um_strv_add(&d.cmdline, word));
    ck_assert_uint_eq(check(&d), 1);
    ck_assert(strstr(errors[0].message, "4096") != NULL);
    guest_definition_done(&d);
}
END_TEST

/* --- files --- */

static char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

/* A file of size bytes holding data at offset. */
static void make_file(const char *name, off_t size, const void *data, size_t len, off_t offset)
{
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    if (len)
        ck_assert_int_eq(pwrite(fd, data, len, offset), (ssize_t)len);
    close(fd);
}

static void make_cow(const char *name, const char *backing, int64_t size_delta, int mtime_delta)
{
    uint8_t data[4136];
    char *base = path_of(backing);
    struct stat st;
    size_t len;

    ck_assert_int_eq(stat(base, &st), 0);
    len = cow_header(data, 3, base, (uint32_t)(st.st_mtime + mtime_delta),
                     (uint64_t)(st.st_size + size_delta));
    make_file(name, 16384, data, len, 0);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_file("root.img", 1 << 20, "\x53\xef", 2, 1080);
    make_file("zero.img", 1 << 20, "", 0, 0);
    make_file("empty.img", 0, "", 0, 0);
    ck_assert_int_eq(mkdir(path_of("d"), 0755), 0);
}

static void teardown(void)
{
    static const char *const names[] = {"root.img", "zero.img", "empty.img", "cow", "other", "bad"};

    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++)
        unlink(path_of(names[i]));
    rmdir(path_of("d"));
    rmdir(dir);
    memcpy(strrchr(dir, '-') + 1, "XXXXXX", 6);
}

START_TEST(images_must_be_images)
{
    expect_files("ubd0=root.img", NULL, NULL);
    expect_files("ubd0=missing.img", "does not exist", "relative paths");
    expect_files("ubd0=empty.img", "is empty", "mkfs.ext4");
    expect_files("ubd0=d", "is a directory", "share0=");
    expect_files("ubd0=/dev/null", "no file or block device", NULL);
    expect_files("ubd0=zero.img", "no file system image", "root=/dev/ubda");
    expect_files("ubd1=zero.img", NULL, NULL); /* only the root disk must hold something */
    expect_files("initrd=root.img", NULL, NULL);
    expect_files("initrd=missing", "does not exist", NULL);
    expect_files("share0=d", NULL, NULL);
    expect_files("share0=missing", "does not exist", NULL);
    expect_files("hostfs=root.img", "no directory", NULL);
}
END_TEST

START_TEST(a_root_given_otherwise_needs_no_file_system_on_the_first_disk)
{
    struct guest_definition d = empty();

    add(&d, "ubd0=zero.img");
    ck_assert(um_strv_add(&d.cmdline, "root=/dev/ubdb"));
    ck_assert_uint_eq(check_files(&d), 0);
    um_strv_done(&d.cmdline);
    ck_assert_uint_eq(check_files(&d), 1);
    add(&d, "initrd=root.img");
    ck_assert_uint_eq(check_files(&d), 0);
    guest_definition_done(&d);
}
END_TEST

START_TEST(cow_files_must_fit_their_backing_file)
{
    make_cow("cow", "root.img", 0, 0);
    expect_files("ubd0=cow", NULL, NULL);
    expect_files("ubd0=cow,root.img", NULL, NULL);
    expect_files("ubd0=cow,missing", "does not exist", NULL);
    expect_files("ubd0=missing,root.img", "COW file", "uml_mkcow");
    expect_files("ubd0r=missing,root.img", "COW file", "uml_mkcow");
    expect_files("ubd0=root.img,zero.img", "is no COW file", "uml_mkcow");
    make_file("other", 2 << 20, "\x53\xef", 2, 1080);
    expect_files("ubd0=cow,other", "was made from", NULL);
    make_cow("cow", "root.img", 512, 0);
    expect_files("ubd0=cow", "bytes, but", NULL);
    make_cow("cow", "root.img", 0, -5);
    expect_files("ubd0=cow,root.img", "was modified after", "touch -d @");
    make_cow("cow", "other", 0, 0);
    unlink(path_of("other"));
    expect_files("ubd0=cow", "backing file", NULL);
    make_file("bad", 4096, "OOOM\0\0\0\7", 8, 0);
    expect_files("ubd0=bad", "damaged COW header", "flag d");
    expect_files("ubd1d=bad", NULL, NULL);
}
END_TEST

/* What a file was is kept by its path, whatever its guest has written there since. */
START_TEST(origins_are_kept_by_file_and_noted_once)
{
    struct guest_definition known = empty(), d = empty();

    make_file("other", 2 << 20, "\x53\xef", 2, 1080);
    add(&known, "ubd1=other");
    ck_assert(guest_definition_note_origins(&known));
    make_cow("other", "root.img", 0, 0);
    add(&d, "ubd3r=other");
    add(&d, "ubd4=root.img");
    ck_assert(guest_definition_keep_origins(&d, &known));
    ck_assert_ptr_null(guest_definition_find(&d, "ubd4")->ubd.origin);
    ck_assert(guest_definition_note_origins(&d));
    ck_assert_str_eq(guest_definition_find(&d, "ubd3")->ubd.origin, "raw");
    ck_assert_str_eq(guest_definition_find(&d, "ubd4")->ubd.origin, "raw");
    add(&d, "ubd3=other"); /* without anything known the header counts */
    ck_assert(guest_definition_note_origins(&d));
    ck_assert_str_eq(guest_definition_find(&d, "ubd3")->ubd.origin, path_of("root.img"));
    guest_definition_done(&known);
    guest_definition_done(&d);
}
END_TEST

START_TEST(permissions_are_checked)
{
    if (geteuid() == 0) {
        printf("running as root: permissions are not tested\n");
        return;
    }
    ck_assert_int_eq(chmod(path_of("root.img"), 0444), 0);
    expect_files("ubd0=root.img", "not writable", "flag r");
    expect_files("ubd0r=root.img", NULL, NULL);
    ck_assert_int_eq(chmod(path_of("root.img"), 0), 0);
    expect_files("ubd0r=root.img", "not readable", NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("definition");
    TCase *t = tcase_create("pure"), *f = tcase_create("files");

    tcase_add_test(t, devices_are_found_replaced_and_removed_by_name);
    tcase_add_test(t, names_of_policies_go_both_ways);
    tcase_add_test(t, a_plain_definition_is_fine);
    tcase_add_loop_test(t, each_fault_gives_its_problem, 0, UM_ARRAY_LEN(faults));
    tcase_add_test(t, all_problems_are_reported_at_once_and_no_more_than_asked_for);
    tcase_add_test(t, ready_patterns_are_compiled_within_limits);
    tcase_add_test(t, without_sandbox_the_kernels_own_net_devices_are_allowed_once);
    tcase_add_test(t, without_sandbox_shares_have_no_path_of_their_own);
    tcase_add_test(t, trusted_guests_may_use_seccomp_and_long_lines_are_refused);
    tcase_add_checked_fixture(f, setup, teardown);
    tcase_add_test(f, images_must_be_images);
    tcase_add_test(f, a_root_given_otherwise_needs_no_file_system_on_the_first_disk);
    tcase_add_test(f, cow_files_must_fit_their_backing_file);
    tcase_add_test(f, origins_are_kept_by_file_and_noted_once);
    tcase_add_test(f, permissions_are_checked);
    suite_add_tcase(s, t);
    suite_add_tcase(s, f);
    return check_run(s);
}
