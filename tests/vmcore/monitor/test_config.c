#include "tests/vmcore/monitor/suite.h"
#include "vmcore/base/kv.h"
#include "vmcore/monitor/config.h"
#include "vmcore/monitor/order.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pair {
    const char *key, *value;
};

static const struct pair good[] = {
    {"version", "1"},
    {"guest", "web"},
    {"boot", "7"},
    {"socket", "/run/mon"},
    {"notify", "/run/notify"},
    {"exit", "/run/exit"},
    {"logdir", "/run/log"},
    {"logsize", "4096"},
    {"logparts", "3"},
    {"ready", "notify"},
    {"console", "con0 managed 0"},
    {"arg", "/bin/kernel"},
};

/* The good order with one key replaced (value NULL: left out) and one more pair at the end. */
static enum um_code parse(const char *key, const char *value, const char *more_key,
                          const char *more_value, struct mon_config *c, struct um_error *err)
{
    struct um_buf b = UM_BUF_INIT;
    size_t len;

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++) {
        if (!key || strcmp(key, good[i].key) != 0)
            um_kv_add(&b, good[i].key, good[i].value);
        else if (value)
            um_kv_add(&b, key, value);
    }
    if (more_key)
        um_kv_add(&b, more_key, more_value);
    len = b.len;
    return mon_config_parse(um_buf_take(&b), len, c, err);
}

START_TEST(a_complete_order_is_read)
{
    struct mon_config c;

    ck_assert_int_eq(parse(NULL, NULL, "console", "ssl1 pts 11", &c, NULL), UM_OK);
    ck_assert_str_eq(c.guest, "web");
    ck_assert_uint_eq(c.boot, 7);
    ck_assert_int_eq(c.log_size, 4096);
    ck_assert_int_eq(c.log_parts, 3);
    ck_assert_uint_eq(c.console_count, 2);
    ck_assert_str_eq(c.consoles[1].device, "ssl1");
    ck_assert(c.consoles[1].pts);
    ck_assert_int_eq(c.consoles[1].fd, 11);
    ck_assert_str_eq(c.argv.v[0], "/bin/kernel");
    mon_config_done(&c);
}
END_TEST

/* NULL: left out. */
static enum um_code parse_stranger(const char *stranger, const char *mconsole, const char *more_key,
                                   struct mon_config *c, struct um_error *err)
{
    static const char *const both[] = {"version", "guest", "boot", "socket", "exit"};
    struct um_buf b = UM_BUF_INIT;
    size_t len;

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++)
        for (size_t j = 0; j < UM_ARRAY_LEN(both); j++)
            if (strcmp(good[i].key, both[j]) == 0)
                um_kv_add(&b, good[i].key, good[i].value);
    if (stranger)
        um_kv_add(&b, "stranger", stranger);
    if (mconsole)
        um_kv_add(&b, "mconsole", mconsole);
    if (more_key)
        um_kv_add(&b, more_key, "/bin/kernel");
    len = b.len;
    return mon_config_parse(um_buf_take(&b), len, c, err);
}

START_TEST(a_stranger_needs_its_process_and_socket_and_no_child)
{
    static const char *const bad[] = {"4711",   "4711 ",     "0 99", "-1 99",
                                      "4711 0", "4711 99 1", "x y"};
    struct um_error err;
    struct mon_config c;

    ck_assert_int_eq(parse_stranger("4711 99", "/u/mconsole", NULL, &c, NULL), UM_OK);
    ck_assert_int_eq(c.stranger_pid, 4711);
    ck_assert_int_eq(c.stranger_start, 99);
    ck_assert_str_eq(c.mconsole, "/u/mconsole");
    ck_assert_int_eq(c.ready, MON_READY_KERNEL);
    mon_config_done(&c);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(parse_stranger(bad[i], "/u/mconsole", NULL, &c, &err), UM_E_INVALID);
    ck_assert_int_eq(parse_stranger("4711 99", NULL, NULL, &c, &err), UM_E_INVALID);
    ck_assert_int_eq(parse_stranger("4711 99", "mconsole", NULL, &c, &err), UM_E_INVALID);
    ck_assert_int_eq(parse_stranger("4711 99", "/u/mconsole", "arg", &c, &err), UM_E_INVALID);
    ck_assert(strstr(err.message, "does not go with"));
    ck_assert_int_eq(parse(NULL, NULL, "mconsole", "/u/mconsole", &c, &err), UM_E_INVALID);
}
END_TEST

