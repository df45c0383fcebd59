#include "fake_guest.h"

#include "mconsole/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define BOOT_MARK ":/usr/lib/uml" /* UML appends it to PATH at every boot */

struct guest guest = {
    .script = {.panic_ms = -1, .exit_ms = -1, .reboot_ms = -1, .reboot_times = 1},
    .notify_fd = -1,
    .mconsole_fd = -1,
    .mconsole_poll = -1,
};

static struct {
    int64_t panic, exit, reboot, output; /* when, ms; -1: never */
} at = {-1, -1, -1, -1};

/* ---- ends ---- */

void guest_exit(int status)
{
    printk("reboot: System halted\n");
    consoles_drain();
    directory_remove();
    leave(status & 0xff);
}

void guest_panic(const char *why)
{
    struct rlimit none = {0, 0};

    SYS(setrlimit, RLIMIT_CORE, &none);
    notify_send(MCONSOLE_NOTIFY_PANIC, why, strlen(why) + 1);
    printk_line("Kernel panic - not syncing: ", why, NULL);
    consoles_drain();
    die_by_abort(); /* UML leaves its directory behind */
}

/* PATH with one more mark, in a copy of the environment: how boots are counted. */
static char **next_environment(void)
{
    static char *list[256];
    static char path[4096];
    struct text t = {path, 0, sizeof(path)};
    int n = 0;

    put(&t, "PATH=");
    for (char **e = guest.envp; *e && n < 254; e++) {
        if (str_starts(*e, "PATH="))
            put(&t, *e + 5);
        else
            list[n++] = *e;
    }
    put(&t, BOOT_MARK);
    list[n] = path;
    return list;
}

static void exec_search(char **envp)
{
    const char *name = guest.argv[0], *dirs = "";
    char path[PATH_SIZE];

    if (str_find(name, '/')) {
        SYS(execve, name, guest.argv, envp);
        return;
    }
    for (char **e = envp; *e; e++)
        if (str_starts(*e, "PATH="))
            dirs = *e + 5;
    while (*dirs) {
        const char *end = str_find(dirs, ':');
        size_t len = end ? (size_t)(end - dirs) : strlen(dirs);
        struct text t = {path, 0, sizeof(path)};

        put_n(&t, dirs, len);
        put_all(&t, "/", name, NULL);
        SYS(execve, path, guest.argv, envp);
        dirs += len + (end != NULL);
    }
}

/* execvp(argv[0]) in the same process: same pid, and a new SOCKET notification the only sign. */
void guest_reboot(void)
{
    if (guest.noreboot)
        guest_exit(0);
    printk("reboot: Restarting system\n");
    consoles_drain();
    directory_remove();
    exec_search(next_environment());
    printk("Failed to exec kernel: \n");
    leave(0);
}

/* ---- boot ---- */

static long count_boots(char **envp)
{
    long n = 0;

    for (; *envp; envp++)
        for (const char *p = *envp; str_starts(*envp, "PATH=") && *p; p++)
            n += str_starts(p, BOOT_MARK);
    return n;
}

/* UML: SIGTERM and SIGINT end it with status 1 and a clean directory, SIGHUP and SIGPIPE do not. */
static void take_signals(void)
{
    uint64_t ending = 1ull << (SIGTERM - 1) | 1ull << (SIGINT - 1);
    uint64_t blocked = ending | 1ull << (SIGPIPE - 1) | 1ull << (SIGHUP - 1);

    SYS(rt_sigprocmask, SIG_SETMASK, &blocked, NULL, sizeof(blocked));
    guest.signal_fd = (int)SYS(signalfd4, -1, &ending, sizeof(ending), SFD_CLOEXEC | SFD_NONBLOCK);
}

static void say_boot(void)
{
    TEXT(t, 120);

    put(&t, "fake: boot ");
    put_number(&t, guest.boots, 1);
    put(&t, " pid ");
    put_number(&t, SYS(getpid, 0), 1);
    printk_line("Linux version " FAKE_VERSION " (fake guest)", NULL, NULL);
    printk_line(t.p, NULL, NULL);
    for (char **a = guest.argv + 1; *a; a++)
        printk_line("fake: argument ", *a, NULL);
}

