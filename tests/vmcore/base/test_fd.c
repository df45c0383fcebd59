#include "tests/vmcore/base/suite.h"
#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char dir[] = "/tmp/umld-test-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

static int open_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(a_descriptor_travels_and_is_cloexec)
{
    int pair[2], got = -1, before;
    struct stat a, b;
    char text[16];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    before = open_fds();
    ck_assert(um_fd_send(pair[0], "hi", 3, STDERR_FILENO));
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), &got, NULL), 3);
    ck_assert_str_eq(text, "hi");
    ck_assert_int_eq(fcntl(got, F_GETFD), FD_CLOEXEC);
    ck_assert(fstat(got, &a) == 0 && fstat(STDERR_FILENO, &b) == 0 && a.st_ino == b.st_ino);
    um_fd_close(&got);
    ck_assert_int_eq(got, -1);
    ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(several_descriptors_keep_their_order)
{
    int pair[2], files[3], got[3] = {77, 77, 77}, before;
    struct stat sent[3], st;
    char text[4];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 3; i++) {
        files[i] = memfd_create("file", MFD_CLOEXEC);
        ck_assert_int_eq(fstat(files[i], &sent[i]), 0);
    }
    before = open_fds();
    /* -1 is left out, and what there is no room for is closed. */
    ck_assert(um_fd_send_many(pair[0], "a", 1, (int[]){files[2], -1, files[0]}, 3));
    ck_assert(um_fd_send_many(pair[0], "b", 1, files, 3));
    ck_assert_int_eq(um_fd_receive_many(pair[1], text, sizeof(text), got, 3, NULL), 1);
    ck_assert(fstat(got[0], &st) == 0 && st.st_ino == sent[2].st_ino);
    ck_assert(fstat(got[1], &st) == 0 && st.st_ino == sent[0].st_ino);
    ck_assert_int_eq(got[2], -1);
    close(got[0]);
    close(got[1]);
    ck_assert_int_eq(um_fd_receive_many(pair[1], text, sizeof(text), got, 2, NULL), 1);
    ck_assert(fstat(got[1], &st) == 0 && st.st_ino == sent[1].st_ino);
    ck_assert_int_eq(open_fds(), before + 2);
    ck_assert_int_eq(fcntl(got[1], F_GETFD), FD_CLOEXEC);
    close(got[0]);
    close(got[1]);
}
END_TEST

/* However many come and whether or not they are wanted: none stays open by accident. */
START_TEST(unwanted_and_surplus_descriptors_are_closed)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * 20)];
        struct cmsghdr align;
    } control = {.space = {0}};
    struct iovec iov = {.iov_base = (char[]){'x'}, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space};
    static const int counts[] = {1, 3, 8, 20};
    int pair[2], before, got;
    char text[4];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    before = open_fds();
    for (size_t i = 0; i < UM_ARRAY_LEN(counts); i++) {
        size_t bytes = sizeof(int) * (size_t)counts[i];
        struct cmsghdr *c;

        msg.msg_controllen = CMSG_SPACE(bytes);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(bytes); /* all of them descriptor 0 */
        ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 1);
        ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 1);
        ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), NULL, NULL), 1);
        ck_assert_int_eq(open_fds(), before);
        ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), &got, NULL), 1);
        ck_assert_int_eq(open_fds(), before + 1);
        um_fd_close(&got);
    }
}
END_TEST

START_TEST(a_datagram_too_long_is_an_error_and_its_descriptor_is_closed)
{
    int pair[2], got = 77, before;
    char text[4];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    before = open_fds();
    ck_assert(um_fd_send(pair[0], "longer", 7, 0));
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), &got, NULL), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_int_eq(got, -1);
    ck_assert_int_eq(open_fds(), before);
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    close(pair[0]);
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), NULL, NULL), 0);
    ck_assert(!um_fd_send(pair[1], "x", 1, -1)); /* and no SIGPIPE */
}
END_TEST

START_TEST(the_senders_pid_is_told)
{
    int pair[2], on = 1;
    char text[4];
    pid_t pid;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    ck_assert(um_fd_send(pair[0], "x", 1, -1));
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), NULL, &pid), 1);
    ck_assert_int_eq(pid, 0);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    ck_assert(um_fd_send(pair[0], "x", 1, -1));
    ck_assert_int_eq(um_fd_receive(pair[1], text, sizeof(text), NULL, &pid), 1);
    ck_assert_int_eq(pid, getpid());
}
END_TEST

