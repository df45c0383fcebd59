/* Limits, upgrades, slow readers, and clients that vanish. */
#include "tests/umld/server/fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define PING  "{\"method\":\"io.umld.Server.Ping\"}"
#define PONG  "{\"parameters\":{\"version\":\"\"}}"
#define START "{\"method\":\"io.umld.Guest.Start\",\"parameters\":{\"name\":\"web\"}}"
#define ATTACH                                                                                     \
    "{\"method\":\"io.umld.Console.Attach\",\"upgrade\":true,\"parameters\":{\"name\":\"web\"}}"
#define ATTACHED "{\"parameters\":{\"device\":\"con0\",\"boot\":1}}"

START_TEST(connections_are_limited_per_user_and_in_all)
{
    struct api_server_limits limits = api_server_default_limits;
    struct client c[3], late;

    limits.connections = _i ? 3 : 100;
    limits.connections_per_uid = _i ? 100 : 3;
    fixture_start(&limits);
    for (int i = 0; i < 3; i++) {
        c[i] = client_new();
        client_call(&c[i], PING);
        client_expect(&c[i], PONG);
    }
    late = client_new();
    client_expect_error(&late, "io.umld.Server.Busy", NULL);
    client_expect_end(&late);
    client_done(&late);
    ck_assert_int_eq(api_server_connections(fixture.server), 3);
    client_done(&c[0]);
    fixture_pump(5);
    late = client_new();
    client_call(&late, PING);
    client_expect(&late, PONG);
    client_done(&late);
    client_done(&c[1]);
    client_done(&c[2]);
    fixture_stop();
}
END_TEST

START_TEST(out_of_descriptors_accepting_pauses_and_resumes)
{
    struct rlimit limit;
    struct client c[4], late;
    int before, hog[512], hogs = 0;

    fixture_start(NULL);
    for (int i = 0; i < 4; i++) {
        c[i] = client_new();
        client_call(&c[i], PING);
        client_expect(&c[i], PONG);
    }
    late = client_new();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((hog[hogs] = dup(0)) >= 0)
        hogs++;
    client_call(&late, PING);
    before = fixture.after_rounds;
    client_expect_silence(&late, 100);
    ck_assert_int_lt(fixture.after_rounds - before, 50); /* waits, does not spin */
    client_call(&c[1], PING);
    client_expect(&c[1], PONG);
    if (_i)
        client_done(&c[0]); /* a connection that closes makes room at once */
    else
        close(hog[--hogs]); /* or a timer tries again */
    client_expect(&late, PONG);
    while (hogs)
        close(hog[--hogs]);
    for (int i = 0; i < 4; i++)
        client_done(&c[i]);
    client_done(&late);
    fixture_stop();
}
END_TEST

START_TEST(half_a_request_times_out_alone)
{
    struct api_server_limits limits = api_server_default_limits;
    struct client half, idle, waiting;

    limits.half_request_ns = 100 * UM_MS_NS;
    fixture_start(&limits);
    half = client_new();
    idle = client_new();
    waiting = client_new();
    client_call(&waiting, START);
    client_send(&half, PING "\0{", sizeof(PING) + 1);
    client_expect(&half, PONG);
    client_expect_error(&half, "io.umld.Server.Timeout", NULL);
    client_expect_end(&half);
    client_call(&idle, PING);
    client_expect(&idle, PONG);
    fixture_answer(fixture.started[0], "up");
    json_decref(client_next(&waiting));
    ck_assert_int_eq(api_server_connections(fixture.server), 2);
    client_done(&half);
    client_done(&idle);
    client_done(&waiting);
    fixture_stop();
}
END_TEST

