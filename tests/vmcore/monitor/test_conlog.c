#include "tests/vmcore/monitor/suite.h"
#include "vmcore/base/fd.h"
#include "vmcore/monitor/conlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static int dir;

static void begin(void)
{
    snprintf(path, sizeof(path), "/tmp/umlogXXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir, 0);
}

static void end(struct mon_log *l)
{
    mon_log_done(l);
    close(dir);
    ck_assert(um_remove_tree(path));
}

static void open_log(struct mon_log *l, int64_t size, size_t parts, uint64_t boot)
{
    ck_assert_int_eq(mon_log_init(l, dir, "con0", size, parts, boot, NULL), UM_OK);
}

static bool exists(const char *name)
{
    return faccessat(dir, name, F_OK, 0) == 0;
}

static void append(struct mon_log *l, const char *text)
{
    mon_log_append(l, text, strlen(text));
}

/* All a reader gets, in pieces of at most `piece`. */
static char *read_all(const struct mon_log *l, struct mon_log_reader *r, size_t piece)
{
    static char all[65536];
    size_t len = 0, n;

    while ((n = mon_log_peek(l, r, all + len, piece)) > 0) {
        mon_log_advance(r, n);
        len += n;
        ck_assert_uint_lt(len + piece, sizeof(all));
    }
    all[len] = '\0';
    return all;
}

START_TEST(parts_are_rotated_by_size_and_the_oldest_removed)
{
    struct mon_log l;

    begin();
    open_log(&l, 10, 2, 5);
    append(&l, "aaaaaaaaaabbbbbbbbbbcc");
    ck_assert(!exists("con0.5.0.log"));
    ck_assert(exists("con0.5.1.log"));
    ck_assert(exists("con0.5.2.log"));
    ck_assert_int_eq(mon_log_end(&l), 22);
    end(&l);
}
END_TEST

START_TEST(parts_are_counted_over_all_boots)
{
    struct mon_log l;

    begin();
    open_log(&l, 10, 2, 1);
    append(&l, "one");
    mon_log_new_boot(&l, 2);
    append(&l, "two");
    ck_assert(exists("con0.1.0.log"));
    mon_log_done(&l);
    open_log(&l, 10, 2, 3);
    ck_assert(!exists("con0.1.0.log"));
    ck_assert(exists("con0.2.0.log"));
    ck_assert(exists("con0.3.0.log"));
    end(&l);
}
END_TEST

START_TEST(the_same_boot_number_again_overwrites_nothing)
{
    struct mon_log l;
    struct mon_log_reader r;

    begin();
    open_log(&l, 100, 4, 1);
    append(&l, "first ");
    mon_log_done(&l);
    open_log(&l, 100, 4, 1);
    append(&l, "second");
    ck_assert(exists("con0.1.1.log"));
    mon_log_reader_start(&l, &r, -2);
    ck_assert_str_eq(read_all(&l, &r, 4), "first second");
    mon_log_reader_done(&r);
    end(&l);
}
END_TEST

START_TEST(other_files_in_the_directory_are_left_alone)
{
    static const char *const names[] = {"con0.1.0.log.gz", "con0.01.0.log", "con00.1.0.log",
                                        "con0.x.0.log", "con1.1.0.log"};
    struct mon_log l;

    begin();
    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++)
        close(openat(dir, names[i], O_CREAT | O_WRONLY, 0600));
    open_log(&l, 10, 1, 2);
    ck_assert_uint_eq(l.count, 1);
    for (size_t i = 0; i < UM_ARRAY_LEN(names); i++)
        ck_assert(exists(names[i]));
    end(&l);
}
END_TEST

START_TEST(readers_start_where_they_ask)
{
    static const struct {
        int64_t back;
        const char *text;
    } rows[] = {{-2, "old1old2new1new2"}, {-1, "new1new2"},          {0, ""}, {3, "ew2"},
                {10, "d2new1new2"},       {1000, "old1old2new1new2"}};
    struct mon_log l;
    struct mon_log_reader r;

    begin();
    open_log(&l, 4, 10, 1);
    append(&l, "old1old2");
    mon_log_new_boot(&l, 2);
    append(&l, "new1new2");
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        mon_log_reader_start(&l, &r, rows[i].back);
        ck_assert_str_eq(read_all(&l, &r, 3), rows[i].text);
        append(&l, ""); /* nothing new: still caught up */
        ck_assert_str_eq(read_all(&l, &r, 3), "");
        mon_log_reader_done(&r);
    }
    end(&l);
}
END_TEST

