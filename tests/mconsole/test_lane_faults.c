/* Kernels that are silent, dead, rebooting or hostile. */
#include "lane_fixture.h"
#include "tests/check_run.h"

#include "vmcore/base/fd.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect(int i, enum um_code code, const char *text)
{
    ck_assert_msg(fx.outcomes[i].code == code && strstr(fx.outcomes[i].text, text),
                  "outcome %d: %s, \"%s\"", i, um_code_info(fx.outcomes[i].code)->wire,
                  fx.outcomes[i].text);
}

static void works_again(void)
{
    int before = fx.done;

    fx.hold = false;
    send_ok("version", 15000, 0);
    run_until_done(before + 1);
    expect(before, UM_OK, "version");
}

START_TEST(a_late_reply_finds_no_address)
{
    struct sockaddr_un old;

    fx.hold = true;
    send_ok("slow", 60, 0);
    run_until_done(1);
    expect(0, UM_E_UNRESPONSIVE, "did not answer within 60 ms");
    old = fx.from;
    ck_assert(!server_reply(0, false, "late"));
    ck_assert_int_eq(errno, ENOENT);
    send_ok("next", 15000, 0);
    run_until_requests(2);
    ck_assert_str_ne(fx.from.sun_path, old.sun_path);
    ck_assert(!server_send_to(&old, "late again", 10));
    ck_assert(server_reply(0, false, "right"));
    run_until_done(2);
    expect(1, UM_OK, "right");
}
END_TEST

START_TEST(those_waiting_behind_a_timeout_are_sent)
{
    fx.hold = true;
    send_ok("slow", 60, 0);
    send_ok("b", 15000, 0);
    run_until_done(1);
    run_until_requests(2);
    ck_assert_str_eq(fx.last, "b");
    ck_assert(server_reply(0, false, "b"));
    run_until_done(2);
    expect(1, UM_OK, "b");
}
END_TEST

START_TEST(what_others_queued_behind_an_unknown_command_is_woken)
{
    struct sockaddr_un old;

    fx.hold = true;
    send_ok("frobnicate", 15000, 0);
    run_until_requests(1);
    old = fx.from;
    ck_assert(server_reply(1, false, "Unknown command"));
    run_until_requests(2);
    ck_assert_str_eq(fx.received, "frobnicate version ");
    ck_assert_str_eq(fx.from.sun_path, old.sun_path);
    ck_assert(!server_reply(0, false, "6.1")); /* nobody asked for that answer */
    ck_assert_int_eq(fx.done, 1);
    expect(0, UM_E_GUEST_ERROR, "Unknown command");
    works_again();
    fx.hold = true;
    send_ok("remove ubd7", 15000, 0); /* another error is one: nothing is sent behind it */
    run_until_requests(4);
    ck_assert(server_reply(1, false, "Device doesn't exist"));
    run_until_done(3);
    works_again();
    ck_assert_int_eq(fx.requests, 5);
}
END_TEST

START_TEST(a_reply_that_breaks_off_is_no_answer)
{
    fx.hold = true;
    send_ok("stack 1", 1000, 0);
    run_until_requests(1);
    ck_assert(server_reply(0, true, "half"));
    run_until_done(1);
    expect(0, UM_E_UNRESPONSIVE, "broke off after 1 parts (4 bytes)");
    works_again();
}
END_TEST

static const struct {
    const char *name;
    size_t size;
    uint32_t said;
} malformed[] = {
    {"empty", 0, 0},      {"short header", 11, 0}, {"length beyond", 20, 9},
    {"too long", 600, 4}, {"text", 4, 0},
};

START_TEST(a_malformed_reply_ends_the_conversation)
{
    struct sockaddr_un old;
    char data[600] = "";

    fx.hold = true;
    send_ok("a", 15000, 0);
    run_until_requests(1);
    old = fx.from;
    memcpy(data + 8, &malformed[_i].said, 4);
    ck_assert(server_send_to(&fx.from, data, malformed[_i].size));
    run_until_done(1);
    expect(0, UM_E_GUEST_ERROR, "malformed reply");
    ck_assert_int_eq(access(old.sun_path, F_OK), -1);
    works_again();
}
END_TEST

START_TEST(replies_nobody_waits_for_are_discarded)
{
    send_ok("a", 15000, 0);
    run_until_done(1);
    for (int i = 0; i < 5; i++)
        ck_assert(server_reply(1, i % 2, "unasked"));
    ck_assert(server_send_to(&fx.from, "bad", 3));
    fx.hold = true;
    send_ok("b", 15000, 0);
    run_until_requests(2);
    ck_assert(server_reply(0, false, "asked"));
    run_until_done(2);
    expect(1, UM_OK, "asked");
}
END_TEST