START_TEST(who_the_guest_is_and_its_groups_are_read)
{
    struct mon_config c;

    ck_assert_int_eq(parse(NULL, NULL, NULL, NULL, &c, NULL), UM_OK);
    ck_assert_int_eq(c.uid, 0);
    ck_assert(!c.cgroup_gate && c.cgroups.n == 0);
    mon_config_done(&c);
    ck_assert_int_eq(parse(NULL, NULL, "uid", "1879048193", &c, NULL), UM_OK);
    ck_assert_int_eq(c.uid, 1879048193);
    mon_config_done(&c);
    ck_assert_int_eq(parse(NULL, NULL, "cgroup", "/sys/fs/cgroup/x", &c, NULL), UM_OK);
    ck_assert_str_eq(c.cgroups.v[0], "/sys/fs/cgroup/x");
    ck_assert(!c.cgroup_gate);
    mon_config_done(&c);
    ck_assert_int_eq(parse(NULL, NULL, "cgroup", "gate", &c, NULL), UM_OK);
    ck_assert(c.cgroup_gate && c.cgroups.n == 0);
    mon_config_done(&c);
}
END_TEST

START_TEST(a_guest_that_would_be_root_or_in_strange_groups_is_refused)
{
    static const struct pair bad[] = {{"uid", "0"},    {"uid", "-1"},   {"uid", "4294967296"},
                                      {"uid", "root"}, {"cgroup", "x"}, {"cgroup", ""}};
    struct um_error err;
    struct mon_config c;

    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(parse(NULL, NULL, bad[i].key, bad[i].value, &c, &err), UM_E_INVALID);
        ck_assert_str_eq(err.field, bad[i].key);
    }
}
END_TEST

START_TEST(every_missing_required_key_is_named)
{
    struct um_error err;
    struct mon_config c;

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++) {
        ck_assert_int_eq(parse(good[i].key, NULL, NULL, NULL, &c, &err), UM_E_INVALID);
        ck_assert_str_eq(err.field, good[i].key);
    }
}
END_TEST

START_TEST(interfaces_are_read_each_once)
{
    static const char *const bad[] = {"vec0 /run/net0", "eth0 /run/net0 /n/links",
                                      "vec16 /run/net0 /n/links", "vec0 /run/net0 links",
                                      "vec0 /run/net0 /n/links x"};
    struct mon_config_nic nic;
    struct um_error err;
    struct mon_config c;

    ck_assert_int_eq(parse(NULL, NULL, "nic", "vec3 /run/net3 /n/links", &c, NULL), UM_OK);
    ck_assert_uint_eq(c.nic_count, 1);
    ck_assert_str_eq(c.nics[0].device, "vec3");
    ck_assert_str_eq(c.nics[0].path, "/run/net3");
    ck_assert_str_eq(c.nics[0].links, "/n/links");
    mon_config_done(&c);
    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(parse(NULL, NULL, "nic", bad[i], &c, &err), UM_E_INVALID);
        ck_assert_str_eq(err.field, "nic");
        ck_assert_ptr_nonnull(mon_config_nic(bad[i], &nic));
    }
}
END_TEST

