#include "tests/vmcore/monitor/suite.h"
#include "vmcore/base/clock.h"
#include "vmcore/monitor/monitor.h"

#include <stdio.h>
#include <stdlib.h>
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

    struct mon_kept kept = {.lines = NULL};

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        ck_assert_msg(mon_notify_read(&kept, rows[i].text, strlen(rows[i].text)) == rows[i].ready,
                      "row %zu", i);
    ck_assert(mon_notify_read(&kept, "READY=1\0", 8)); /* a NUL written along */
    mon_kept_clear(&kept);
}
END_TEST

static void say(struct mon_kept *kept, const char *text)
{
    ck_assert(!mon_notify_read(kept, text, strlen(text)));
}

/* All parts, with a `|` in front of each. */
static char *kept_text(const struct mon_kept *kept)
{
    struct um_buf all = UM_BUF_INIT, part = UM_BUF_INIT;

    for (size_t at = 0; mon_kept_part(kept, &at, &part);) {
        ck_assert_uint_le(part.len + sizeof(struct mon_header) + sizeof(struct mon_notify),
                          MON_MESSAGE_MAX);
        um_buf_printf(&all, "|%s", part.data);
        um_buf_done(&part);
    }
    um_buf_puts(&all, "");
    return um_buf_take(&all);
}

START_TEST(the_last_of_each_kind_is_kept)
{
    struct mon_kept kept = {.lines = NULL};
    char *text;

    text = kept_text(&kept);
    ck_assert_str_eq(text, "");
    free(text);
    say(&kept, "STATUS=a\nHEALTH=ok\nMETRIC x 1\nMETRIC y 2\nhello\nHEALTH=nonsense\n");
    say(&kept, "METRIC x 3\nSTATUS=b");
    say(&kept, "WANT=reboot");
    say(&kept, "HEALTH=failing disk");
    text = kept_text(&kept);
    ck_assert_str_eq(text, "|STATUS=b\nHEALTH=failing disk\nMETRIC x 3\nMETRIC y 2\nWANT=reboot\n");
    free(text);
    mon_kept_clear(&kept);
    text = kept_text(&kept);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(what_is_kept_is_bounded_and_sent_in_messages_that_fit)
{
    struct mon_kept kept = {.lines = NULL};
    char line[128], *text;
    int parts = 0, lines = 0;

    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "METRIC %060d 1.2345678901234567", i);
        memcpy(line + 7, "m", 1);
        say(&kept, line);
    }
    say(&kept, "STATUS=there is room for the other kinds");
    text = kept_text(&kept);
    for (const char *p = text; *p; p++) {
        parts += *p == '|';
        lines += *p == '\n';
    }
    ck_assert_int_eq(lines, MCONSOLE_METRICS_MAX + 1);
    ck_assert_int_ge(parts, 2);
    ck_assert_ptr_nonnull(strstr(text, "STATUS="));
    free(text);
    mon_kept_clear(&kept);
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

SUITE_MAIN("notify", ready_is_a_whole_line, the_last_of_each_kind_is_kept,
           what_is_kept_is_bounded_and_sent_in_messages_that_fit,
           a_bucket_gives_its_burst_and_then_its_rate,
           a_long_pause_fills_a_bucket_but_not_over_its_rim, text_of_a_guest_is_one_clean_line,
           the_exit_record_has_every_field_on_a_line)
