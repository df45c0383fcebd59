/*
 * Every word that is executed, as golden files; and what is refused.
 */
#include "tests/check_run.h"
#include "vmcore/guest/launch.h"

#include "cow_header.h"
#include "golden.h"

#include <check.h>
#include <unistd.h>

static const char *const libs[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6",
                                   NULL};
static const char *const transports[] = {"daemon", "tuntap", "vector", NULL};
static const char *const extra[] = {"umld.run=1", NULL};

static const struct launch_kernel old_kernel = {.path = "/usr/bin/linux.uml",
                                                .libs = libs,
                                                .dynamic = true,
                                                .guard = true,
                                                .lpj = 49152,
                                                .vec = true,
                                                .transports = transports};
static const struct launch_kernel new_kernel = {.path = "/opt/linux", .libs = NULL, .vec = true};
static const struct launch_kernel no_vector = {.path = "/opt/linux", .libs = NULL};
static const struct launch_paths paths = {
    .guest_dir = "/run/umld/g/web",
    .inner_dir = "/run/umld/g/web/in",
    .log_dir = "/var/lib/umld/guests/web/log",
    .exit_file = "/var/lib/umld/guests/web/exit",
    .umlinit = "/usr/libexec/umld/umlinit",
    .guard = "/usr/libexec/umld/libumlguard.so",
    .watchdog = "/usr/libexec/umld/compat/uml_watchdog",
    .bwrap = "/usr/bin/bwrap",
    .networks = "/run/umld/n",
};

static struct guest_definition define(const char *const *devices, const char *const *cmdline)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;

    d.name = strdup("web");
    for (; devices && *devices; devices++) {
        struct um_error err = UM_ERROR_INIT;
        struct device v;

        ck_assert_msg(device_parse(*devices, "/srv", &v, &err) == UM_OK, "%s", err.message);
        ck_assert(guest_definition_set(&d, &v));
    }
    for (; cmdline && *cmdline; cmdline++)
        ck_assert(um_strv_add(&d.cmdline, *cmdline));
    return d;
}

static void text_of(const struct um_strv *words, struct um_buf *b)
{
    for (size_t i = 0; i < words->n; i++) {
        um_buf_puts(b, words->v[i]);
        um_buf_puts(b, "\n");
    }
}

/* Each case of the table is one golden file. */
static const struct launch_case {
    const char *golden;
    const char *devices[8], *cmdline[8];
    const struct launch_kernel *kernel;
    int cpu;
    bool no_sandbox;
    unsigned cow; /* units known to hold a COW header, bit set; others are known to be raw */
    uid_t uid;
} cases[] = {
    {"argv/plain.txt", {"ubd0=root.img"}, {NULL}, &old_kernel, 1, false, 0, 0},
    {"argv/cow.txt",
     {"ubd0=cow,base", "ubd1=cow2", "ubd2r=/iso"},
     {NULL},
     &new_kernel,
     -1,
     false,
     2,
     0},
    {"argv/consoles.txt",
     {"con0=managed", "con1=pts", "con010=managed", "con2=null", "ssl0=managed", "con=none"},
     {"root=/dev/ram0"},
     &old_kernel,
     0,
     false,
     0,
     0},
    {"argv/shares.txt",
     {"share0=/data", "share1=/src:/mnt/src:ro", "hostfs=/data,append", "ubd0=/data/root.img"},
     {"ro", "quiet", "--", "single"},
     &old_kernel,
     -1,
     false,
     0,
     0},
    {"argv/initrd.txt",
     {"initrd=rd.gz", "mem=1G", "umid=mine"},
     {"console=ttyS0", "--", "x"},
     &new_kernel,
     -1,
     false,
     0,
     0},
    {"argv/bare.txt", {"ubdars=root.img", "ubd1d=/raw"}, {NULL}, &old_kernel, 3, true, 0, 0},
    {"argv/networks.txt",
     {"net0=lan,mac=02:00:00:00:05:00", "net11=lab,mac=02:00:00:00:05:0b,mtu=9000,vlan=20"},
     {NULL},
     &new_kernel,
     -1,
     false,
     0,
     0},
    {"argv/nics.txt",
     {"vec0:transport=tap,ifname=tap0", "eth0=daemon", "net1=lan,mac=02:00:00:00:05:01"},
     {NULL},
     &old_kernel,
     -1,
     true,
     0,
     0},
    {"argv/own-uid.txt",
     {"share0=/data:/srv/data", "ubd0=root.img", "ubd1r=/data/iso/x.img"},
     {NULL},
     &old_kernel,
     -1,
     false,
     0,
     700007},
    {"argv/own-uid-bare.txt", {"ubd0=root.img"}, {NULL}, &new_kernel, -1, true, 0, 700007},
};

static void set_disks(const struct launch_case *c, struct launch_disks *disks)
{
    memset(disks, 0, sizeof(*disks));
    for (int i = 0; i < DEVICE_UBD_MAX; i++) {
        disks->unit[i].known = true;
        disks->unit[i].cow = c->cow & 1u << i;
        if (disks->unit[i].cow)
            disks->unit[i].header_backing = strdup("/srv/hidden-base");
    }
}

