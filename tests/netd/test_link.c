/* Links on real sockets, in a loop of their own. */
#include "netd/frame.h"
#include "netd/link.h"
#include "tests/vmcore/base/suite.h"
#include "vmcore/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct um_loop *loop;
static struct netd_switch *sw;
static struct netd_io io;
static struct um_timer *turn;
static struct netd_link *links[3];
static int peers[3];
static const char *reasons[3];
static int closed[3];

static void on_closed(void *arg, const char *reason)
{
    int i = (int)(intptr_t)arg;

    closed[i]++;
    reasons[i] = reason;
}

static void end_turn(um_unused void *arg)
{
    um_loop_stop(loop);
}

/* Let the switch do what can be done now, and a little more. */
static void run(void)
{
    um_timer_arm(turn, 2000000);
    um_loop_run(loop);
}

static void start(void)
{
    struct netd_switch_config config = netd_switch_config_default;

    config.hold_ns =
        3600 * UM_SEC_NS; /* of a test that had to wait for its CPU nothing is dropped */
    loop = um_loop_new();
    sw = netd_switch_new(&config);
    ck_assert(loop && sw && netd_io_init(&io, loop, sw));
    turn = um_timer_new(loop, end_turn, NULL);
    for (int i = 0; i < 3; i++)
        peers[i] = -1;
}

static void stop(void)
{
    for (int i = 0; i < 3; i++) {
        netd_link_free(links[i]);
        if (peers[i] >= 0)
            close(peers[i]);
    }
    um_timer_free(turn);
    netd_io_done(&io);
    netd_switch_free(sw);
    um_loop_free(loop);
}

static void add(int i, enum netd_link_kind kind)
{
    int type = kind == NETD_LINK_SEQPACKET  ? SOCK_SEQPACKET
               : kind == NETD_LINK_DATAGRAM ? SOCK_DGRAM
                                            : SOCK_STREAM;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    peers[i] = pair[0];
    links[i] = netd_link_new(&io, pair[1], kind, &netd_port_config_default, on_closed,
                             (void *)(intptr_t)i);
    ck_assert_ptr_nonnull(links[i]);
}

/* A broadcast of that length, each byte told by its place and seed. */
static uint8_t *make(size_t len, int seed)
{
    static uint8_t bytes[NETD_FRAME_MAX + 8];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + (size_t)seed);
    memset(bytes, 255, 6);
    memset(bytes + 6, 2, 6);
    memset(bytes + 12, 8, 2);
    return bytes;
}

static void send_stream(int fd, size_t len, int seed, int prefix, size_t piece)
{
    static uint8_t bytes[NETD_FRAME_MAX + 16];

    for (int i = 0; i < prefix; i++)
        bytes[i] = (uint8_t)(len >> 8 * (prefix - 1 - i));
    memcpy(bytes + prefix, make(len, seed), len);
    len += (size_t)prefix;
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, bytes + at, len - at < piece ? len - at : piece, MSG_NOSIGNAL);

        if (n < 0)
            ck_assert_int_eq(errno, EAGAIN);
        else
            at += (size_t)n;
        run();
    }
}

/* All of len bytes, giving the switch its turns. */
static void read_all(int fd, uint8_t *bytes, size_t len)
{
    for (int tries = 0; len; tries++) {
        ssize_t n = recv(fd, bytes, len, MSG_DONTWAIT);

        ck_assert_int_lt(tries, 20000);
        ck_assert_int_ne((int)n, 0);
        if (n < 0) {
            run();
            continue;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void expect_message(int fd, size_t len, int seed)
{
    static uint8_t bytes[NETD_FRAME_MAX + 8];

    ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), (int)len);
    ck_assert_int_eq(memcmp(bytes, make(len, seed), len), 0);
}

static void expect_stream(int fd, size_t len, int seed, int prefix)
{
    static uint8_t bytes[NETD_FRAME_MAX + 16];
    size_t told = 0;

    read_all(fd, bytes, len + (size_t)prefix);
    for (int i = 0; i < prefix; i++)
        told = told << 8 | bytes[i];
    ck_assert_uint_eq(told, len);
    ck_assert_int_eq(memcmp(bytes + prefix, make(len, seed), len), 0);
}

START_TEST(frames_pass_between_all_kinds_of_links)
{
    static const size_t lens[] = {14, 60, 1514, 9014, NETD_FRAME_MAX - 18};

    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_STREAM2);
    add(2, NETD_LINK_STREAM4);
    for (size_t i = 0; i < UM_ARRAY_LEN(lens); i++) {
        ck_assert_int_eq(send(peers[0], make(lens[i], (int)i), lens[i], 0), (int)lens[i]);
        run();
        expect_stream(peers[1], lens[i], (int)i, 2);
        expect_stream(peers[2], lens[i], (int)i, 4);
        send_stream(peers[1], lens[i], (int)i + 1, 2, 100000);
        expect_message(peers[0], lens[i], (int)i + 1);
        expect_stream(peers[2], lens[i], (int)i + 1, 4);
    }
    ck_assert_int_eq(closed[0] + closed[1] + closed[2], 0);
}
END_TEST