START_TEST(pipelining_is_bounded_but_loses_nothing)
{
    struct client c;
    char one[1024];
    int sent = 0;

    fixture_start(NULL);
    c = client_new();
    client_call(&c, START);
    fixture_pump(5);
    memset(one, ' ', sizeof(one));
    memcpy(one, PING, strlen(PING));
    one[sizeof(one) - 1] = '\0';
    /* Until the socket is full: the server has stopped reading long before. */
    while (send(c.fd, one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(one)) {
        sent++;
        if (sent % 50 == 0)
            fixture_pump(2);
        ck_assert_int_lt(sent, 100000);
    }
    fixture_answer(fixture.started[0], "up");
    json_decref(client_next(&c));
    client_expect(&c, PONG);
    client_done(&c);
    fixture_pump(5);
    ck_assert_int_eq(api_server_connections(fixture.server), 0);
    fixture_stop();
}
END_TEST

/* Until it is taken: what else is sent stays in the socket, nothing is answered. */
static void offer_connection(struct client *c)
{
    /* The earlier reply goes out first, and what follows is not parsed. */
    client_send(c, PING "\0" ATTACH "\0{raw}", sizeof(PING ATTACH "\0{raw}"));
    client_expect(c, PONG);
    while (!fixture.offered)
        fixture_pump(1);
    client_call(c, PING);
    client_expect_silence(c, 20);
    ck_assert_str_eq(fixture.greeting, ATTACHED);
    ck_assert_str_eq(fixture.rest, "{raw}");
}

START_TEST(an_upgrade_hands_over_the_descriptor_and_what_followed)
{
    struct client c;
    char text[sizeof(PING)] = "";

    fixture_start(NULL);
    c = client_new();
    offer_connection(&c);
    api_upgrade_taken(api_call_find(fixture.server, fixture.offered));
    fixture_pump(5);
    ck_assert_int_eq(api_server_connections(fixture.server), 0);
    ck_assert_ptr_null(api_call_find(fixture.server, fixture.offered));
    ck_assert_int_eq(read(fixture.taken, text, sizeof(text)), sizeof(PING));
    ck_assert_str_eq(text, PING);
    client_send(&c, "ping", 4);
    fixture_pump(5);
    ck_assert_int_eq(read(fixture.taken, text, sizeof(text)), 4);
    ck_assert_int_eq(write(fixture.taken, "pong", 4), 4);
    ck_assert_int_eq(read(c.fd, text, sizeof(text)), 4);
    ck_assert_int_eq(memcmp(text, "pong", 4), 0);
    client_done(&c);
    fixture_stop();
}
END_TEST

START_TEST(an_offer_may_be_refused_or_its_client_may_go)
{
    struct um_error err;
    struct client c;

    fixture_start(NULL);
    c = client_new();
    offer_connection(&c);
    close(fixture.taken);
    fixture.taken = -1;
    if (_i) {
        client_done(&c);
        /* Nothing is read while it is offered: the server's tick looks for this. */
        while (api_call_find(fixture.server, fixture.offered))
            fixture_pump(10);
        ck_assert_int_eq(api_server_connections(fixture.server), 0);
    } else {
        um_fail(&err, UM_E_BUSY, "guest \"web\"", "device", "somebody else is writing");
        api_reply_error(api_call_find(fixture.server, fixture.offered), &err);
        client_expect_error(&c, "io.umld.Server.Busy", "device");
        /* What was sent for the console are requests again, and this one is none. */
        client_expect_error(&c, "io.umld.Server.InvalidValue", NULL);
        client_done(&c);
    }
    fixture_stop();
}
END_TEST

START_TEST(without_upgrade_such_methods_are_not_run)
{
    struct client c;

    fixture_start(NULL);
    c = client_new();
    client_call(&c, "{\"method\":\"io.umld.Console.Attach\",\"parameters\":{\"name\":\"web\"}}");
    client_expect_error(&c, "io.umld.Server.InvalidValue", "upgrade");
    ck_assert_int_eq(fixture.handled, 0);
    client_call(&c, PING);
    client_expect(&c, PONG);
    client_done(&c);
    fixture_stop();
}
END_TEST

START_TEST(a_slow_reader_stalls_its_stream_and_gets_all_of_it)
{
    struct client c, other;

    fixture_start(NULL);
    fixture.stream_count = 2000;
    fixture.stream_bytes = 2000;
    c = client_new();
    other = client_new();
    client_call(&c, "{\"method\":\"io.umld.Server.Subscribe\",\"more\":true}");
    fixture_pump(20);
    ck_assert_int_ge(fixture.stream_stalls, 1);
    ck_assert_int_lt(fixture.stream_sent, 2000);
    client_call(&other, PING);
    client_expect(&other, PONG);
    for (int i = 0; i < 2000; i++) {
        json_t *got = client_next(&c), *event;

        event = json_object_get(json_object_get(got, "parameters"), "event");
        ck_assert_int_eq(json_integer_value(json_object_get(event, "seq")), i);
        json_decref(got);
    }
    client_expect(&c, "{\"parameters\":{}}");
    client_done(&c);
    client_done(&other);
    fixture_stop();
}
END_TEST

START_TEST(a_reader_of_nothing_is_not_read_from_for_ever)
{
    struct api_server_limits limits = api_server_default_limits;
    struct client c;
    int sent = 0;

    limits.output_bytes = 65536;
    fixture_start(&limits);
    c = client_new();
    while (send(c.fd, PING, sizeof(PING), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(PING)) {
        if (++sent % 100 == 0)
            fixture_pump(1);
        ck_assert_int_lt(sent, 200000);
    }
    for (int i = 0; i < sent; i++)
        client_expect(&c, PONG);
    client_done(&c);
    fixture_stop();
}
END_TEST

START_TEST(a_client_that_vanishes_cancels_its_call)
{
    struct client c;

    fixture_start(NULL);
    c = client_new();
    client_call(&c, START);
    if (_i == 1) /* so much is waiting that the server does not read */
        for (int i = 0; i < 100; i++)
            client_call(&c, PING);
    fixture_pump(5);
    if (_i == 2) {
        shutdown(c.fd, SHUT_WR);
        fixture_pump(5);
    }
    ck_assert_uint_eq(fixture.gone, 0);
    client_done(&c);
    /* Where nothing is read, the server's tick looks for this. Check's own limit ends it. */
    while (!fixture.gone)
        fixture_pump(10);
    ck_assert_uint_eq(fixture.gone, fixture.started[0]);
    ck_assert_int_eq(api_server_connections(fixture.server), 0);
    ck_assert_ptr_null(api_call_find(fixture.server, fixture.started[0]));
    fixture_stop();
}
END_TEST

START_TEST(a_vanished_stream_reader_cancels)
{
    struct client c;

    fixture_start(NULL);
    fixture.stream_count = 2000;
    fixture.stream_bytes = 2000;
    c = client_new();
    client_call(&c, "{\"method\":\"io.umld.Server.Subscribe\",\"more\":true}");
    fixture_pump(20);
    client_done(&c);
    fixture_pump(20);
    ck_assert_uint_ne(fixture.gone, 0);
    ck_assert_int_eq(api_server_connections(fixture.server), 0);
    fixture_stop();
}
END_TEST

START_TEST(ids_are_never_used_twice)
{
    struct client c;

    fixture_start(NULL);
    for (int i = 0; i < 3; i++) {
        c = client_new();
        client_call(&c, START);
        fixture_pump(5);
        client_done(&c);
        fixture_pump(5);
    }
    ck_assert_uint_lt(fixture.started[0], fixture.started[1]);
    ck_assert_uint_lt(fixture.started[1], fixture.started[2]);
    fixture_stop();
}
END_TEST

START_TEST(the_server_may_end_with_calls_open)
{
    struct client c;

    fixture_start(NULL);
    c = client_new();
    client_call(&c, START);
    client_call(&c, PING);
    fixture_pump(5);
    fixture_stop();
    ck_assert_uint_eq(fixture.gone, 0);
    client_done(&c);
}
END_TEST

static const struct suite_test tests[] = {
    {&connections_are_limited_per_user_and_in_all, 2},
    {&out_of_descriptors_accepting_pauses_and_resumes, 2},
    {&half_a_request_times_out_alone, 0},
    {&pipelining_is_bounded_but_loses_nothing, 0},
    {&an_upgrade_hands_over_the_descriptor_and_what_followed, 0},
    {&an_offer_may_be_refused_or_its_client_may_go, 2},
    {&without_upgrade_such_methods_are_not_run, 0},
    {&a_slow_reader_stalls_its_stream_and_gets_all_of_it, 0},
    {&a_reader_of_nothing_is_not_read_from_for_ever, 0},
    {&a_client_that_vanishes_cancels_its_call, 3},
    {&a_vanished_stream_reader_cancels, 0},
    {&ids_are_never_used_twice, 0},
    {&the_server_may_end_with_calls_open, 0},
};
SUITE_MAIN("connections", tests)