static void user_notify(const char *text)
{
    notify_send(MCONSOLE_NOTIFY_USER, text, strlen(text));
}

static void set_deadlines(void)
{
    const struct script *s = &guest.script;
    int64_t now = now_ms();

    at.panic = s->panic_ms >= 0 ? now + s->panic_ms : -1;
    at.exit = s->exit_ms >= 0 ? now + s->exit_ms : -1;
    at.reboot = s->reboot_ms >= 0 && guest.boots < s->reboot_times ? now + s->reboot_ms : -1;
    at.output = s->output_ms > 0 ? now + s->output_ms : -1;
}

static void run_init(void)
{
    if (guest.probe) {
        user_notify(guest.script.probebad ? "PROBE avx=2000 threads=0 pthread=ok lpj=49152"
                                          : "PROBE avx=0 threads=0 pthread=ok lpj=49152");
        user_notify("READY=1");
        guest_exit(0);
    }
    printk("fake: init started\n");
    if (!guest.script.noready)
        user_notify("READY=1");
    for (long i = 0; i < guest.script.flood; i++) {
        TEXT(t, 40);

        put(&t, "FLOOD=");
        put_number(&t, i, 1);
        user_notify(t.p);
    }
    set_deadlines();
}

/* ---- life ---- */

static void run_deadlines(void)
{
    int64_t now = now_ms();

    mconsole_tick();
    if (at.panic >= 0 && now >= at.panic)
        guest_panic("fake panic");
    if (at.exit >= 0 && now >= at.exit)
        guest_exit((int)guest.script.exit_code);
    if (at.reboot >= 0 && now >= at.reboot)
        guest_reboot();
    while (at.output >= 0 && now >= at.output) {
        output_tick();
        at.output += guest.script.output_ms;
    }
}

static int next_timeout(void)
{
    int64_t times[] = {at.panic, at.exit, at.reboot, at.output, mconsole_deadline()};
    int64_t first = -1, now = now_ms();

    if (guest.script.hog && !guest.stopped)
        return 0;
    if (guest.stopped)
        return -1;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (times[i] >= 0 && (first < 0 || times[i] < first))
            first = times[i];
    if (first < 0)
        return -1;
    return first > now ? (int)(first - now) : 0;
}

/* UML: while stopped, nothing runs but the mconsole loop itself, signals included. */
static _Noreturn void live(void)
{
    enum { MCONSOLE, SIGNALS, FIXED };
    struct pollfd fds[FIXED + 2 * CONSOLE_COUNT];

    for (;;) {
        int consoles = 0;

        fds[MCONSOLE] =
            (struct pollfd){.fd = guest.script.frozen ? -1 : guest.mconsole_poll, .events = POLLIN};
        fds[SIGNALS] =
            (struct pollfd){.fd = guest.stopped ? -1 : guest.signal_fd, .events = POLLIN};
        if (!guest.stopped) {
            output_pump();
            consoles = consoles_poll(fds + FIXED);
        }
        SYS(poll, fds, FIXED + consoles, next_timeout());
        if (fds[SIGNALS].revents) {
            directory_remove();
            leave(1);
        }
        if (fds[MCONSOLE].revents)
            mconsole_ready();
        if (guest.stopped)
            continue;
        consoles_ready(fds + FIXED, consoles);
        run_deadlines();
    }
}

int fake_main(int argc, char **argv, char **envp)
{
    for (int i = 1; i < argc; i++)
        if (command_line_answer(argv[0], argv[i]))
            return 0;
    guest.envp = envp;
    guest.boots = count_boots(envp);
    SYS(setsid, 0);
    take_signals();
    command_line_read(argc, argv);
    consoles_open();
    say_boot();
    directory_make();
    mconsole_open();
    run_init();
    live();
}
