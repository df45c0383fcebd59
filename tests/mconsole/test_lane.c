/* A lane and a kernel that behaves: order, joining, names, life. Faults are in test_lane_faults.c.
 */
#include "lane_fixture.h"
#include "tests/check_run.h"

#include "vmcore/base/fd.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void ignore(um_unused enum um_code code, um_unused int32_t status,
                   um_unused const char *text, um_unused size_t len, um_unused void *arg)
{
}

START_TEST(commands_are_answered_in_order)
{
    static const char *const commands[] = {"a", "b", "c", "d", "e"};

    for (int i = 0; i < 5; i++)
        send_ok(commands[i], 15000, 0);
    run_until_done(5);
    ck_assert_str_eq(fx.received, "a b c d e ");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(fx.outcomes[i].code, UM_OK);
        ck_assert_str_eq(fx.outcomes[i].text, commands[i]);
        ck_assert_ptr_eq(fx.outcomes[i].tag, commands[i]);
    }
}
END_TEST

START_TEST(only_one_request_is_outstanding)
{
    fx.hold = true;
    send_ok("a", 15000, 0);
    send_ok("b", 15000, 0);
    run_until_requests(1);
    ck_assert(server_reply(0, true, "one"));
    ck_assert_int_eq(fx.requests, 1);
    ck_assert(server_reply(0, false, "two"));
    run_until_requests(2);
    ck_assert_int_eq(fx.done, 1);
    ck_assert_str_eq(fx.outcomes[0].text, "onetwo");
}
END_TEST

/* Bytes that the kernel has to read. */
static int at_server(void)
{
    int bytes = -1;

    ck_assert_int_eq(ioctl(fx.server, FIONREAD, &bytes), 0);
    return bytes;
}

static void expect_next(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    ck_assert_int_gt(at_server(), 0);
    on_done(code, status, text, len, arg);
}

START_TEST(the_kernel_has_the_next_request_before_an_answer_is_told)
{
    struct um_error err;

    send_ok("connects", 15000, 0);
    run_until_done(1);
    fx.hold = true;
    ck_assert_int_eq(mconsole_lane_send(fx.lane, "a", 15000, 0, expect_next, NULL, &err), UM_OK);
    ck_assert_int_gt(at_server(), 0); /* nothing stands in its way */
    send_ok("b", 15000, 0);
    run_until_requests(2);
    ck_assert_int_eq(at_server(), 0); /* b waits for the answer to a */
    ck_assert(server_reply(0, false, "a"));
    run_until_done(2);
    ck_assert_str_eq(fx.outcomes[1].text, "a");
    run_until_requests(3);
    ck_assert_str_eq(fx.received, "connects a b ");
    ck_assert(server_reply(0, false, "b"));
    run_until_done(3);
}
END_TEST

START_TEST(a_first_request_goes_before_those_waiting)
{
    fx.hold = true;
    send_ok("a", 15000, 0);
    run_until_requests(1);
    fx.hold = false;
    send_ok("b", 15000, 0);
    send_ok("c", 15000, 0);
    send_ok("d", 15000, MCONSOLE_FIRST);
    ck_assert(server_reply(0, false, "a"));
    run_until_done(4);
    ck_assert_str_eq(fx.received, "a d b c ");
}
END_TEST

START_TEST(the_error_of_the_first_part_is_the_status)
{
    fx.hold = true;
    send_ok("config ubd0=x", 15000, 0);
    run_until_requests(1);
    ck_assert(server_reply(-16, true, "Device is "));
    ck_assert(server_reply(0, false, "already configured"));
    run_until_done(1);
    ck_assert_int_eq(fx.outcomes[0].code, UM_E_GUEST_ERROR);
    ck_assert_int_eq(fx.outcomes[0].status, -16);
    ck_assert_str_eq(fx.outcomes[0].text, "Device is already configured");
}
END_TEST

static struct {
    struct um_watch *watch;
    int left;
} stream;

