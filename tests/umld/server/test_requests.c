/* What comes over a connection and what goes back. */
#include "tests/umld/server/fixture.h"

#include <sys/socket.h>

#define PING    "{\"method\":\"io.umld.Server.Ping\"}"
#define PONG    "{\"parameters\":{\"version\":\"\"}}"
#define START   "{\"method\":\"io.umld.Guest.Start\",\"parameters\":{\"name\":\"web\"}}"
#define RESUME  "{\"method\":\"io.umld.Guest.Resume\",\"parameters\":{\"name\":\"web\"}}"
#define RESUMED "{\"parameters\":{\"changed\":true,\"state\":\"running\"}}"
#define STARTED "{\"parameters\":{\"changed\":true,\"state\":\"up\",\"ready\":false}}"
#define INVALID "io.umld.Server.InvalidValue"

static struct client c;

static void setup(void)
{
    fixture_start(NULL);
    c = client_new();
}

static void teardown(void)
{
    client_done(&c);
    fixture_stop();
}

START_TEST(malformed_json_is_answered_with_its_place_then_closed)
{
    static const char *const texts[] = {"{",
                                        "nonsense",
                                        "{\"method\":}",
                                        "{\"a\":1,\"a\":2}",
                                        "{} {}",
                                        "",
                                        "{\"method\":\"\\u0000\"}",
                                        "\"\xff\""};
    json_t *got;
    const char *message;

    fixture_start(NULL);
    for (size_t i = 0; i < UM_ARRAY_LEN(texts); i++) {
        c = client_new();
        client_call(&c, texts[i]);
        got = client_next(&c);
        ck_assert_str_eq(json_string_value(json_object_get(got, "error")), INVALID);
        message = json_string_value(json_object_get(json_object_get(got, "parameters"), "message"));
        ck_assert_ptr_nonnull(strstr(message, "line "));
        ck_assert_ptr_nonnull(strstr(message, "column "));
        json_decref(got);
        client_expect_end(&c);
        client_done(&c);
    }
    ck_assert_int_eq(api_server_connections(fixture.server), 0);
    fixture_stop();
}
END_TEST

START_TEST(wrong_envelopes_are_answered_and_the_connection_goes_on)
{
    static const struct {
        const char *text, *field;
    } rows[] = {{"[]", ""},
                {"{}", "method"},
                {"{\"method\":7}", "method"},
                {"{\"method\":\"io.umld.Server.Ping\",\"more\":1}", "more"},
                {"{\"method\":\"io.umld.Server.Ping\",\"params\":{}}", "params"},
                {"{\"method\":\"io.umld.Server.Ping\",\"oneway\":true,\"more\":true}", "oneway"},
                {"{\"method\":\"io.umld.Server.Ping\",\"upgrade\":true}", "upgrade"}};

    setup();
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        client_call(&c, rows[i].text);
        client_expect_error(&c, INVALID, rows[i].field);
    }
    client_call(&c, "{\"method\":\"io.umld.Server.Ping\",\"parameters\":[]}");
    client_expect_error(&c, "org.varlink.service.InvalidParameter", "parameters");
    client_call(&c, "{\"method\":\"io.umld.Server.Ping\",\"parameters\":null,\"more\":false}");
    client_expect(&c, PONG);
    teardown();
}
END_TEST

START_TEST(unknown_methods_and_interfaces_are_told_apart)
{
    setup();
    client_call(&c, "{\"method\":\"io.umld.Server.Pong\"}");
    client_expect_error(&c, "org.varlink.service.MethodNotFound", "method");
    client_call(&c, "{\"method\":\"io.umld.Nothing.Ping\"}");
    client_expect_error(&c, "org.varlink.service.InterfaceNotFound", "interface");
    client_call(&c, "{\"method\":\"\"}");
    client_expect_error(&c, "org.varlink.service.InterfaceNotFound", "interface");
    client_call(&c, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                    "\"parameters\":{\"interface\":\"a.b\"}}");
    client_expect_error(&c, "org.varlink.service.InterfaceNotFound", "interface");
    teardown();
}
END_TEST

START_TEST(introspection_gives_the_files_verbatim)
{
    setup();
    for (size_t i = 0; i < api_interface_count; i++) {
        char text[160];
        json_t *got;

        snprintf(text, sizeof(text),
                 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                 "\"parameters\":{\"interface\":\"%s\"}}",
                 api_interfaces[i].name);
        client_call(&c, text);
        got = client_next(&c);
        ck_assert_str_eq(
            json_string_value(json_object_get(json_object_get(got, "parameters"), "description")),
            api_interfaces[i].text);
        json_decref(got);
    }
    teardown();
}
END_TEST

