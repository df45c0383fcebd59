#include "netd/uml_hello.h"
#include "tests/vmcore/base/suite.h"

#include <string.h>
#include <sys/socket.h>

static uint8_t bytes[NETD_HELLO_MAX];

static void put(size_t at, uint32_t value)
{
    memcpy(bytes + at, &value, sizeof(value));
}

/* A request of version 3 or 1; its length. */
static size_t make(int version, uint32_t type, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t at = version == 3 ? 12 : 14;

    memset(bytes, 0, sizeof(bytes));
    put(0, 0xfeedface);
    put(4, version == 3 ? 3 : type);
    put(8, version == 3 ? type : 0);
    strcpy(a.sun_path, path);
    memcpy(bytes + at, &a, sizeof(a));
    return at + sizeof(a);
}

START_TEST(version_3_is_ready_at_122_bytes_and_with_padding_or_text)
{
    struct netd_hello hello = {.version = 0};
    size_t len = make(3, 0, "/run/client");

    ck_assert_uint_eq(len, 122);
    for (size_t i = 0; i < len; i++)
        ck_assert_int_eq(netd_hello_parse(bytes, i, false, &hello), NETD_HELLO_MORE);
    ck_assert_int_eq(hello.version, 0);
    ck_assert_int_eq(netd_hello_parse(bytes, 122, false, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(hello.version, 3);
    ck_assert_str_eq(hello.address.sun_path, "/run/client");
    ck_assert_int_eq(netd_hello_parse(bytes, 124, false, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(netd_hello_parse(bytes, NETD_HELLO_MAX, false, &hello), NETD_HELLO_READY);
}
END_TEST

START_TEST(version_1_is_ready_at_124_bytes)
{
    struct netd_hello hello;
    size_t len = make(1, 0, "/run/client");

    ck_assert_uint_eq(len, 124);
    ck_assert_int_eq(netd_hello_parse(bytes, 123, false, &hello), NETD_HELLO_MORE);
    ck_assert_int_eq(netd_hello_parse(bytes, 124, false, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(hello.version, 1);
    ck_assert_str_eq(hello.address.sun_path, "/run/client");
}
END_TEST

START_TEST(all_bytes_of_an_abstract_address_are_kept)
{
    struct netd_hello hello;
    size_t len = make(3, 0, "");

    memset(bytes + 15, 0xa5, 107);
    ck_assert_int_eq(netd_hello_parse(bytes, len, false, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(memcmp(&hello.address, bytes + 12, NETD_HELLO_ADDRESS), 0);
}
END_TEST

START_TEST(a_vde_client_may_ask_for_a_port)
{
    struct netd_hello hello;
    size_t len = make(3, 7 << 8, "/run/client");

    ck_assert_int_eq(netd_hello_parse(bytes, len, false, &hello), NETD_HELLO_READY);
    ck_assert_uint_eq(hello.port, 7);
}
END_TEST

START_TEST(versions_that_nobody_serves_are_known_at_their_eighth_byte)
{
    struct netd_hello hello;

    for (uint32_t version = 1; version < 10; version++) {
        make(3, 0, "/run/client");
        if (version == 3)
            continue;
        put(4, version);
        ck_assert_int_eq(netd_hello_parse(bytes, 7, false, &hello), NETD_HELLO_MORE);
        ck_assert_int_eq(netd_hello_parse(bytes, 8, false, &hello), NETD_HELLO_VERSION);
    }
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
    struct netd_hello hello = {.version = 42};
    size_t len = make(3, 2, "/run/client"); /* a type that does not exist */

    ck_assert_int_eq(netd_hello_parse(bytes, len, false, &hello), NETD_HELLO_REFUSED);
    len = make(3, 0, "/run/client");
    bytes[12] = AF_INET;
    ck_assert_int_eq(netd_hello_parse(bytes, len, false, &hello), NETD_HELLO_REFUSED);
    len = make(3, 0, "/");
    memset(bytes + 14, 'x', 108); /* a path without its end */
    ck_assert_int_eq(netd_hello_parse(bytes, len, false, &hello), NETD_HELLO_REFUSED);
    put(0, 0xfeedfacf);
    ck_assert_int_eq(netd_hello_parse(bytes, 4, false, &hello), NETD_HELLO_REFUSED);
    ck_assert_int_eq(hello.version, 42);
}
END_TEST

START_TEST(version_0_has_no_magic_and_is_ready_at_120_bytes_where_it_is_served)
{
    struct netd_hello hello;
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/client"};

    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes + 10, &a, sizeof(a));
    ck_assert_int_eq(netd_hello_parse(bytes, 119, true, &hello), NETD_HELLO_MORE);
    ck_assert_int_eq(netd_hello_parse(bytes, 120, true, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(hello.version, 0);
    ck_assert_str_eq(hello.address.sun_path, "/run/client");
    ck_assert_int_eq(netd_hello_parse(bytes, 4, false, &hello), NETD_HELLO_REFUSED);
    ck_assert_int_eq(netd_hello_parse(bytes, make(3, 0, "/x"), true, &hello), NETD_HELLO_READY);
    ck_assert_int_eq(hello.version, 3);
}
END_TEST

static const struct suite_test tests[] = {
    {&version_3_is_ready_at_122_bytes_and_with_padding_or_text, 0},
    {&version_1_is_ready_at_124_bytes, 0},
    {&all_bytes_of_an_abstract_address_are_kept, 0},
    {&a_vde_client_may_ask_for_a_port, 0},
    {&versions_that_nobody_serves_are_known_at_their_eighth_byte, 0},
    {&what_is_no_request_is_refused, 0},
    {&version_0_has_no_magic_and_is_ready_at_120_bytes_where_it_is_served, 0},
};
SUITE_MAIN("uml_switch request", tests)