START_TEST(sockets_are_made_on_paths_that_fit)
{
    struct um_error err;
    char longest[UM_SOCKET_PATH_MAX + 2];
    um_autofd a = -1, b = -1, c = -1;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(um_unix_listen(in_dir("s"), SOCK_STREAM, 0600, &a, &err), UM_OK);
    ck_assert_int_eq(fcntl(a, F_GETFD), FD_CLOEXEC);
    ck_assert(fcntl(a, F_GETFL) & O_NONBLOCK);
    ck_assert_int_eq(um_unix_connect(in_dir("s"), SOCK_STREAM, &b, &err), UM_OK);
    um_fd_close(&a);
    ck_assert_int_eq(um_unix_listen(in_dir("s"), SOCK_STREAM, 0600, &a, &err), UM_OK);
    ck_assert_int_ne(um_unix_connect(in_dir("none"), SOCK_STREAM, &c, &err), UM_OK);
    ck_assert_int_eq(c, -1);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(um_unix_listen(longest, SOCK_STREAM, 0600, &c, &err), UM_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "107"));
    /* What is there and is no socket is not removed. */
    ck_assert_int_eq(um_file_replace(in_dir("f"), "x", 1, 0600, &err), UM_OK);
    ck_assert_int_ne(um_unix_listen(in_dir("f"), SOCK_STREAM, 0600, &c, &err), UM_OK);
    ck_assert_int_eq(access(in_dir("f"), F_OK), 0);
    ck_assert(um_remove_tree(dir));
}
END_TEST

START_TEST(files_are_replaced_and_read_whole)
{
    struct um_error err;
    char big[10000], *data;
    size_t len;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    memset(big, 'b', sizeof(big));
    ck_assert_int_eq(um_file_replace(in_dir("f"), "old", 3, 0640, &err), UM_OK);
    ck_assert_int_eq(um_file_replace(in_dir("f"), big, sizeof(big), 0640, &err), UM_OK);
    ck_assert_int_eq(um_file_read(in_dir("f"), sizeof(big), &data, &len, &err), UM_OK);
    ck_assert_uint_eq(len, sizeof(big));
    ck_assert_mem_eq(data, big, len);
    ck_assert_int_eq(data[len], 0);
    free(data);
    ck_assert_int_eq(um_file_read(in_dir("f"), sizeof(big) - 1, &data, &len, &err), UM_E_INVALID);
    ck_assert_int_eq(um_file_read(in_dir("g"), 10, &data, &len, &err), UM_E_NOT_FOUND);
    ck_assert_int_eq(um_fd_read_all(-1, "input", 10, &data, &len, &err), UM_E_INTERNAL);
    ck_assert_str_eq(err.object, "input");
    ck_assert_int_eq(um_file_replace(in_dir("no/f"), "x", 1, 0600, &err), UM_E_NOT_FOUND);
    ck_assert(um_remove_tree(dir));
}
END_TEST

START_TEST(trees_are_removed_but_not_what_links_point_to)
{
    struct um_error err;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(um_mkdir_parents(in_dir("keep"), 0700, &err), UM_OK);
    ck_assert_int_eq(um_file_replace(in_dir("keep/file"), "x", 1, 0600, &err), UM_OK);
    ck_assert_int_eq(um_mkdir_parents(in_dir("t/a/b/c"), 0700, &err), UM_OK);
    ck_assert_int_eq(um_mkdir_parents(in_dir("t/a/b/c"), 0700, &err), UM_OK);
    ck_assert_int_eq(symlink(in_dir("keep"), in_dir("t/a/link")), 0);
    ck_assert(um_remove_tree(in_dir("t")));
    ck_assert_int_eq(access(in_dir("t"), F_OK), -1);
    ck_assert_int_eq(access(in_dir("keep/file"), F_OK), 0);
    ck_assert(um_remove_tree(in_dir("t")));
    ck_assert_int_ne(um_mkdir_parents(in_dir("keep/file/x"), 0700, &err), UM_OK);
    ck_assert(um_remove_tree(dir));
}
END_TEST

static const struct suite_test tests[] = {
    {&a_descriptor_travels_and_is_cloexec, 0},
    {&several_descriptors_keep_their_order, 0},
    {&unwanted_and_surplus_descriptors_are_closed, 0},
    {&a_datagram_too_long_is_an_error_and_its_descriptor_is_closed, 0},
    {&the_senders_pid_is_told, 0},
    {&sockets_are_made_on_paths_that_fit, 0},
    {&files_are_replaced_and_read_whole, 0},
    {&trees_are_removed_but_not_what_links_point_to, 0},
};
SUITE_MAIN("fd", tests)
