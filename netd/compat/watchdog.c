/*
 * What the program of 2007 did wrong and this one does not: its HANG had 24 bytes with a header of
 * eight-byte words; it kept main's descriptors, disks and consoles among them; it signalled a
 * number that could be somebody else's by then; its alarm counted the time the host was suspended.
 */
#include "netd/compat/watchdog.h"

#include "mconsole/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    SEND_SECONDS = 5,
    LATE_MS = 5000 /* woken that late, we were frozen, and so perhaps was the guest: wait anew */
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t); /* stands still while the host is suspended */
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* False: main closed its end. */
static bool take_bytes(void)
{
    char bytes[256];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

    return n > 0 || (n < 0 && errno == EINTR);
}

/* True: nothing came for limit_ms. False: there is nobody any more to wait for. */
static bool wait_for_silence(int limit_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t end = now_ms() + limit_ms;

    for (;;) {
        int64_t left = end - now_ms();
        int n = poll(&in, 1, left > 0 ? (int)left : 0);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0 && !take_bytes())
            return false;
        if (n > 0)
            end = now_ms() + limit_ms;
        else if (n == 0 && left < -LATE_MS)
            end = now_ms() + limit_ms;
        else if (n == 0 && left <= 0)
            return true;
    }
}

static void send_hang(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = SEND_SECONDS};
    char packet[MCONSOLE_NOTIFY_SIZE_MAX];
    size_t size = mconsole_encode_notify(MCONSOLE_NOTIFY_HANG, "", 0, packet);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(to.sun_path, path, strlen(path));
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        sendto(fd, packet, size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
        fprintf(stderr, "uml_watchdog: %s: cannot report the hang: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* True: it has ended within the time. */
static bool gone_within(int pidfd, int ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, ms) > 0;
}

static void end_process(int pidfd, int step_ms)
{
    static const int signals[] = {SIGINT, SIGINT, SIGKILL};

    for (size_t i = 0; i < UM_ARRAY_LEN(signals); i++) {
        if (syscall(SYS_pidfd_send_signal, pidfd, signals[i], NULL, 0) < 0 ||
            gone_within(pidfd, signals[i] == SIGKILL ? 0 : step_ms))
            return;
    }
}

/* The process as it is now: opened before it may be anybody else. -1: there is none. */
static int open_process(const char *text)
{
    int64_t pid;

    return um_parse_int(text, 1, INT32_MAX, &pid) ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0)
                                                  : -1;
}

static int usage(void)
{
    fprintf(stderr, "usage: uml_watchdog -pid PID | -mconsole NOTIFY-SOCKET\n");
    return 1;
}

int watchdog_run(int argc, char **argv, int limit_ms, int step_ms)
{
    bool by_socket = argc == 3 && strcmp(argv[1], "-mconsole") == 0 &&
                     strlen(argv[2]) < sizeof((struct sockaddr_un){0}.sun_path);
    bool by_pid = argc == 3 && strcmp(argv[1], "-pid") == 0;
    int pidfd = -1;

    if (!by_socket && !by_pid)
        return usage();
    syscall(SYS_close_range, 3U, ~0U, 0U);
    if (by_pid && (pidfd = open_process(argv[2])) < 0) {
        fprintf(stderr, "uml_watchdog: there is no process %s\n", argv[2]);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    if (write(STDOUT_FILENO, "\n", 1) != 1 || !wait_for_silence(limit_ms))
        return 0;
    if (by_socket)
        send_hang(argv[2]);
    else
        end_process(pidfd, step_ms);
    return 1;
}