START_TEST(the_words_are_those_of_the_golden_file)
{
    const struct launch_case *c = &cases[_i];
    struct guest_definition d = define(c->devices, c->cmdline);
    struct launch_disks disks;
    struct launch_options o = {.disks = &disks, .boot = 7, .cpu = c->cpu, .uid = c->uid};
    struct um_strv kernel, child;
    struct um_buf b = UM_BUF_INIT;
    char *text;

    set_disks(c, &disks);
    d.sandbox = !c->no_sandbox;
    if (_i == 0)
        o.extra_cmdline = extra;
    ck_assert_int_eq(launch_kernel_argv(&d, c->kernel, &paths, &o, &kernel, NULL), UM_OK);
    ck_assert_int_eq(launch_child_argv(&d, c->kernel, &paths, &o, &child, NULL), UM_OK);
    /* The child's words end with the kernel's. */
    for (size_t i = 0; i < kernel.n; i++)
        ck_assert_str_eq(child.v[child.n - kernel.n + i], kernel.v[i]);
    ck_assert_str_eq(child.v[child.n - kernel.n - 1], "--");
    text_of(&child, &b);
    text = um_buf_take(&b);
    golden_compare(c->golden, text);
    free(text);
    um_strv_done(&kernel);
    um_strv_done(&child);
    launch_disks_done(&disks);
    guest_definition_done(&d);
}
END_TEST

static const char *const cgroups[] = {"gate", "/sys/fs/cgroup/umld-1/guest-web", NULL};

START_TEST(the_order_is_that_of_the_golden_file)
{
    const char *const devices[] = {"ubd0=root.img", "con1=managed", "ssl2=pts",
                                   "net0=lan,mac=02:00:00:00:05:00", NULL};
    struct guest_definition d = define(devices, NULL);
    struct launch_options o = {.boot = 7,
                               .cpu = -1,
                               .uid = _i ? 700007 : 0,
                               .cgroups = _i ? cgroups : NULL,
                               .log_size = 1 << 20,
                               .log_parts = 4};
    struct um_buf b = UM_BUF_INIT;

    d.ready = READY_CONSOLE;
    d.ready_pattern = strdup("login: *$");
    ck_assert_int_eq(launch_order(&d, &old_kernel, &paths, &o, &b, NULL), UM_OK);
    for (size_t i = 0; i < b.len; i++)
        if (!b.data[i])
            b.data[i] = '\n';
    golden_compare(_i ? "order-own-uid.txt" : "order.txt", b.data);
    um_buf_done(&b);
    guest_definition_done(&d);
}
END_TEST

static enum um_code child(const char *const *devices, const struct launch_paths *p,
                          struct um_error *err)
{
    struct guest_definition d = define(devices, NULL);
    struct launch_options o = {.cpu = -1};
    struct um_strv words = {NULL, 0};
    enum um_code code = launch_child_argv(&d, &old_kernel, p, &o, &words, err);

    um_strv_done(&words);
    guest_definition_done(&d);
    return code;
}

START_TEST(umlds_own_directories_are_not_given_away)
{
    static const char *const devices[][2] = {{"share0=/run"},
                                             {"share0=/run:/mnt:ro"},
                                             {"share0=/run/umld/g/web/in:/mnt"},
                                             {"hostfs=/run/umld"}};
    struct um_error err = UM_ERROR_INIT;

    for (size_t i = 0; i < UM_ARRAY_LEN(devices); i++) {
        ck_assert_int_eq(child(devices[i], &paths, &err), UM_E_INVALID);
        ck_assert_msg(strstr(err.message, "umld's own sockets") != NULL, "%s", err.message);
    }
}
END_TEST

START_TEST(a_share_must_not_hide_what_the_guest_needs)
{
    const char *const over_kernel[] = {"share0=/data:/usr", NULL};
    const char *const over_disk[] = {"share0=/data:/srv", "ubd0=root.img", NULL};
    const char *const same_place[] = {"share0=/srv", "ubd0=root.img", NULL};
    struct um_error err = UM_ERROR_INIT;

    ck_assert_int_eq(child(over_kernel, &paths, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "would hide /usr/bin/linux.uml") != NULL);
    ck_assert_int_eq(child(over_disk, &paths, &err), UM_E_INVALID);
    ck_assert_str_eq(err.field, "share0");
    ck_assert_int_eq(child(same_place, &paths, &err), UM_OK);
}
END_TEST

START_TEST(long_or_blank_run_directories_are_refused)
{
    struct launch_paths p = paths;
    struct um_error err = UM_ERROR_INIT;
    char dir[128];

    memset(dir, 'a', sizeof(dir));
    dir[0] = '/';
    dir[UM_SOCKET_PATH_MAX - strlen("/uml/mconsole")] = '\0';
    p.inner_dir = dir;
    ck_assert_int_eq(child(NULL, &p, &err), UM_OK);
    strcat(dir, "a");
    ck_assert_int_eq(child(NULL, &p, &err), UM_E_BAD_CONFIG);
    p.inner_dir = "/run/my dir";
    ck_assert_int_eq(child(NULL, &p, &err), UM_E_BAD_CONFIG);
}
END_TEST