static void send_nested(int depth)
{
    struct um_buf b = UM_BUF_INIT;

    um_buf_puts(&b, "{\"method\":\"io.umld.Server.Ping\",\"parameters\":");
    for (int i = 1; i < depth; i++)
        um_buf_puts(&b, "[");
    um_buf_puts(&b, "\"]\\\"\""); /* brackets in strings do not count */
    for (int i = 1; i < depth; i++)
        um_buf_puts(&b, "]");
    um_buf_puts(&b, "}");
    client_call(&c, b.data);
    um_buf_done(&b);
}

START_TEST(nesting_is_limited_before_parsing)
{
    setup();
    send_nested(32);
    client_expect_error(&c, "org.varlink.service.InvalidParameter", "parameters");
    send_nested(33);
    client_expect_error(&c, INVALID, NULL);
    client_expect_end(&c);
    client_done(&c);
    c = client_new();
    send_nested(400000);
    client_expect_error(&c, INVALID, NULL);
    teardown();
}
END_TEST

START_TEST(requests_up_to_the_limit_are_taken_longer_ones_not)
{
    size_t max = api_server_default_limits.request_bytes;
    char *text = malloc(max + 2);

    setup();
    memset(text, ' ', max + 2);
    memcpy(text, PING, strlen(PING));
    text[max] = '\0';
    client_call(&c, text);
    client_expect(&c, PONG);
    text[max] = ' ';
    text[max + 1] = '\0';
    client_call(&c, text);
    client_expect_error(&c, INVALID, NULL);
    client_expect_end(&c);
    free(text);
    teardown();
}
END_TEST

START_TEST(requests_may_come_in_any_pieces)
{
    setup();
    for (size_t i = 0; i < sizeof(PING); i++) {
        client_send(&c, &PING[i], 1);
        fixture_pump(1);
    }
    client_expect(&c, PONG);
    client_send(&c, PING "\0" PING "\0" PING, sizeof(PING "\0" PING "\0" PING));
    for (int i = 0; i < 3; i++)
        client_expect(&c, PONG);
    teardown();
}
END_TEST

START_TEST(line_mode_is_answered_in_lines)
{
    static const char text[] = PING "\n\n  \n" PING "\r\n{\"method\":\"x.y\"}\n" PING;

    setup();
    c.end = '\n';
    client_send(&c, text, sizeof(text) - 1);
    client_expect(&c, PONG);
    client_expect(&c, PONG);
    client_expect_error(&c, "org.varlink.service.InterfaceNotFound", NULL);
    client_expect_silence(&c, 20);
    client_send(&c, "\n", 1);
    client_expect(&c, PONG);
    teardown();
}
END_TEST

START_TEST(a_client_that_closes_its_sending_side_gets_its_answers)
{
    setup();
    client_call(&c, START);
    client_call(&c, PING);
    fixture_pump(5);
    ck_assert_int_eq(shutdown(c.fd, SHUT_WR), 0);
    client_expect_silence(&c, 20);
    fixture_answer(fixture.started[0], "up");
    client_expect(&c, STARTED);
    client_expect(&c, PONG);
    client_expect_end(&c);
    teardown();
}
END_TEST

START_TEST(replies_keep_the_order_of_requests)
{
    setup();
    client_call(&c, START);
    client_call(&c, PING);
    client_call(&c, RESUME);
    client_expect_silence(&c, 20);
    ck_assert_int_eq(fixture.handled, 1); /* the others wait */
    fixture_answer(fixture.started[0], "up");
    client_expect(&c, STARTED);
    client_expect(&c, PONG);
    client_expect(&c, RESUMED);
    teardown();
}
END_TEST

START_TEST(other_clients_are_served_while_one_waits)
{
    struct client other, half;

    setup();
    other = client_new();
    half = client_new();
    client_send(&half, "{\"method\":", 10);
    client_call(&c, START);
    for (int i = 0; i < 100; i++) {
        client_call(&other, PING);
        client_expect(&other, PONG);
    }
    fixture_answer(fixture.started[0], "up");
    client_expect(&c, STARTED);
    client_done(&other);
    client_done(&half);
    teardown();
}
END_TEST

