/*
 * In place of a UML kernel: does what its arguments say, in order, then exits 0.
 *
 *   say:TEXT         to descriptor 1 (\n in TEXT is a newline)      lines:N    N numbered lines
 *   notify:TYPE:TEXT one mconsole notification                      flood:N    N user ones
 *   alien:TYPE:TEXT  the same from a child process                  garbage:N  N undecodable ones
 *   chain:N          N processes below, waiting for ever, deaf to all signals that allow it
 *   line             await a line on descriptor 0, print it         echo       copy 0 to 1
 *   count:N          read N bytes from 0, print how many came       wait       for ever
 *   signal:N         await signal N                                 raise:N    get it
 *   fds, facts       print open descriptors; personality, limits, affinity, LD_PRELOAD
 *   write:FD:TEXT    write to FD                                    read:FD    a line from FD
 *   winsize, exit:N, sleep:MS
 */
#include "mconsole/wire.h"
#include "vmcore/base/macros.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void put(int fd, const char *text)
{
    for (; *text; text++) {
        char c = *text;

        if (c == '\\' && text[1] == 'n') {
            c = '\n';
            text++;
        }
        if (write(fd, &c, 1) != 1)
            exit(90);
    }
}

static void send_datagram(const void *data, size_t len)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    static int sock = -1;

    if (sock < 0)
        sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", getenv("NOTIFY"));
    if (sendto(sock, data, len, 0, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        exit(91);
}

static void send_notify(uint32_t type, const char *text)
{
    struct {
        uint32_t magic, version, type, len;
        char data[MCONSOLE_DATA_MAX];
    } n = {.magic = MCONSOLE_MAGIC, .version = MCONSOLE_VERSION, .type = type};

    for (; *text && n.len < sizeof(n.data); text++) {
        n.data[n.len++] = *text == '\\' && text[1] == 'n' ? '\n' : *text;
        text += *text == '\\' && text[1] == 'n';
    }
    send_datagram(&n, 16 + n.len);
}

static void do_say(const char *arg)
{
    put(1, arg);
}

static void do_lines(const char *arg)
{
    char text[80];

    for (int i = 0, n = atoi(arg); i < n; i++) {
        snprintf(text, sizeof(text), "line %08d ......................................\n", i);
        for (size_t at = 0; at < strlen(text);) {
            ssize_t done = write(1, text + at, strlen(text) - at);

            if (done <= 0)
                exit(92);
            at += (size_t)done;
        }
    }
}

static void do_notify(const char *arg)
{
    send_notify((uint32_t)atoi(arg), strchr(arg, ':') + 1);
}

static void do_flood(const char *arg)
{
    for (int i = 0, n = atoi(arg); i < n; i++)
        send_notify(MCONSOLE_NOTIFY_USER, "flood");
}

static void do_alien(const char *arg)
{
    pid_t pid = fork();

    if (pid == 0) {
        do_notify(arg);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void do_garbage(const char *arg)
{
    for (int i = 0, n = atoi(arg); i < n; i++)
        send_datagram("garbage", 7);
}

static void do_chain(const char *arg)
{
    int depth = atoi(arg), ready[2];
    char c;

    if (pipe(ready) < 0)
        exit(93);
    if (fork() == 0) {
        for (int s = 1; s < NSIG; s++)
            signal(s, SIG_IGN);
        setsid();
        while (--depth > 0 && fork() == 0)
            ;
        if (depth == 0 && write(ready[1], "x", 1) != 1)
            _exit(94);
        for (;;)
            pause();
    }
    if (read(ready[0], &c, 1) != 1)
        exit(95);
    close(ready[0]);
    close(ready[1]);
}

static void read_line(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && read(fd, line + n, 1) == 1 && line[n] != '\n' && line[n] != '\r')
        n++;
    line[n] = '\0';
}

static void do_line(const char *arg)
{
    char line[256];

    read_line(0, line, sizeof(line));
    printf("got <%s>\n", line);
    fflush(stdout);
}

static void do_read(const char *arg)
{
    char line[256];

    read_line(atoi(arg), line, sizeof(line));
    printf("%s got <%s>\n", arg, line);
    fflush(stdout);
}

static void do_write(const char *arg)
{
    put(atoi(arg), strchr(arg, ':') + 1);
}

static void do_echo(const char *arg)
{
    char data[512];
    ssize_t n;

    while ((n = read(0, data, sizeof(data))) > 0)
        if (write(1, data, (size_t)n) != n)
            exit(96);
}

static void do_count(const char *arg)
{
    long wanted = atol(arg), got = 0;
    char data[1024];
    ssize_t n;

    while (got < wanted && (n = read(0, data, sizeof(data))) > 0)
        got += n;
    printf("counted %ld\n", got);
    fflush(stdout);
}

static void do_wait(const char *arg)
{
    for (;;)
        pause();
}

static void do_signal(const char *arg)
{
    sigset_t set;
    int got;

    sigemptyset(&set);
    sigaddset(&set, atoi(arg));
    sigprocmask(SIG_BLOCK, &set, NULL);
    puts("awaiting");
    fflush(stdout);
    sigwait(&set, &got);
    printf("signal %d\n", got);
    fflush(stdout);
}

static void do_raise(const char *arg)
{
    raise(atoi(arg));
}

static void do_fds(const char *arg)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;

    printf("fds:");
    for (int fd = 0; fd < 1024; fd++) {
        rewinddir(d);
        while ((e = readdir(d)))
            if (atoi(e->d_name) == fd && e->d_name[0] != '.' && fd != dirfd(d))
                printf(" %d", fd);
    }
    printf(".\n");
    fflush(stdout);
    closedir(d);
}

static void do_facts(const char *arg)
{
    struct rlimit core;
    struct sigaction action;
    sigset_t mask;
    cpu_set_t cpus;
    int handled = 0;

    getrlimit(RLIMIT_CORE, &core);
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    for (int s = 1; s < 32; s++)
        handled += (s != SIGKILL && s != SIGSTOP && sigaction(s, NULL, &action) == 0 &&
                    action.sa_handler != SIG_DFL) ||
                   sigismember(&mask, s) == 1;
    printf("facts: personality %x core %lu cpus %d signals %d preload %s\n",
           (unsigned)personality(0xffffffff), (unsigned long)core.rlim_max, CPU_COUNT(&cpus),
           handled, getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none");
    fflush(stdout);
}

static void do_winsize(const char *arg)
{
    struct winsize w = {0};

    ioctl(0, TIOCGWINSZ, &w);
    printf("winsize %d %d\n", w.ws_row, w.ws_col);
    fflush(stdout);
}

static void do_exit(const char *arg)
{
    exit(atoi(arg));
}

static void do_sleep(const char *arg)
{
    struct timespec t = {.tv_sec = atoi(arg) / 1000, .tv_nsec = atoi(arg) % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static const struct {
    const char *name;
    void (*fn)(const char *arg);
} verbs[] = {
    {"say", do_say},     {"lines", do_lines},     {"notify", do_notify},   {"flood", do_flood},
    {"alien", do_alien}, {"chain", do_chain},     {"garbage", do_garbage}, {"line", do_line},
    {"read", do_read},   {"write", do_write},     {"echo", do_echo},       {"count", do_count},
    {"wait", do_wait},   {"signal", do_signal},   {"raise", do_raise},     {"fds", do_fds},
    {"facts", do_facts}, {"winsize", do_winsize}, {"exit", do_exit},       {"sleep", do_sleep},
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t len = strcspn(argv[i], ":"), v = 0;

        while (v < UM_ARRAY_LEN(verbs) &&
               (strlen(verbs[v].name) != len || strncmp(verbs[v].name, argv[i], len) != 0))
            v++;
        if (v == UM_ARRAY_LEN(verbs)) {
            fprintf(stderr, "fake_kernel: no verb %s\n", argv[i]);
            return 99;
        }
        verbs[v].fn(argv[i][len] ? argv[i] + len + 1 : "");
    }
    return 0;
}