START_TEST(a_stream_may_come_in_any_pieces)
{
    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_STREAM2);
    for (size_t piece = 1; piece < 20; piece += 3) {
        send_stream(peers[1], 40, (int)piece, 2, piece);
        expect_message(peers[0], 40, (int)piece);
    }
}
END_TEST

START_TEST(a_batch_that_a_slow_stream_cannot_take_is_kept_and_whole)
{
    enum { FRAMES = 200, LEN = 9000 };
    int sent = 0, got = 0;

    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_STREAM4);
    while (sent < FRAMES) {
        if (send(peers[0], make(LEN, sent), LEN, 0) == LEN) {
            sent++;
            continue;
        }
        ck_assert_int_eq(errno, EAGAIN);
        run();
        /* Full up to the sender: only reading makes room. */
        if (send(peers[0], make(LEN, sent), LEN, 0) == LEN)
            sent++;
        else
            expect_stream(peers[1], LEN, got++, 4);
    }
    while (got < FRAMES)
        expect_stream(peers[1], LEN, got++, 4);
    for (int i = 0; i < NETD_DROP_COUNT; i++)
        ck_assert_uint_eq(netd_switch_counters(sw, netd_link_port(links[1]))->drops[i], 0);
}
END_TEST

START_TEST(the_end_of_a_peer_is_told_once)
{
    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_STREAM2);
    close(peers[0]);
    close(peers[1]);
    peers[0] = peers[1] = -1;
    run();
    run();
    ck_assert_int_eq(closed[0], 1);
    ck_assert_int_eq(closed[1], 1);
    ck_assert_ptr_null(reasons[0]);
    ck_assert_ptr_null(reasons[1]);
}
END_TEST

START_TEST(a_stream_that_reads_no_more_is_closed_with_a_reason)
{
    static uint8_t bytes[256 << 10];

    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_STREAM4);
    for (int i = 0; i < 60; i++) { /* more than a socket takes, less than makes the switch hold */
        ck_assert_int_eq(send(peers[0], make(9000, 0), 9000, 0), 9000);
        run();
    }
    ck_assert_uint_gt(netd_switch_waiting(sw, netd_link_port(links[1])), 0);
    /* Room again, in the middle of a frame: what comes next is an error, not waiting. */
    ck_assert_int_gt(recv(peers[1], bytes, sizeof(bytes), MSG_DONTWAIT), 0);
    ck_assert_int_eq(shutdown(peers[1], SHUT_RD), 0);
    run();
    run();
    ck_assert_int_eq(closed[1], 1);
    ck_assert_ptr_nonnull(strstr(reasons[1], "written"));
    ck_assert_uint_gt(netd_switch_counters(sw, netd_link_port(links[1]))->drops[NETD_DROP_SEND], 0);
}
END_TEST

START_TEST(frames_sent_before_the_end_arrive)
{
    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_SEQPACKET);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(send(peers[0], make(60, i), 60, 0), 60);
    close(peers[0]);
    peers[0] = -1;
    run();
    for (int i = 0; i < 3; i++)
        expect_message(peers[1], 60, i);
    ck_assert_int_eq(closed[0], 1);
}
END_TEST

START_TEST(a_stream_that_ends_or_lies_in_the_middle_is_closed_with_a_reason)
{
    add(0, NETD_LINK_STREAM2);
    add(1, NETD_LINK_STREAM4);
    ck_assert_int_eq(send(peers[0], "\0\100abc", 5, 0), 5);
    ck_assert_int_eq(send(peers[1], "\1\0\0\0abc", 7, 0), 7);
    run();
    ck_assert_int_eq(closed[1], 1);
    ck_assert_ptr_nonnull(strstr(reasons[1], "out of range"));
    ck_assert_int_eq(closed[0], 0);
    close(peers[0]);
    peers[0] = -1;
    run();
    ck_assert_ptr_nonnull(strstr(reasons[0], "middle of a frame"));
}
END_TEST

START_TEST(a_message_longer_than_any_frame_is_a_giant_not_a_shorter_frame)
{
    static uint8_t bytes[NETD_FRAME_MAX + 100];

    add(0, NETD_LINK_SEQPACKET);
    add(1, NETD_LINK_SEQPACKET);
    memcpy(bytes, make(60, 0), 60);
    ck_assert_int_eq(send(peers[0], bytes, sizeof(bytes), 0), (int)sizeof(bytes));
    run();
    ck_assert_int_eq(recv(peers[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    ck_assert_uint_eq(netd_switch_counters(sw, netd_link_port(links[0]))->drops[NETD_DROP_GIANT],
                      1);
}
END_TEST

static const struct suite_test tests[] = {
    {&frames_pass_between_all_kinds_of_links, 0},
    {&a_stream_may_come_in_any_pieces, 0},
    {&a_batch_that_a_slow_stream_cannot_take_is_kept_and_whole, 0},
    {&the_end_of_a_peer_is_told_once, 0},
    {&a_stream_that_reads_no_more_is_closed_with_a_reason, 0},
    {&frames_sent_before_the_end_arrive, 0},
    {&a_stream_that_ends_or_lies_in_the_middle_is_closed_with_a_reason, 0},
    {&a_message_longer_than_any_frame_is_a_giant_not_a_shorter_frame, 0},
};
SUITE_MAIN_WITH("link", tests, start, stop)
