#include "vmcore/monitor/init_hold.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HOLD_FD = 3, REPORT_FD = 4 };

/* Both numbers may be in use by one of the two: first out of the way, then into place. */
static bool arrange(int fd, int report)
{
    int high_fd = fcntl(fd, F_DUPFD, REPORT_FD + 1),
        high_report = fcntl(report, F_DUPFD, REPORT_FD + 1);

    return high_fd >= 0 && high_report >= 0 && dup2(high_fd, HOLD_FD) == HOLD_FD &&
           dup2(high_report, REPORT_FD) == REPORT_FD &&
           syscall(SYS_close_range, REPORT_FD + 1, ~0u, 0) == 0;
}

_Noreturn static void holder(int fd, int report)
{
    const char ready = 1;

    for (int standard = 0; standard < HOLD_FD; standard++)
        close(standard);
    prctl(PR_SET_NAME, "umlhold");
    /* Or its descriptors could not be opened through /proc by anybody. */
    if (!arrange(fd, report) || prctl(PR_SET_DUMPABLE, 1) < 0 || write(REPORT_FD, &ready, 1) != 1)
        _exit(1);
    close(REPORT_FD);
    for (;;)
        pause(); /* umlinit's signals are blocked here: only SIGKILL ends it */
}

int init_hold_begin(struct init_holders *h, int fd, pid_t *ret_pid)
{
    int slot = 0, report[2];
    char ready = 0;
    ssize_t n;
    pid_t pid;

    while (slot < INIT_HOLD_MAX && h->pid[slot])
        slot++;
    if (slot == INIT_HOLD_MAX)
        return ENFILE;
    if (pipe2(report, O_CLOEXEC) < 0)
        return errno;
    pid = fork();
    if (pid == 0)
        holder(fd, report[1]);
    um_fd_close(&report[1]);
    do
        n = pid > 0 ? read(report[0], &ready, 1) : 0;
    while (n < 0 && errno == EINTR);
    um_fd_close(&report[0]);
    if (pid < 0 || n != 1)
        return EAGAIN; /* one that died is reaped with the others */
    h->pid[slot] = *ret_pid = pid;
    return 0;
}

void init_hold_drop(const struct init_holders *h, pid_t pid)
{
    for (int i = 0; pid > 0 && i < INIT_HOLD_MAX; i++)
        if (h->pid[i] == pid)
            kill(pid, SIGKILL);
}

void init_hold_ended(struct init_holders *h, pid_t pid)
{
    for (int i = 0; i < INIT_HOLD_MAX; i++)
        if (h->pid[i] == pid)
            h->pid[i] = 0;
}