START_TEST(net_devices_that_the_kernel_has_not_are_refused)
{
    static const struct {
        const char *device;
        const struct launch_kernel *kernel;
        const char *fragment;
    } rows[] = {
        {"net0=lan", &no_vector, "no vector devices"},
        {"vec0:transport=tap", &no_vector, "no vector devices"},
        {"eth0=daemon", &new_kernel, "no transport daemon"},
        {"eth0=vde", &old_kernel, "no transport vde"},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        const char *const devices[] = {rows[i].device, NULL};
        struct guest_definition d = define(devices, NULL);
        struct launch_options o = {.cpu = -1};
        struct um_strv words;
        struct um_error err = UM_ERROR_INIT;

        ck_assert_int_eq(launch_kernel_argv(&d, rows[i].kernel, &paths, &o, &words, &err),
                         UM_E_UNSUPPORTED);
        ck_assert_msg(strstr(err.message, rows[i].fragment) != NULL, "%s", err.message);
        ck_assert_str_eq(err.hint, "umlctl kernel list shows what each kernel has");
        guest_definition_done(&d);
    }
}
END_TEST

START_TEST(a_command_line_over_4095_bytes_is_refused)
{
    struct guest_definition d = define(NULL, NULL);
    struct launch_options o = {.cpu = -1};
    struct um_strv words = {NULL, 0};
    struct um_error err = UM_ERROR_INIT;
    char word[100];

    memset(word, 'w', sizeof(word));
    word[99] = '\0';
    for (int i = 0; i < 40; i++)
        ck_assert(um_strv_add(&d.cmdline, word));
    ck_assert_int_eq(launch_kernel_argv(&d, &old_kernel, &paths, &o, &words, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "4095") != NULL);
    um_strv_done(&d.cmdline);
    ck_assert_int_eq(launch_kernel_argv(&d, &old_kernel, &paths, &o, &words, &err), UM_OK);
    um_strv_done(&words);
    guest_definition_done(&d);
}
END_TEST

static void write_file(const char *path, const void *data, size_t len)
{
    ck_assert_int_eq(um_file_replace(path, data, len, 0600, NULL), UM_OK);
}

START_TEST(disks_are_told_apart_by_their_first_bytes)
{
    char dir[] = "/tmp/umld-test-XXXXXX", base[64], cow[64], lost[64], word[256];
    const char *const files[] = {base, cow, lost, "/nonexistent", cow};
    uint8_t data[4136];
    struct launch_disks disks;
    struct guest_definition d;
    size_t len;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(base, sizeof(base), "%s/base", dir);
    snprintf(cow, sizeof(cow), "%s/cow", dir);
    snprintf(lost, sizeof(lost), "%s/lost", dir);
    write_file(base, "raw", 3);
    len = cow_header(data, 3, base, 1, 3);
    write_file(cow, data, len);
    len = cow_header(data, 2, "/nonexistent/base", 1, 3);
    write_file(lost, data, len);
    d = define(NULL, NULL);
    for (int i = 0; i < 5; i++) {
        struct device v;

        snprintf(word, sizeof(word), "ubd%d%s=%s", i, i == 4 ? "d" : "", files[i]);
        ck_assert_int_eq(device_parse(word, NULL, &v, NULL), UM_OK);
        ck_assert(guest_definition_set(&d, &v));
    }
    ck_assert(launch_disks_read(&d, &disks));
    ck_assert(disks.unit[0].known && !disks.unit[0].cow && !disks.unit[0].block);
    ck_assert(disks.unit[1].known && disks.unit[1].cow);
    ck_assert_str_eq(disks.unit[1].header_backing, base);
    /* A backing file that is not there must not keep the sandbox from starting. */
    ck_assert(disks.unit[2].cow && !disks.unit[2].header_backing);
    ck_assert(!disks.unit[3].known);
    /* Flag d: nobody looks. */
    ck_assert(disks.unit[4].known && !disks.unit[4].cow && !disks.unit[4].header_backing);
    launch_disks_done(&disks);
    launch_disks_done(NULL);
    guest_definition_done(&d);
    unlink(base);
    unlink(cow);
    unlink(lost);
    rmdir(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("launch");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, the_words_are_those_of_the_golden_file, 0, UM_ARRAY_LEN(cases));
    tcase_add_loop_test(t, the_order_is_that_of_the_golden_file, 0, 2);
    tcase_add_test(t, umlds_own_directories_are_not_given_away);
    tcase_add_test(t, a_share_must_not_hide_what_the_guest_needs);
    tcase_add_test(t, long_or_blank_run_directories_are_refused);
    tcase_add_test(t, net_devices_that_the_kernel_has_not_are_refused);
    tcase_add_test(t, a_command_line_over_4095_bytes_is_refused);
    tcase_add_test(t, disks_are_told_apart_by_their_first_bytes);
    suite_add_tcase(s, t);
    return check_run(s);
}
