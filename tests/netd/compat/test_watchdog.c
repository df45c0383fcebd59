/*
 * uml_watchdog against its contract: what the kernel and umlmon see of it.
 */
#include "netd/compat/watchdog.h"
#include "tests/check_run.h"

#include "mconsole/wire.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOREVER_MS = 600000, WAIT_MS = 30000, STEP_MS = 100 };

struct dog {
    pid_t pid;
    int in, out; /* our ends */
};

static char notify_path[64];
static int notify_fd = -1;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void open_notify(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(notify_path, sizeof(notify_path), "/tmp/umdog-%d", (int)getpid());
    memcpy(a.sun_path, notify_path, strlen(notify_path));
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(notify_path);
    ck_assert_int_eq(bind(notify_fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void close_notify(void)
{
    close(notify_fd);
    unlink(notify_path);
}

static void child_descriptors(int in, int out)
{
    dup2(in, 0);
    dup2(out, 1);
}

/* As the kernel does it: pipes at 0 and 1, everything else inherited. program NULL: the library. */
static struct dog start(const char *program, const char *option, const char *value, int limit_ms)
{
    char *argv[] = {(char *)(uintptr_t) "uml_watchdog", (char *)(uintptr_t)option,
                    (char *)(uintptr_t)value, NULL};
    int in[2], out[2];
    struct dog d;

    ck_assert_int_eq(pipe(in) | pipe(out), 0);
    d.pid = fork();
    ck_assert_int_ge(d.pid, 0);
    if (d.pid == 0) {
        child_descriptors(in[0], out[1]);
        if (program)
            execv(program, argv);
        else
            _exit(watchdog_run(value ? 3 : option ? 2 : 1, argv, limit_ms, STEP_MS));
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    d.in = in[1];
    d.out = out[0];
    return d;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, WAIT_MS) > 0;
}

static void expect_ready(const struct dog *d)
{
    char c;

    ck_assert(readable(d->out));
    ck_assert_int_eq(read(d->out, &c, 1), 1);
}

static int end(struct dog *d)
{
    int status;

    ck_assert_int_eq(waitpid(d->pid, &status, 0), d->pid);
    close(d->in);
    close(d->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

START_TEST(it_says_ready_and_ends_when_the_device_is_closed)
{
    struct dog d = start(NULL, "-mconsole", notify_path, FOREVER_MS);

    expect_ready(&d);
    close(d.in);
    d.in = -1;
    ck_assert_int_eq(end(&d), 0);
}
END_TEST

START_TEST(silence_is_reported_as_one_hang_of_16_bytes)
{
    struct dog d = start(NULL, "-mconsole", notify_path, 50);
    struct mconsole_notify n;
    char data[600];
    ssize_t size;

    expect_ready(&d);
    ck_assert(readable(notify_fd));
    size = recv(notify_fd, data, sizeof(data), 0);
    ck_assert_int_eq(size, 16);
    ck_assert(mconsole_decode_notify(data, (size_t)size, &n));
    ck_assert_uint_eq(n.type, MCONSOLE_NOTIFY_HANG);
    ck_assert_uint_eq(n.len, 0);
    ck_assert_int_eq(end(&d), 1);
    ck_assert_int_eq(recv(notify_fd, data, sizeof(data), MSG_DONTWAIT), -1);
}
END_TEST

/* False: this machine was too slow for the limit to mean anything. */
static bool byte_postpones(int limit_ms)
{
    struct dog d = start(NULL, "-mconsole", notify_path, limit_ms);
    int64_t begun = now_ms(), written;
    char data[600];
    bool in_time;

    expect_ready(&d);
    usleep((useconds_t)limit_ms * 600);
    written = now_ms();
    ck_assert_int_eq(write(d.in, "\n", 1), 1);
    in_time = now_ms() < begun + limit_ms;
    ck_assert(readable(notify_fd));
    ck_assert_int_eq(recv(notify_fd, data, sizeof(data), 0), 16);
    if (in_time)
        ck_assert_int_ge(now_ms(), written + limit_ms - 1);
    ck_assert_int_eq(end(&d), 1);
    return in_time;
}

START_TEST(a_byte_gives_the_whole_time_again)
{
    int limit_ms = 500;

    while (!byte_postpones(limit_ms)) {
        limit_ms *= 2;
        ck_assert_int_lt(limit_ms, 20000);
    }
}
END_TEST

START_TEST(nothing_that_main_had_open_stays_open_in_it)
{
    int leak[2];
    struct dog d;
    char c;

    ck_assert_int_eq(pipe(leak), 0);
    d = start(NULL, "-mconsole", notify_path, FOREVER_MS);
    close(leak[1]);
    expect_ready(&d);
    ck_assert(readable(leak[0]));
    ck_assert_int_eq(read(leak[0], &c, 1), 0);
    close(leak[0]);
    close(d.in);
    d.in = -1;
    ck_assert_int_eq(end(&d), 0);
}
END_TEST

static int told = -1;

static void tell(int signo)
{
    char c = (char)signo;

    if (write(told, &c, 1) != 1)
        _exit(98);
}

START_TEST(a_process_is_interrupted_twice_and_killed)
{
    int pipes[2], status;
    char pid[16], c;
    struct dog d;
    pid_t victim;

    ck_assert_int_eq(pipe(pipes), 0);
    victim = fork();
    if (victim == 0) {
        told = pipes[1];
        signal(SIGINT, tell);
        tell(0);
        for (;;)
            pause();
    }
    close(pipes[1]);
    ck_assert_int_eq(read(pipes[0], &c, 1), 1); /* it is prepared */
    snprintf(pid, sizeof(pid), "%d", (int)victim);
    d = start(NULL, "-pid", pid, 50);
    expect_ready(&d);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(read(pipes[0], &c, 1), 1);
        ck_assert_int_eq(c, SIGINT);
    }
    ck_assert_int_eq(read(pipes[0], &c, 1), 0);
    ck_assert_int_eq(waitpid(victim, &status, 0), victim);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    ck_assert_int_eq(end(&d), 1);
    close(pipes[0]);
}
END_TEST

START_TEST(wrong_arguments_are_refused_before_it_is_ready)
{
    static const char *const rows[][2] = {
        {NULL, NULL},   {"-pid", NULL}, {"-mconsole", NULL}, {"-pid", "0"},
        {"-pid", "-1"}, {"-pid", "x"},  {"-dog", "x"},       {"-pid", "2147483647"},
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        struct dog d = start(NULL, rows[i][0], rows[i][1], FOREVER_MS);
        char c;

        ck_assert_int_eq(read(d.out, &c, 1), 0);
        ck_assert_msg(end(&d) == 1, "row %zu", i);
    }
}
END_TEST

START_TEST(the_installed_program_keeps_the_contract)
{
    const char *program = getenv("UML_WATCHDOG");
    struct dog d;

    ck_assert_ptr_nonnull(program);
    d = start(program, "-mconsole", notify_path, 0);
    expect_ready(&d);
    ck_assert_int_eq(write(d.in, "\n", 1), 1);
    close(d.in);
    d.in = -1;
    ck_assert_int_eq(end(&d), 0);
    d = start(program, NULL, NULL, 0);
    ck_assert_int_eq(end(&d), 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_says_ready_and_ends_when_the_device_is_closed,
        silence_is_reported_as_one_hang_of_16_bytes,
        a_byte_gives_the_whole_time_again,
        nothing_that_main_had_open_stays_open_in_it,
        a_process_is_interrupted_twice_and_killed,
        wrong_arguments_are_refused_before_it_is_ready,
        the_installed_program_keeps_the_contract,
    };
    Suite *suite = suite_create("watchdog");
    TCase *tc = tcase_create("watchdog");

    tcase_add_checked_fixture(tc, open_notify, close_notify);
    tcase_set_timeout(tc, 100);
    for (size_t i = 0; i < UM_ARRAY_LEN(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    return check_run(suite);
}