START_TEST(a_missing_or_dead_socket_means_not_running)
{
    server_close();
    send_ok("dead", 15000, 0);
    run_until_done(1);
    expect(0, UM_E_NOT_RUNNING, "no kernel listens");
    unlink(fx.target);
    send_ok("missing", 15000, 0);
    run_until_done(2);
    expect(1, UM_E_NOT_RUNNING, "no kernel listens");
    server_open();
    works_again();
}
END_TEST

START_TEST(a_symlink_in_place_of_the_socket_is_refused)
{
    char real[128];

    snprintf(real, sizeof(real), "%s/elsewhere", fx.dir);
    ck_assert_int_eq(rename(fx.target, real), 0);
    ck_assert_int_eq(symlink("elsewhere", fx.target), 0);
    send_ok("a", 15000, 0);
    run_until_done(1);
    expect(0, UM_E_NOT_RUNNING, "symbolic link");
    ck_assert_int_eq(fx.requests, 0);
}
END_TEST

START_TEST(a_symlinked_umid_directory_is_refused)
{
    char dir[128], link[128];

    mconsole_lane_free(fx.lane);
    snprintf(dir, sizeof(dir), "%s/real", fx.dir);
    snprintf(link, sizeof(link), "%s/uml", fx.dir);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(symlink("real", link), 0);
    server_close();
    snprintf(fx.target, sizeof(fx.target), "%s/uml/mconsole", fx.dir);
    server_open();
    fx.lane = mconsole_lane_new(fx.loop, fx.dir, "q", fx.target);
    send_ok("a", 15000, 0);
    run_until_done(1);
    expect(0, UM_E_NOT_RUNNING, "symbolic link");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(rename(dir, link), 0);
    works_again();
}
END_TEST

START_TEST(a_file_or_directory_in_place_of_the_socket_is_refused)
{
    ck_assert_int_eq(unlink(fx.target), 0);
    ck_assert(um_file_replace(fx.target, "x", 1, 0600, NULL) == UM_OK);
    send_ok("a", 15000, 0);
    run_until_done(1);
    expect(0, UM_E_NOT_RUNNING, "not a kernel's socket");
    unlink(fx.target);
    ck_assert_int_eq(mkdir(fx.target, 0700), 0);
    send_ok("b", 15000, 0);
    run_until_done(2);
    expect(1, UM_E_NOT_RUNNING, "not a kernel's socket");
}
END_TEST

static void reboot(void)
{
    server_close();
    unlink(fx.target);
    server_open();
}

START_TEST(a_rebooted_kernel_is_found_without_a_reset)
{
    works_again();
    reboot();
    works_again();
    server_close();
    send_ok("dead", 15000, 0);
    run_until_done(3);
    expect(2, UM_E_NOT_RUNNING, "no kernel listens");
}
END_TEST

START_TEST(a_reset_ends_the_request_the_old_kernel_took_away)
{
    fx.hold = true;
    send_ok("a", 15000, 0);
    send_ok("b", 15000, 0);
    run_until_requests(1);
    reboot();
    fx.hold = false;
    mconsole_lane_reset(fx.lane);
    ck_assert_int_eq(fx.done, 0); /* never inside the call */
    run_until_done(2);
    expect(0, UM_E_NOT_RUNNING, "went away before it answered");
    expect(1, UM_OK, "b");
}
END_TEST

START_TEST(a_reset_spares_a_request_that_went_to_the_new_kernel)
{
    mconsole_lane_reset(fx.lane); /* nothing open yet */
    fx.hold = true;
    send_ok("a", 15000, 0);
    run_until_requests(1);
    mconsole_lane_reset(fx.lane);
    ck_assert(server_reply(0, false, "answer"));
    run_until_done(1);
    expect(0, UM_OK, "answer");
}
END_TEST

/* Datagrams of another client until the kernel's queue takes no more. */
static void fill_queue(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    um_autofd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", fx.target);
    um_watch_set(fx.server_watch, 0);
    while (sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) == 1)
        ;
    ck_assert_int_eq(errno, EAGAIN);
}

static void start_reading(um_unused void *arg)
{
    um_watch_set(fx.server_watch, UM_READ);
}

