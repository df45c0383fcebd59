#include "tests/vmcore/monitor/suite.h"
#include "vmcore/monitor/tree.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A chain: each process has one child. All wait for ever; the last one says so. */
static pid_t start_chain(int depth)
{
    int ready[2];
    pid_t top;
    char c;

    ck_assert_int_eq(pipe(ready), 0);
    top = fork();
    if (top == 0) {
        close(ready[0]);
        while (--depth > 0 && fork() == 0)
            ;
        if (depth == 0 && write(ready[1], "x", 1) != 1)
            _exit(1);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return top;
}

START_TEST(descendants_are_found_killed_and_counted_down_to_none)
{
    struct mon_tree t;
    pid_t top;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    top = start_chain(4);
    ck_assert(mon_tree_list(getpid(), &t));
    ck_assert_uint_eq(t.count, 4);
    mon_tree_done(&t);
    ck_assert(mon_tree_list(top, &t));
    ck_assert_uint_eq(t.count, 3);
    mon_tree_done(&t);
    ck_assert_int_eq(mon_tree_kill(getpid(), top), 3);
    for (int i = 0; i < 3; i++) /* orphans come to us, the subreaper; `top` reaps none of its own */
        if (mon_tree_kill(getpid(), top) == 0)
            break;
    ck_assert_int_eq(kill(top, 0), 0);
    ck_assert_int_eq(mon_tree_kill(getpid(), 0), 1);
    while (wait(NULL) > 0)
        ;
    ck_assert_int_eq(mon_tree_kill(getpid(), 0), 0);
}
END_TEST

START_TEST(zombies_do_not_count_as_living)
{
    struct mon_tree t;
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert(mon_tree_list(getpid(), &t));
    ck_assert_uint_eq(t.count, 0);
    mon_tree_done(&t);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(every_process_below_is_pinned_and_released)
{
    cpu_set_t all, set;
    uint32_t count = 0;
    int cpu = 0;
    pid_t top = start_chain(3);

    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET((size_t)cpu, &all))
        cpu++;
    ck_assert_int_eq(mon_tree_pin(getpid(), cpu, &count), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(sched_getaffinity(top, sizeof(set), &set), 0);
    ck_assert_int_eq(CPU_COUNT(&set), 1);
    ck_assert_int_eq(mon_tree_pin(getpid(), -1, &count), 0);
    ck_assert_int_eq(sched_getaffinity(top, sizeof(set), &set), 0);
    ck_assert_int_ge(CPU_COUNT(&set), CPU_COUNT(&all));
    ck_assert_int_ne(mon_tree_pin(getpid(), 1000, &count), 0);
    ck_assert_int_ne(mon_tree_pin(getpid(), 5000, &count), 0);
    while (mon_tree_kill(getpid(), 0) > 0)
        wait(NULL);
}
END_TEST

SUITE_MAIN("tree", descendants_are_found_killed_and_counted_down_to_none,
           zombies_do_not_count_as_living, every_process_below_is_pinned_and_released)