START_TEST(a_caught_up_reader_follows_across_parts_and_boots)
{
    struct mon_log l;
    struct mon_log_reader r;

    begin();
    open_log(&l, 4, 10, 1);
    mon_log_reader_start(&l, &r, 0);
    ck_assert_str_eq(read_all(&l, &r, 100), "");
    append(&l, "abcdefghij");
    ck_assert_str_eq(read_all(&l, &r, 100), "abcdefghij");
    mon_log_new_boot(&l, 2);
    append(&l, "k");
    ck_assert_str_eq(read_all(&l, &r, 100), "k");
    mon_log_reader_done(&r);
    end(&l);
}
END_TEST

START_TEST(a_slow_reader_is_told_how_much_rotation_took)
{
    struct mon_log l;
    struct mon_log_reader r;
    char byte;

    begin();
    open_log(&l, 10, 2, 1);
    append(&l, "0123456789");
    mon_log_reader_start(&l, &r, -2);
    ck_assert_uint_eq(mon_log_peek(&l, &r, &byte, 1), 1);
    mon_log_advance(&r, 1);
    append(&l, "aaaaaaaaaabbbbbbbbbbcccccccccc");
    /* Its own part is gone by name but still open: nothing of that is lost. */
    ck_assert_str_eq(read_all(&l, &r, 100), "123456789"
                                            "\r\n[... 10 bytes dropped by rotation ...]\r\n"
                                            "bbbbbbbbbbcccccccccc");
    mon_log_reader_done(&r);
    end(&l);
}
END_TEST

START_TEST(a_file_cut_short_by_others_does_not_stall_readers)
{
    struct mon_log l;
    struct mon_log_reader r;

    begin();
    open_log(&l, 10, 4, 1);
    append(&l, "0123456789abc");
    ck_assert_int_eq(truncate((snprintf(path + strlen(path), 16, "/con0.1.0.log"), path), 4), 0);
    *strrchr(path, '/') = '\0';
    mon_log_reader_start(&l, &r, -2);
    ck_assert_str_eq(read_all(&l, &r, 100), "0123\r\n[... 6 bytes dropped by rotation ...]\r\nabc");
    mon_log_reader_done(&r);
    end(&l);
}
END_TEST

static bool disk_full;

static ssize_t full_write(int fd, const void *data, size_t len)
{
    if (disk_full) {
        errno = ENOSPC;
        return -1;
    }
    return write(fd, data, len);
}

START_TEST(a_full_disk_loses_bytes_and_says_so_when_space_returns)
{
    struct mon_log l;
    struct mon_log_reader r;

    begin();
    open_log(&l, 1000, 4, 1);
    l.write = full_write;
    append(&l, "before");
    disk_full = true;
    append(&l, "lost1");
    append(&l, "lost22");
    ck_assert_int_eq(l.lost, 11);
    disk_full = false;
    append(&l, "after");
    ck_assert_int_eq(l.lost, 0);
    mon_log_reader_start(&l, &r, -2);
    ck_assert_str_eq(read_all(&l, &r, 100),
                     "before\r\n[... 11 bytes lost: the log could not be written ...]\r\nafter");
    mon_log_reader_done(&r);
    end(&l);
}
END_TEST

START_TEST(a_vanished_directory_loses_bytes_but_not_the_process)
{
    struct mon_log l;

    begin();
    open_log(&l, 10, 4, 1);
    ck_assert(um_remove_tree(path));
    append(&l, "0123456789more");
    ck_assert_int_eq(l.lost, 4);
    mon_log_new_boot(&l, 2);
    append(&l, "and more");
    ck_assert_int_eq(l.lost, 12);
    end(&l);
}
END_TEST

SUITE_MAIN("conlog", parts_are_rotated_by_size_and_the_oldest_removed,
           parts_are_counted_over_all_boots, the_same_boot_number_again_overwrites_nothing,
           other_files_in_the_directory_are_left_alone, readers_start_where_they_ask,
           a_caught_up_reader_follows_across_parts_and_boots,
           a_slow_reader_is_told_how_much_rotation_took,
           a_file_cut_short_by_others_does_not_stall_readers,
           a_full_disk_loses_bytes_and_says_so_when_space_returns,
           a_vanished_directory_loses_bytes_but_not_the_process)
