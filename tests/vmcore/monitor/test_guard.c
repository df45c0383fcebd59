/* The guard's decisions, with a fake ptrace in place of the host's. */
#include "tests/vmcore/monitor/suite.h"
#include "vmcore/preload/guard.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { HOST = 11008, UML = 2696 }; /* an AMX host, and the buffer of kernels before 6.13 */

static struct fake {
    size_t size; /* of this host's xstate */
    unsigned char state[HOST];
    int gets, sets, calls;
    long request;
    uintptr_t data;
    bool fail;
} fake;

static long fake_ptrace(long request, long pid, void *addr, void *data)
{
    struct iovec *iov = data;

    fake.calls++;
    fake.request = request;
    fake.data = (uintptr_t)data;
    if (fake.fail) {
        errno = ESRCH;
        return -1;
    }
    switch (request) {
    case PTRACE_GETREGSET:
        fake.gets++;
        if (iov->iov_len > fake.size)
            iov->iov_len = fake.size;
        memcpy(iov->iov_base, fake.state, iov->iov_len);
        return 0;
    case PTRACE_SETREGSET:
        fake.sets++;
        if (iov->iov_len < fake.size) {
            errno = EFAULT;
            return -1;
        }
        memcpy(fake.state, iov->iov_base, fake.size);
        return 0;
    case PTRACE_PEEKDATA:
        *(long *)data = -1;
        return 0;
    default:
        return 0;
    }
}

static char buffer[64 * 1024];
static struct guard guard;

static void begin(size_t host_size)
{
    fake = (struct fake){.size = host_size};
    memset(fake.state, 'h', sizeof(fake.state));
    guard = (struct guard){.next = fake_ptrace, .buffer = buffer, .buffer_size = sizeof(buffer)};
}

static long set_short(size_t len)
{
    static unsigned char mine[HOST];
    struct iovec iov = {.iov_base = mine, .iov_len = len};

    memset(mine, 'm', sizeof(mine));
    return guard_ptrace(&guard, PTRACE_SETREGSET, 1, (void *)NT_X86_XSTATE, &iov);
}

START_TEST(a_short_write_is_completed_with_what_the_process_has)
{
    begin(HOST);
    ck_assert_int_eq(set_short(UML), 0);
    ck_assert_int_eq(fake.gets, 1);
    ck_assert_int_eq(fake.state[0], 'm');
    ck_assert_int_eq(fake.state[UML - 1], 'm');
    ck_assert_int_eq(fake.state[UML], 'h');
    ck_assert_int_eq(fake.state[HOST - 1], 'h');
}
END_TEST

START_TEST(each_short_write_reads_the_state_of_its_moment)
{
    begin(HOST);
    ck_assert_int_eq(set_short(UML), 0);
    fake.state[HOST - 1] = 'n';
    ck_assert_int_eq(set_short(UML), 0);
    ck_assert_int_eq(fake.gets, 2);
    ck_assert_int_eq(fake.state[HOST - 1], 'n');
}
END_TEST

START_TEST(on_a_host_without_larger_state_nothing_is_added)
{
    begin(UML);
    ck_assert_int_eq(set_short(UML), 0);
    ck_assert_int_eq(set_short(UML), 0);
    ck_assert_int_eq(fake.gets, 1); /* only to learn the size */
    ck_assert_int_eq(fake.sets, 2);
}
END_TEST

START_TEST(a_vanished_process_is_an_error_and_not_a_size)
{
    begin(HOST);
    fake.fail = true;
    ck_assert_int_eq(set_short(UML), -1);
    ck_assert_int_eq(errno, ESRCH);
    ck_assert_uint_eq(guard.host_size, 0);
    fake.fail = false;
    ck_assert_int_eq(set_short(UML), 0);
}
END_TEST

START_TEST(other_register_sets_pass_unchanged)
{
    struct iovec iov = {.iov_base = buffer, .iov_len = HOST};

    begin(HOST);
    ck_assert_int_eq(guard_ptrace(&guard, PTRACE_SETREGSET, 1, (void *)NT_PRSTATUS, &iov), 0);
    ck_assert_int_eq(fake.calls, 1);
    ck_assert_uint_eq(fake.data, (uintptr_t)&iov);
}
END_TEST

START_TEST(tracees_die_with_their_tracer_under_both_names_of_setoptions)
{
    begin(UML);
    guard_ptrace(&guard, PTRACE_SETOPTIONS, 1, NULL, (void *)PTRACE_O_TRACESYSGOOD);
    ck_assert_uint_eq(fake.data, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    guard_ptrace(&guard, 21, 1, NULL, (void *)PTRACE_O_TRACESYSGOOD);
    ck_assert_int_eq(fake.request, 21);
    ck_assert_uint_eq(fake.data, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
}
END_TEST

START_TEST(peeking_returns_the_word_as_libc_does)
{
    begin(UML);
    errno = 5;
    ck_assert_int_eq(guard_ptrace(&guard, PTRACE_PEEKDATA, 1, buffer, NULL), -1);
    ck_assert_int_eq(errno, 0); /* the word is -1, and that is no failure */
    fake.fail = true;
    ck_assert_int_eq(guard_ptrace(&guard, PTRACE_PEEKDATA, 1, buffer, NULL), -1);
    ck_assert_int_eq(errno, ESRCH);
}
END_TEST

START_TEST(everything_else_passes_unchanged)
{
    begin(UML);
    guard_ptrace(&guard, PTRACE_SYSCALL, 1, NULL, (void *)9);
    ck_assert_int_eq(fake.request, PTRACE_SYSCALL);
    ck_assert_uint_eq(fake.data, 9);
}
END_TEST

SUITE_MAIN("guard", a_short_write_is_completed_with_what_the_process_has,
           each_short_write_reads_the_state_of_its_moment,
           on_a_host_without_larger_state_nothing_is_added,
           a_vanished_process_is_an_error_and_not_a_size, other_register_sets_pass_unchanged,
           tracees_die_with_their_tracer_under_both_names_of_setoptions,
           peeking_returns_the_word_as_libc_does, everything_else_passes_unchanged)
