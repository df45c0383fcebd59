#include "netd/compat/switch/daemon.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_LIMIT_MS = 60000 };

/* The child says one byte, or ends and has said why on standard error. */
static void await_child(int told)
{
    struct pollfd p = {.fd = told, .events = POLLIN};
    char byte;
    int n;

    do
        n = poll(&p, 1, START_LIMIT_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        fprintf(stderr, "uml_switch: the daemon is not ready after %d s\n", START_LIMIT_MS / 1000);
    _exit(n > 0 && read(told, &byte, 1) == 1 ? 0 : 1);
}

bool switch_daemon_start(int *ret_told)
{
    int told[2];
    pid_t child;

    if (pipe2(told, O_CLOEXEC) != 0)
        return false;
    fflush(NULL);
    child = fork();
    if (child > 0) {
        close(told[1]);
        await_child(told[0]);
    }
    close(told[0]);
    if (child < 0) {
        um_fd_close(&told[1]);
        return false;
    }
    setsid();
    signal(SIGHUP, SIG_IGN);
    *ret_told = told[1];
    return true;
}

void switch_daemon_ready(int told)
{
    um_autofd null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct stat st;

    for (int fd = 0; fd <= 2 && null >= 0; fd++) {
        if (fd == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
            dup2(null, fd);
    }
    if (chdir("/") != 0 || write(told, "", 1) != 1)
        perror("uml_switch: daemon");
    close(told);
}