/* Parts leave whenever the client's queue has room: as a guest on another CPU. */
static void on_writable(um_unused int fd, um_unused unsigned ready, um_unused void *arg)
{
    char text[512];

    memset(text, 'x', 511);
    text[511] = '\0';
    while (stream.left > 0 && server_reply(0, stream.left > 1, stream.left > 1 ? text : "end"))
        stream.left--;
    if (stream.left == 0)
        um_watch_set(stream.watch, 0);
}

static void stream_parts(int parts)
{
    stream.left = parts;
    stream.watch = um_watch_new(fx.loop, fx.server, UM_WRITE, on_writable, NULL);
    ck_assert_ptr_nonnull(stream.watch);
}

START_TEST(a_reply_longer_than_the_queue_is_read_while_it_comes)
{
    fx.hold = true;
    send_ok("proc long", 15000, 0);
    run_until_requests(1);
    stream_parts(401);
    run_until_done(1);
    um_watch_free(stream.watch);
    ck_assert_int_eq(fx.outcomes[0].code, UM_OK);
    ck_assert_uint_eq(fx.outcomes[0].len, 400 * 511 + 3);
}
END_TEST

START_TEST(an_endless_reply_is_cut_and_its_rest_is_not_the_next_answer)
{
    fx.hold = true;
    send_ok("proc endless", 15000, 0);
    run_until_requests(1);
    stream_parts(1000000);
    run_until_done(1);
    um_watch_free(stream.watch);
    ck_assert_int_eq(fx.outcomes[0].code, UM_E_NO_RESOURCES);
    ck_assert_ptr_nonnull(strstr(fx.outcomes[0].text, "longer than 262144 bytes"));
    fx.hold = false;
    send_ok("version", 15000, 0);
    run_until_done(2);
    ck_assert_str_eq(fx.outcomes[1].text, "version");
}
END_TEST

START_TEST(the_seventeenth_waiting_request_is_refused_as_busy)
{
    struct um_error err = UM_ERROR_INIT;

    fx.hold = true;
    send_ok("in flight", 15000, 0);
    run_until_requests(1);
    for (int i = 0; i < MCONSOLE_LANE_QUEUE_MAX; i++)
        send_ok("waiting", 15000, i % 2 ? MCONSOLE_FIRST : 0);
    ck_assert_int_eq(mconsole_lane_send(fx.lane, "one more", 0, true, ignore, NULL, &err),
                     UM_E_BUSY);
    ck_assert(err.retryable);
    fx.hold = false;
    ck_assert(server_reply(0, false, ""));
    run_until_done(1 + MCONSOLE_LANE_QUEUE_MAX);
    send_ok("now", 15000, 0);
    run_until_done(2 + MCONSOLE_LANE_QUEUE_MAX);
}
END_TEST

START_TEST(empty_and_overlong_commands_are_refused)
{
    struct um_error err = UM_ERROR_INIT;
    char text[520];

    ck_assert_int_eq(mconsole_lane_send(fx.lane, "", 0, 0, ignore, NULL, &err), UM_E_INVALID);
    memset(text, 'x', sizeof(text));
    text[512] = '\0';
    ck_assert_int_eq(mconsole_lane_send(fx.lane, text, 0, 0, ignore, NULL, &err), UM_E_INVALID);
    ck_assert_int_eq(mconsole_lane_send(fx.lane, text, 0, 0, ignore, NULL, NULL), UM_E_INVALID);
    text[511] = '\0';
    send_ok(text, 15000, 0);
    run_until_done(1);
    ck_assert_uint_eq(fx.outcomes[0].len, 511);
}
END_TEST

START_TEST(a_callback_may_send_again)
{
    fx.send_more = "second";
    send_ok("first", 15000, 0);
    run_until_done(2);
    ck_assert_str_eq(fx.received, "first second ");
}
END_TEST