START_TEST(bad_values_are_refused_and_named)
{
    static const struct pair bad[] = {
        {"version", "2"},
        {"guest", "a/b"},
        {"guest", ""},
        {"boot", "-1"},
        {"boot", "7x"},
        {"socket", "run/mon"},
        {"notify", "/012345678901234567890123456789012345678901234567890123456789"
                   "012345678901234567890123456789012345678901234567"},
        {"logsize", "1"},
        {"logparts", "0"},
        {"logparts", "1001"},
        {"ready", "soon"},
        {"ready", "console"}, /* without a pattern */
        {"console", "con1 managed 10"},
        {"console", "con0 pts 0"},
        {"console", "con0 managed 10"},
        {"arg", "kernel"},
    };
    struct um_error err;
    struct mon_config c;

    for (size_t i = 0; i < UM_ARRAY_LEN(bad); i++) {
        err = UM_ERROR_INIT;
        ck_assert_msg(parse(bad[i].key, bad[i].value, NULL, NULL, &c, &err) == UM_E_INVALID,
                      "%s=%s was accepted", bad[i].key, bad[i].value);
        ck_assert(err.message[0]);
    }
}
END_TEST

START_TEST(unknown_doubled_and_clashing_pairs_are_refused)
{
    static const struct pair more[] = {
        {"colour", "red"},
        {"boot", "8"},
        {"console", "con0 managed 10"}, /* device again */
        {"console", "con1 managed 9"},  /* umlinit's */
        {"console", "con1 managed 200"},
        {"console", "con1 file 10"},
        {"console", "con1 managed"},
        {"console", "con1 managed 10 x"},
        {"console", "tty1 managed 10"},
        {"console", "con../1 managed 10"},
        {"console", "con100 managed 10"},
    };
    struct mon_config c;

    for (size_t i = 0; i < UM_ARRAY_LEN(more); i++)
        ck_assert_msg(parse(NULL, NULL, more[i].key, more[i].value, &c, NULL) == UM_E_INVALID,
                      "%s=%s was accepted", more[i].key, more[i].value);
}
END_TEST

START_TEST(a_pattern_must_compile)
{
    struct mon_config c;

    ck_assert_int_eq(parse("ready", "console", "pattern", "login: $", &c, NULL), UM_OK);
    mon_config_done(&c);
    ck_assert_int_eq(parse("ready", "console", "pattern", "a(", &c, NULL), UM_E_INVALID);
}
END_TEST

START_TEST(a_truncated_record_is_refused)
{
    char *record = strdup("version=1");
    struct mon_config c;

    /* Without its NUL in the length the pair is not complete. */
    ck_assert_int_eq(mon_config_parse(record, 9, &c, NULL), UM_E_INVALID);
}
END_TEST

START_TEST(an_order_is_read_from_a_descriptor_to_its_end)
{
    struct um_buf b = UM_BUF_INIT;
    int fd = memfd_create("order", MFD_CLOEXEC);
    struct mon_config c;

    for (size_t i = 0; i < UM_ARRAY_LEN(good); i++)
        um_kv_add(&b, good[i].key, good[i].value);
    for (int i = 0; i < 500; i++) /* longer than one read */
        um_kv_add(&b, "arg", "argument");
    ck_assert_int_eq(write(fd, b.data, b.len), (ssize_t)b.len);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(mon_config_read(fd, &c, NULL), UM_OK);
    ck_assert_uint_eq(c.argv.n, 501);
    mon_config_done(&c);
    um_buf_done(&b);
    /* At its end there is nothing left: an empty order. */
    ck_assert_int_eq(mon_config_read(fd, &c, NULL), UM_E_INVALID);
    close(fd);
}
END_TEST

SUITE_MAIN("config", a_complete_order_is_read, a_stranger_needs_its_process_and_socket_and_no_child,
           who_the_guest_is_and_its_groups_are_read,
           a_guest_that_would_be_root_or_in_strange_groups_is_refused,
           every_missing_required_key_is_named, interfaces_are_read_each_once,
           bad_values_are_refused_and_named, unknown_doubled_and_clashing_pairs_are_refused,
           a_pattern_must_compile, a_truncated_record_is_refused,
           an_order_is_read_from_a_descriptor_to_its_end)