START_TEST(oneway_calls_run_and_are_not_answered)
{
    setup();
    client_call(&c, "{\"method\":\"io.umld.Guest.Resume\",\"oneway\":true,"
                    "\"parameters\":{\"name\":\"web\"}}");
    client_call(&c, "{\"method\":\"io.umld.Guest.Resume\",\"oneway\":true}");
    client_call(&c, PING);
    client_expect(&c, PONG);
    ck_assert_int_eq(fixture.handled, 1);
    client_call(&c, "{\"method\":\"io.umld.Guest.Start\",\"oneway\":true,"
                    "\"parameters\":{\"name\":\"web\"}}");
    fixture_pump(5);
    client_done(&c); /* need not stay for the end */
    fixture_pump(5);
    ck_assert_int_eq(fixture.handled, 2);
    ck_assert_uint_eq(fixture.gone, 0);
    teardown();
}
END_TEST

START_TEST(more_gives_several_replies_and_without_it_one)
{
    setup();
    fixture.stream_count = 2;
    client_call(&c, "{\"method\":\"io.umld.Server.Subscribe\",\"more\":true}");
    for (int i = 0; i < 2; i++) {
        json_t *got = client_next(&c);

        ck_assert(json_is_true(json_object_get(got, "continues")));
        json_decref(got);
    }
    client_expect(&c, "{\"parameters\":{}}");
    fixture.stream_sent = 0;
    client_call(&c, "{\"method\":\"io.umld.Server.Subscribe\"}");
    client_expect(&c, "{\"parameters\":{}}");
    teardown();
}
END_TEST

START_TEST(replies_leave_only_in_the_after_phase)
{
    struct api_call *call;
    char byte;

    setup();
    client_call(&c, START);
    fixture_pump(5);
    call = api_call_find(fixture.server, fixture.started[0]);
    api_reply(call, json_pack("{s:b, s:s, s:b}", "changed", 1, "state", "up", "ready", 0));
    ck_assert_uint_eq(api_call_id(call), fixture.started[0]); /* still there */
    api_reply(call, NULL);                                    /* and answered: ignored */
    ck_assert_int_eq(recv(c.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    api_server_after(fixture.server);
    ck_assert_int_eq(recv(c.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), 1);
    client_expect(&c, STARTED);
    client_expect_silence(&c, 5);
    teardown();
}
END_TEST

START_TEST(replies_that_do_not_match_the_interface_are_caught)
{
    struct api_call *call;

    setup();
    client_call(&c, START);
    fixture_pump(5);
    call = api_call_find(fixture.server, fixture.started[0]);
    api_reply(call, json_pack("{s:b, s:s}", "changed", 1, "state", "up"));
    client_expect_error(&c, "io.umld.Server.Internal", "ready");
    teardown();
}
END_TEST

START_TEST(several_errors_are_one_reply)
{
    struct um_error errors[2];

    setup();
    client_call(&c, START);
    fixture_pump(5);
    um_fail(&errors[0], UM_E_BAD_CONFIG, "guest \"web\"", "mem", "too little");
    um_hint(&errors[0], "at least 16M");
    um_fail(&errors[1], UM_E_INVALID, "guest \"web\"", "ubd0", "no such file \xc3");
    api_reply_errors(api_call_find(fixture.server, fixture.started[0]), errors, 2);
    client_expect(&c, "{\"error\":\"io.umld.Server.BadConfig\",\"parameters\":{\"object\":\"guest "
                      "\\\"web\\\"\",\"field\":\"mem\",\"message\":\"too little\",\"hint\":\"at "
                      "least 16M\",\"retryable\":false,\"more\":[\"ubd0: no such file ?\"]}}");
    teardown();
}
END_TEST

static const struct suite_test tests[] = {
    {&malformed_json_is_answered_with_its_place_then_closed, 0},
    {&wrong_envelopes_are_answered_and_the_connection_goes_on, 0},
    {&unknown_methods_and_interfaces_are_told_apart, 0},
    {&introspection_gives_the_files_verbatim, 0},
    {&nesting_is_limited_before_parsing, 0},
    {&requests_up_to_the_limit_are_taken_longer_ones_not, 0},
    {&requests_may_come_in_any_pieces, 0},
    {&line_mode_is_answered_in_lines, 0},
    {&a_client_that_closes_its_sending_side_gets_its_answers, 0},
    {&replies_keep_the_order_of_requests, 0},
    {&other_clients_are_served_while_one_waits, 0},
    {&oneway_calls_run_and_are_not_answered, 0},
    {&more_gives_several_replies_and_without_it_one, 0},
    {&replies_leave_only_in_the_after_phase, 0},
    {&replies_that_do_not_match_the_interface_are_caught, 0},
    {&several_errors_are_one_reply, 0},
};
SUITE_MAIN("requests", tests)
