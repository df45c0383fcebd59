#include "tests/vmcore/base/suite.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((char *const *)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})

static int run(struct um_spawn *spec, const char *script)
{
    struct um_error err;
    int status, pidfd = -1;
    struct pollfd p = {.events = POLLIN};
    pid_t pid = -1;

    spec->argv = ARGV("/bin/sh", "-c", script);
    ck_assert_int_eq(um_spawn(spec, &pid, &pidfd, &err), UM_OK);
    p.fd = pidfd;
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    close(pidfd);
    return status;
}

START_TEST(a_missing_program_is_an_error_here)
{
    struct um_spawn spec = {.argv = ARGV("/nonexistent/program")};
    struct um_error err;
    int pidfd = 77;
    pid_t pid = 77;

    ck_assert_int_eq(um_spawn(&spec, &pid, &pidfd, &err), UM_E_NOT_FOUND);
    ck_assert_str_eq(err.object, spec.argv[0]);
    ck_assert_int_eq(pid, 77);
    ck_assert_int_eq(pidfd, 77);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left behind */
    spec.argv = ARGV("/etc/passwd");
    ck_assert_int_eq(um_spawn(&spec, &pid, &pidfd, &err), UM_E_DENIED);
}
END_TEST

START_TEST(exactly_the_descriptors_named_arrive)
{
    int a = open("/etc/passwd", O_RDONLY), b = open("/dev/zero", O_RDWR);
    struct um_fd_map map[] = {{a, 5}, {b, 9}};
    struct um_spawn spec = {.fds = map, .fd_count = 2};

    ck_assert_int_eq(dup2(b, 7), 7);
    ck_assert_int_eq(dup2(b, 150), 150);
    ck_assert_int_eq(run(&spec, "test \"$(readlink /proc/$$/fd/5)\" = /etc/passwd && "
                                "test \"$(readlink /proc/$$/fd/9)\" = /dev/zero && "
                                "test \"$(readlink /proc/$$/fd/0)\" = /dev/null && "
                                "test \"$(readlink /proc/$$/fd/2)\" = /dev/null && "
                                "test ! -e /proc/$$/fd/7 && test ! -e /proc/$$/fd/150"),
                     0);
}
END_TEST

/* Sources and targets that swap places, and one source given twice. */
START_TEST(overlapping_maps_are_right)
{
    struct um_fd_map map[] = {{5, 6}, {6, 5}, {5, 0}, {6, 1}, {6, 2}};
    struct um_spawn spec = {.fds = map, .fd_count = UM_ARRAY_LEN(map)};
    int a = open("/etc/passwd", O_RDONLY), b = open("/dev/zero", O_RDWR);

    a = fcntl(a, F_DUPFD, 20);
    b = fcntl(b, F_DUPFD, 20);
    ck_assert(dup2(a, 5) == 5 && dup2(b, 6) == 6);
    ck_assert_int_eq(run(&spec, "test \"$(readlink /proc/$$/fd/5)\" = /dev/zero && "
                                "test \"$(readlink /proc/$$/fd/6)\" = /etc/passwd && "
                                "test \"$(readlink /proc/$$/fd/0)\" = /etc/passwd && "
                                "test \"$(readlink /proc/$$/fd/2)\" = /dev/zero"),
                     0);
}
END_TEST

START_TEST(impossible_maps_are_refused_before_the_fork)
{
    struct um_fd_map map = {0, UM_SPAWN_FD_MAX + 1};
    struct um_spawn spec = {.argv = ARGV("/bin/true"), .fds = &map, .fd_count = 1};
    struct um_error err;
    pid_t pid;

    ck_assert_int_eq(um_spawn(&spec, &pid, NULL, &err), UM_E_INTERNAL);
    map = (struct um_fd_map){-1, 3};
    ck_assert_int_eq(um_spawn(&spec, &pid, NULL, &err), UM_E_INTERNAL);
    spec.fd_count = 1000;
    ck_assert_int_eq(um_spawn(&spec, &pid, NULL, &err), UM_E_INTERNAL);
}
END_TEST

/* Descriptors cannot be arranged above 200 then: it must not look like success. */
START_TEST(a_low_descriptor_limit_is_reported)
{
    struct rlimit limit = {64, 64};
    struct um_spawn spec = {.argv = ARGV("/bin/true")};
    struct um_error err;
    pid_t pid;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_ne(um_spawn(&spec, &pid, NULL, &err), UM_OK);
}
END_TEST

static volatile sig_atomic_t hits;

static void hit(um_unused int signo)
{
    hits++;
}

START_TEST(the_child_starts_with_default_signals_unblocked)
{
    struct um_spawn spec = {.new_session = true};
    sigset_t set, now;

    signal(SIGTERM, hit);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ck_assert_int_eq(run(&spec, "kill -TERM $$; exit 3"), SIGTERM);
    ck_assert_int_eq(run(&spec, "kill -PIPE $$; exit 3"), SIGPIPE);
    ck_assert_int_eq(run(&spec, "test $(ps -o sid= -p $$) -eq $$"), 0);
    sigprocmask(SIG_SETMASK, NULL, &now);
    ck_assert(sigismember(&now, SIGTERM) && !sigismember(&now, SIGINT));
    ck_assert_int_eq(hits, 0);
}
END_TEST

START_TEST(pidfds_signal_the_process)
{
    struct um_spawn spec = {.argv = ARGV("/bin/sleep", "100"), .death_signal = SIGKILL};
    struct um_error err;
    int pidfd, status;
    pid_t pid;

    ck_assert_int_eq(um_spawn(&spec, &pid, &pidfd, &err), UM_OK);
    ck_assert(um_pidfd_signal(pidfd, SIGKILL));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    ck_assert(!um_pidfd_signal(pidfd, SIGKILL));
    close(pidfd);
}
END_TEST

static int leave_a_mark(void *arg, um_unused const char **ret_what)
{
    return setenv("MARK", arg, 1) < 0 ? errno : 0;
}

static int give_up(um_unused void *arg, const char **ret_what)
{
    *ret_what = "cannot be what it should";
    return EPERM;
}

START_TEST(a_setup_runs_in_the_child_and_may_refuse)
{
    struct um_spawn spec = {.setup = leave_a_mark, .setup_arg = (char[]){"there"}};
    struct um_error err;
    pid_t pid = 77;

    ck_assert_int_eq(run(&spec, "test \"$MARK\" = there"), 0);
    ck_assert_ptr_null(getenv("MARK"));
    spec.setup = give_up;
    spec.argv = ARGV("/bin/true");
    ck_assert_int_eq(um_spawn(&spec, &pid, NULL, &err), UM_E_DENIED);
    ck_assert_str_eq(err.message, "cannot be what it should: Operation not permitted");
    ck_assert_int_eq(pid, 77);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static const struct suite_test tests[] = {
    {&a_missing_program_is_an_error_here, 0}, {&exactly_the_descriptors_named_arrive, 0},
    {&overlapping_maps_are_right, 0},         {&impossible_maps_are_refused_before_the_fork, 0},
    {&a_low_descriptor_limit_is_reported, 0}, {&the_child_starts_with_default_signals_unblocked, 0},
    {&pidfds_signal_the_process, 0},          {&a_setup_runs_in_the_child_and_may_refuse, 0},
};
SUITE_MAIN("spawn", tests)