START_TEST(a_full_queue_is_waited_for)
{
    struct um_timer *t = um_timer_new(fx.loop, start_reading, NULL);

    fill_queue();
    send_ok("patience", 15000, 0);
    um_timer_arm(t, 50000000);
    run_until_done(1);
    um_timer_free(t);
    expect(0, UM_OK, "patience");
}
END_TEST

START_TEST(a_queue_that_stays_full_is_a_timeout)
{
    fill_queue();
    send_ok("a", 60, 0);
    run_until_done(1);
    expect(0, UM_E_UNRESPONSIVE, "did not take the command within 60 ms");
    start_reading(NULL);
    works_again();
}
END_TEST

static void die(um_unused void *arg)
{
    server_close();
}

START_TEST(a_kernel_that_dies_with_a_full_queue_is_noticed)
{
    struct um_timer *t;

    fill_queue();
    send_ok("a", 15000, 0);
    t = um_timer_new(fx.loop, die, NULL);
    um_timer_arm(t, 50000000);
    run_until_done(1);
    um_timer_free(t);
    expect(0, UM_E_NOT_RUNNING, "no kernel listens");
}
END_TEST

START_TEST(names_a_hostile_guest_occupies_are_passed_over)
{
    unsigned number;
    char path[128];

    fx.hold = true;
    send_ok("a", 60, 0);
    run_until_done(1);
    ck_assert_int_eq(sscanf(strrchr(fx.from.sun_path, '/'), "/q%u", &number), 1);
    for (unsigned i = 1; i <= 10; i++) {
        snprintf(path, sizeof(path), "%s/q%u", fx.dir, number + i);
        ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    }
    works_again();
    ck_assert_int_eq(sscanf(strrchr(fx.from.sun_path, '/'), "/q%u", &number), 1);
    for (unsigned i = 1; i <= 70; i++) {
        snprintf(path, sizeof(path), "%s/q%u", fx.dir, number + i);
        ck_assert_int_eq(symlink("/nowhere", path), 0);
    }
    fx.hold = true;
    send_ok("b", 60, 0);
    run_until_done(3);
    send_ok("c", 15000, 0);
    run_until_done(4);
    expect(3, UM_E_NO_RESOURCES, "names");
}
END_TEST

START_TEST(a_directory_too_deep_for_a_socket_is_said_so)
{
    char deep[128];
    size_t n = strlen(fx.dir);

    mconsole_lane_free(fx.lane);
    memcpy(deep, fx.dir, n);
    memset(deep + n, 'd', 100);
    deep[n] = '/';
    deep[110] = '\0';
    ck_assert_int_eq(mkdir(deep, 0700), 0);
    fx.lane = mconsole_lane_new(fx.loop, deep, "q", fx.target);
    send_ok("a", 15000, 0);
    run_until_done(1);
    expect(0, UM_E_INVALID, "107 bytes");
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("faults");
    Suite *s = suite_create("mconsole/lane faults");

    suite_add_tcase(s, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, a_late_reply_finds_no_address);
    tcase_add_test(tc, those_waiting_behind_a_timeout_are_sent);
    tcase_add_test(tc, what_others_queued_behind_an_unknown_command_is_woken);
    tcase_add_test(tc, a_reply_that_breaks_off_is_no_answer);
    tcase_add_loop_test(tc, a_malformed_reply_ends_the_conversation, 0, UM_ARRAY_LEN(malformed));
    tcase_add_test(tc, replies_nobody_waits_for_are_discarded);
    tcase_add_test(tc, a_missing_or_dead_socket_means_not_running);
    tcase_add_test(tc, a_symlink_in_place_of_the_socket_is_refused);
    tcase_add_test(tc, a_symlinked_umid_directory_is_refused);
    tcase_add_test(tc, a_file_or_directory_in_place_of_the_socket_is_refused);
    tcase_add_test(tc, a_rebooted_kernel_is_found_without_a_reset);
    tcase_add_test(tc, a_reset_ends_the_request_the_old_kernel_took_away);
    tcase_add_test(tc, a_reset_spares_a_request_that_went_to_the_new_kernel);
    tcase_add_test(tc, a_full_queue_is_waited_for);
    tcase_add_test(tc, a_queue_that_stays_full_is_a_timeout);
    tcase_add_test(tc, a_kernel_that_dies_with_a_full_queue_is_noticed);
    tcase_add_test(tc, names_a_hostile_guest_occupies_are_passed_over);
    tcase_add_test(tc, a_directory_too_deep_for_a_socket_is_said_so);
    return check_run(s);
}