START_TEST(a_lane_may_be_freed_in_its_callback)
{
    fx.hold = true;
    send_ok("a", 15000, 0);
    run_until_requests(1);
    send_ok("b", 15000, 0);
    send_ok("c", 15000, 0);
    ck_assert(server_reply(0, false, "done"));
    ck_assert(server_reply(0, false, "surplus")); /* still in the queue when the lane goes */
    fx.free_lane = true;
    run_until_done(3);
    ck_assert_int_eq(fx.outcomes[0].code, UM_OK);
    ck_assert_int_eq(fx.outcomes[1].code, UM_E_CANCELLED);
    ck_assert_int_eq(fx.outcomes[2].code, UM_E_CANCELLED);
}
END_TEST

START_TEST(freeing_answers_everything_once_and_removes_the_name)
{
    fx.hold = true;
    send_ok("a", 15000, 0);
    send_ok("b", 15000, 0);
    run_until_requests(1);
    ck_assert_int_eq(access(fx.from.sun_path, F_OK), 0);
    mconsole_lane_free(fx.lane);
    fx.lane = NULL;
    ck_assert_int_eq(fx.done, 2);
    ck_assert_int_eq(fx.outcomes[0].code, UM_E_CANCELLED);
    ck_assert_str_eq(fx.outcomes[0].tag, "a");
    ck_assert_int_eq(access(fx.from.sun_path, F_OK), -1);
    mconsole_lane_free(NULL);
}
END_TEST

