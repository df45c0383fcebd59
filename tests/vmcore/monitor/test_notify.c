#include "tests/vmcore/monitor/suite.h"
#include "vmcore/base/clock.h"
#include "vmcore/monitor/monitor.h"

#include <string.h>

START_TEST(ready_is_a_whole_line)
{
    static const struct {
        const char *text;
        bool ready;
    } rows[] = {
        {"READY=1", true},           {"READY=1\n", true},    {"READY=1\r\n", true},
        {"STATUS=x\nREADY=1", true}, {"READY=1\nX=2", true}, {"READY=10", false},
        {"NOTREADY=1", false},       {"READY=", false},      {"", false},
        {"\n\n\nREADY=1\n\n", true}, {" READY=1", false},    {"READY=1 \n", false},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_msg(mon_notify_says_ready(rows[i].text, strlen(rows[i].text)) == rows[i].ready,
                      "row %zu", i);
    ck_assert(mon_notify_says_ready("READY=1\0", 8)); /* a NUL written along */
}
END_TEST

START_TEST(a_bucket_gives_its_burst_and_then_its_rate)
{
    struct mon_bucket b = {.per_second = 100, .burst = 200};
    int64_t now = UM_SEC_NS;
    int got = 0;

    for (int i = 0; i < 1000; i++)
        got += mon_bucket_take(&b, now);
    ck_assert_int_eq(got, 200);
    for (int ms = 0; ms < 10000; ms++) /* ten seconds, asked every 1.3 ms */
        got += mon_bucket_take(&b, now + ms * UM_MS_NS * 13 / 10);
    ck_assert_int_ge(got, 200 + 1290);
    ck_assert_int_le(got, 200 + 1301);
}
END_TEST

START_TEST(a_long_pause_fills_a_bucket_but_not_over_its_rim)
{
    struct mon_bucket b = {.per_second = 100, .burst = 200};
    int got = 0;

    ck_assert(mon_bucket_take(&b, 1));
    for (int i = 0; i < 1000; i++)
        got += mon_bucket_take(&b, INT64_MAX / 2);
    ck_assert_int_eq(got, 200);
}
END_TEST

START_TEST(text_of_a_guest_is_one_clean_line)
{
    char text[16];

    mon_text_clean(text, sizeof(text), "a\nb\033c\n\0d", 9);
    ck_assert_str_eq(text, "a b c");
    mon_text_clean(text, sizeof(text), "0123456789abcdefgh", 18);
    ck_assert_str_eq(text, "0123456789abcde");
    mon_text_clean(text, sizeof(text), "", 0);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(the_exit_record_has_every_field_on_a_line)
{
    const struct mon_config c = {.guest = "web"};
    const struct mon_state s = {.boot = 3,
                                .wait_status = 256,
                                .exit_wall_ns = 5,
                                .start_wall_ns = 4,
                                .flags = 17,
                                .main_pid = 99,
                                .exec_errno = 2,
                                .panic = "oops"};
    struct um_buf b = UM_BUF_INIT;

    mon_record_format(&c, &s, &b);
    ck_assert_str_eq(b.data, "version=1\nguest=web\nboot=3\nwait_status=256\nexit_wall_ns=5\n"
                             "start_wall_ns=4\nflags=17\nmain_pid=99\nexec_errno=2\npanic=oops\n");
    um_buf_done(&b);
}
END_TEST

SUITE_MAIN("notify", ready_is_a_whole_line, a_bucket_gives_its_burst_and_then_its_rate,
           a_long_pause_fills_a_bucket_but_not_over_its_rim, text_of_a_guest_is_one_clean_line,
           the_exit_record_has_every_field_on_a_line)
