/*
 * COW headers of all versions, whole and cut.
 */
#include "tests/check_run.h"
#include "vmcore/guest/cow_peek.h"

#include "cow_header.h"

#include <check.h>
#include <errno.h>

START_TEST(every_version_gives_its_backing_file)
{
    uint8_t data[COW_PEEK_SIZE];
    struct cow_peek h;
    size_t len = cow_header(data, _i, "/srv/base.img", 0x65432100, UINT64_C(0x123456789a));

    ck_assert_int_eq(cow_peek_parse(data, len, &h), COW_PEEK_OK);
    ck_assert_str_eq(h.backing, "/srv/base.img");
    ck_assert_uint_eq(h.mtime, 0x65432100);
    ck_assert_uint_eq(h.size, UINT64_C(0x123456789a));
    ck_assert_int_eq(h.version, _i > 3 ? 3 : _i);
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_int_eq(cow_peek_parse(data, cut, &h), cut < 4 ? COW_PEEK_NONE : COW_PEEK_BAD);
}
END_TEST

START_TEST(damaged_headers_are_bad_and_other_files_are_none)
{
    uint8_t data[COW_PEEK_SIZE];
    struct cow_peek h;

    cow_header(data, 3, "/b", 1, 2);
    data[7] = 4;
    ck_assert_int_eq(cow_peek_parse(data, sizeof(data), &h), COW_PEEK_BAD);
    cow_header(data, 3, "/b", 1, 2);
    memset(data + 32, 'x', 4096);
    ck_assert_int_eq(cow_peek_parse(data, sizeof(data), &h), COW_PEEK_BAD);
    cow_header(data, 2, "", 1, 2);
    ck_assert_int_eq(cow_peek_parse(data, sizeof(data), &h), COW_PEEK_BAD);
    memset(data, 0, sizeof(data));
    ck_assert_int_eq(cow_peek_parse(data, sizeof(data), &h), COW_PEEK_NONE);
}
END_TEST

START_TEST(files_that_cannot_be_read_say_so)
{
    struct cow_peek h;

    ck_assert_int_eq(cow_peek_file("/nonexistent/x", &h), COW_PEEK_NONE);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(cow_peek_file("/", &h), COW_PEEK_NONE);
    ck_assert_int_eq(cow_peek_file("/dev/zero", &h), COW_PEEK_NONE);
    ck_assert_int_eq(errno, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cow_peek");
    TCase *t = tcase_create("header");

    tcase_add_loop_test(t, every_version_gives_its_backing_file, 1, 5);
    tcase_add_test(t, damaged_headers_are_bad_and_other_files_are_none);
    tcase_add_test(t, files_that_cannot_be_read_say_so);
    suite_add_tcase(s, t);
    return check_run(s);
}