static int count_entries(void)
{
    DIR *d = opendir(fx.dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

START_TEST(nothing_is_opened_before_the_first_request)
{
    struct stat st;

    ck_assert_int_eq(count_entries(), 1); /* the kernel's socket */
    send_ok("a", 15000, 0);
    ck_assert_int_eq(count_entries(), 1);
    run_until_done(1);
    ck_assert_int_eq(count_entries(), 2);
    ck_assert_int_eq(lstat(fx.from.sun_path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

static void make_socket(const char *name)
{
    struct um_error err = UM_ERROR_INIT;
    um_autofd fd = -1;
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", fx.dir, name);
    ck_assert(um_unix_listen(path, SOCK_DGRAM, 0600, &fd, &err) == UM_OK);
}

static bool exists(const char *name)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", fx.dir, name);
    return lstat(path, &st) == 0;
}

START_TEST(sockets_of_an_earlier_daemon_are_removed_and_their_numbers_not_used)
{
    char file[128];

    make_socket("q0");
    make_socket("q3000000");
    make_socket("q5x");
    make_socket("c7");
    snprintf(file, sizeof(file), "%s/q6", fx.dir);
    ck_assert(um_file_replace(file, "x", 1, 0600, NULL) == UM_OK);
    snprintf(file, sizeof(file), "%s/q8", fx.dir);
    ck_assert_int_eq(symlink("c7", file), 0);
    send_ok("a", 15000, 0);
    run_until_done(1);
    ck_assert(!exists("q0") && !exists("q3000000"));
    ck_assert(exists("q5x") && exists("c7") && exists("q6") && exists("q8"));
    ck_assert(exists("q3000001"));
}
END_TEST

START_TEST(only_the_kernel_can_answer)
{
    struct mconsole_reply forged = {.len = 5, .data = "fake"};
    um_autofd stranger = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    fx.hold = true;
    send_ok("a", 15000, 0);
    run_until_requests(1);
    ck_assert_int_eq(
        sendto(stranger, &forged, 17, MSG_DONTWAIT, (struct sockaddr *)&fx.from, sizeof(fx.from)),
        -1);
    ck_assert_int_eq(errno, EPERM); /* unix(7): the socket is connected to another */
    ck_assert(server_reply(0, false, "true"));
    run_until_done(1);
    ck_assert_str_eq(fx.outcomes[0].text, "true");
}
END_TEST

START_TEST(a_peek_is_decided_by_the_first_part_and_its_rest_finds_no_address)
{
    fx.hold = true;
    send_ok("proc 1/exe", 15000, MCONSOLE_PEEK);
    run_until_requests(1);
    ck_assert(server_reply(0, true, "\n"));
    run_until_done(1);
    ck_assert_int_eq(fx.outcomes[0].code, UM_OK);
    ck_assert_str_eq(fx.outcomes[0].text, "\n");
    ck_assert(!server_reply(0, true, "ELF"));
    send_ok("proc 2/exe", 15000, MCONSOLE_PEEK);
    run_until_requests(2);
    ck_assert(server_reply(1, false, "Failed to open file"));
    run_until_done(2);
    ck_assert_int_eq(fx.outcomes[1].code, UM_E_GUEST_ERROR);
    ck_assert_int_eq(fx.outcomes[1].status, 1);
}
END_TEST

START_TEST(a_descriptor_goes_along_with_its_command)
{
    struct stat sent, received;

    ck_assert(mconsole_lane_send_fd(fx.lane, "umlfs 3", fx.server, 15000, on_done, NULL, NULL) ==
              UM_OK);
    run_until_done(1);
    ck_assert_str_eq(fx.last, "umlfs 3");
    ck_assert_int_eq(fstat(fx.server, &sent), 0);
    ck_assert_int_eq(fstat(fx.received_fd, &received), 0);
    ck_assert_uint_eq(sent.st_ino, received.st_ino);
}
END_TEST

START_TEST(without_a_directory_the_address_is_abstract_and_nothing_is_left_behind)
{
    char link[96], path[160];

    /* the user's own way to the socket may lead through a link */
    snprintf(link, sizeof(link), "%s/link", fx.dir);
    snprintf(path, sizeof(path), "%s/mconsole", link);
    ck_assert_int_eq(symlink(fx.dir, link), 0);
    mconsole_lane_free(fx.lane);
    fx.lane = mconsole_lane_new(fx.loop, NULL, "q", path);
    ck_assert_ptr_nonnull(fx.lane);
    send_ok("version", 15000, 0);
    run_until_done(1);
    ck_assert_int_eq(fx.outcomes[0].code, UM_OK);
    ck_assert_str_eq(fx.outcomes[0].text, "version");
    ck_assert_int_eq(fx.from.sun_path[0], '\0');
    ck_assert_uint_gt(fx.from_len, sizeof(fx.from.sun_family));
    ck_assert(!exists("q0"));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("lane");
    Suite *s = suite_create("mconsole/lane");

    suite_add_tcase(s, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, commands_are_answered_in_order);
    tcase_add_test(tc, only_one_request_is_outstanding);
    tcase_add_test(tc, the_kernel_has_the_next_request_before_an_answer_is_told);
    tcase_add_test(tc, a_first_request_goes_before_those_waiting);
    tcase_add_test(tc, the_error_of_the_first_part_is_the_status);
    tcase_add_test(tc, a_reply_longer_than_the_queue_is_read_while_it_comes);
    tcase_add_test(tc, an_endless_reply_is_cut_and_its_rest_is_not_the_next_answer);
    tcase_add_test(tc, the_seventeenth_waiting_request_is_refused_as_busy);
    tcase_add_test(tc, empty_and_overlong_commands_are_refused);
    tcase_add_test(tc, a_callback_may_send_again);
    tcase_add_test(tc, a_lane_may_be_freed_in_its_callback);
    tcase_add_test(tc, freeing_answers_everything_once_and_removes_the_name);
    tcase_add_test(tc, nothing_is_opened_before_the_first_request);
    tcase_add_test(tc, sockets_of_an_earlier_daemon_are_removed_and_their_numbers_not_used);
    tcase_add_test(tc, only_the_kernel_can_answer);
    tcase_add_test(tc, a_peek_is_decided_by_the_first_part_and_its_rest_finds_no_address);
    tcase_add_test(tc, a_descriptor_goes_along_with_its_command);
    tcase_add_test(tc, without_a_directory_the_address_is_abstract_and_nothing_is_left_behind);
    return check_run(s);
}
