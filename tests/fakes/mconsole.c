/*
 * The kernel's side of mconsole with its habits: commands match by prefix, the receive buffer is
 * static, commands of process context are run last in first out, a rejected request stalls the
 * queue until the next datagram (edge-triggered), `stop` serves everything itself.
 */
#include "fake_guest.h"

#include "mconsole/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BURST = 12, PROC_CHUNK = 4095, PART_TEXT = MCONSOLE_DATA_MAX - 1 };

struct request {
    struct sockaddr_un from;
    socklen_t from_len;
    const struct command *command;
    char text[MCONSOLE_DATA_MAX];
};

struct command {
    const char *name;
    void (*run)(struct request *r, const char *arg);
    bool in_interrupt;
};

static struct request late; /* held back by late= */
static int64_t late_at = -1;
static bool late_done;

/* ---- answers ---- */

static void send_part(const struct request *r, long err, bool more, const char *text, size_t len)
{
    struct mconsole_reply reply = {
        .err = (int32_t)err, .more = more, .len = (uint32_t)len + 1, .data = {0}};

    if (r->from_len <= sizeof(sa_family_t))
        return; /* an unbound client: executed, never answered */
    memcpy(reply.data, text, len);
    /* UML: never blocking, errors ignored; what the client cannot take is lost. */
    SYS(sendto, guest.mconsole_fd, &reply, 12 + reply.len, MSG_DONTWAIT | MSG_NOSIGNAL, &r->from,
        r->from_len);
}

/* Parts of 511 bytes and a NUL; end: the last of them is the last of the answer. */
static void send_text(const struct request *r, long err, const char *text, size_t len, bool end)
{
    do {
        size_t n = len < PART_TEXT ? len : PART_TEXT;

        len -= n;
        send_part(r, err, len > 0 || !end, text, n);
        if (guest.script.diemidreply)
            SYS(kill, SYS(getpid, 0), SIGKILL);
        text += n;
        err = 0;
    } while (len > 0);
}

static void answer(const struct request *r, long err, const char *text)
{
    /* with diemidreply more is promised, then comes death */
    send_text(r, err, text, strlen(text), !guest.script.diemidreply);
}

static void stream(const struct request *r, const char *text)
{
    printk(text);
    send_text(r, 0, text, strlen(text), false);
    send_part(r, 0, false, "", 0);
}

/* ---- commands ---- */

static void run_version(struct request *r, const char *arg)
{
    TEXT(t, 160);

    put_all(&t, "Linux ", guest.name, " " FAKE_VERSION " #1 Debian " FAKE_VERSION "-1 x86_64",
            NULL);
    answer(r, 0, t.p);
}

static void run_halt(struct request *r, const char *arg)
{
    answer(r, 0, "");
    if (!guest.script.ignorehalt)
        guest_exit(0);
}

static void run_reboot(struct request *r, const char *arg)
{
    answer(r, 0, "");
    guest_reboot();
}

static void run_config(struct request *r, const char *arg)
{
    TEXT(t, 400);
    long err;

    t.p[0] = '\0';
    err = device_config(arg, &t);
    answer(r, err, t.p);
}

static void run_remove(struct request *r, const char *arg)
{
    TEXT(t, 400);
    long err;

    t.p[0] = '\0';
    err = device_remove(arg, &t);
    answer(r, err, t.p);
}

static void run_sysrq(struct request *r, const char *arg)
{
    switch (*arg) {
    case 's':
        stream(r, "sysrq: Emergency Sync\n");
        break;
    case 'u':
        stream(r, "sysrq: Emergency Remount R/O\n");
        guest.remounted = true;
        break;
    case 'b':
        stream(r, "sysrq: Resetting\n");
        guest_reboot();
        break;
    case 'o':
        stream(r, "sysrq: Power Off\n");
        guest_exit(0);
    case 'c':
        stream(r, "sysrq: Trigger a crash\n");
        guest_panic("sysrq triggered crash");
    case 't':
        guest_panic("Segfault with no mm"); /* what it does to real ones */
    default:
        stream(r, "sysrq: HELP : loglevel(0-9) reboot(b) crash(c) terminate-all-tasks(e) "
                  "memory-full-oom-kill(f) kill-all-tasks(i) sync(s) show-task-states(t) "
                  "unmount(u) poweroff(o)\n");
    }
}

#define EXEC_HELP "    exec <command> - run <command> in the UML\n"

static void run_help(struct request *r, const char *arg)
{
    static const char commands_of_all[] =
        "Commands:\n"
        "    version - Get kernel version\n"
        "    help - Print this message\n"
        "    halt - Halt UML\n"
        "    reboot - Reboot UML\n"
        "    config <dev>=<config> - Add a new device to UML;\n"
        "        same syntax as command line\n"
        "    config <dev> - Query the configuration of a device\n"
        "    remove <dev> - Remove a device from UML\n"
        "    sysrq <letter> - Performs the SysRq action controlled by the letter\n"
        "    cad - invoke the Ctrl-Alt-Del handler\n"
        "    stop - pause the UML; it will do nothing until it receives a 'go'\n"
        "    go - continue the UML after a 'stop'\n"
        "    log <string> - make UML enter <string> into the kernel log\n"
        "    proc <file> - returns the contents of the UML's /proc/<file>\n"
        "    stack <pid> - returns the stack of the specified pid\n";
    TEXT(t, 1200);

    put_all(&t, commands_of_all, guest.script.exec ? EXEC_HELP : NULL, NULL);
    answer(r, 0, t.p);
}

static void run_cad(struct request *r, const char *arg)
{
    answer(r, 0, "");
    if (guest.script.ignorecad)
        return;
    if (guest.script.cadreboot)
        guest_reboot();
    printk("The system is going down NOW!\n");
    guest_exit(0);
}

static void run_stop(struct request *r, const char *arg)
{
    if (guest.stopped) {
        answer(r, 1, "Already stopped");
        return;
    }
    guest.stopped = true; /* the loop of fake_guest.c now serves mconsole alone */
    answer(r, 0, "stopped");
}

static void run_go(struct request *r, const char *arg)
{
    if (!guest.stopped) {
        answer(r, 1, "Not stopped");
        return;
    }
    guest.stopped = false;
    answer(r, 0, "");
}

static void run_log(struct request *r, const char *arg)
{
    const char *text = r->text + 4; /* UML skips four bytes blindly */
    size_t len = strlen(text);

    printk(text);
    if (len == 0 || text[len - 1] != '\n')
        printk("\n");
    answer(r, 0, "");
}

static void put_disks(struct text *t)
{
    put(t, "   1       0 ram0 0 0 0 0\n");
    for (int i = 0; i < DEVICE_COUNT; i++)
        if (str_starts(guest.devices[i].name, "ubd")) {
            char letter[2] = {(char)('a' + str_number(guest.devices[i].name + 3, NULL))};

            put_all(t, "  98       0 ubd", letter, " 42 11 3402 44 0 0 0\n", NULL);
        }
}

/* Its root becomes read-only some time after it was told so: a work queue does it. */
static void put_mounts(struct text *t)
{
    bool writable = !guest.remounted || guest.mounts_shown++ < guest.script.lateremount;

    put_all(t, "/dev/root / ext4 ", writable ? "rw" : "ro", ",relatime 0 0\n", NULL);
    put(t, "proc /proc proc rw,relatime 0 0\n");
}

static void proc_text(const char *path, struct text *t)
{
    if (str_equal(path, "version")) {
        put(t, "Linux version " FAKE_VERSION " (fake@umld) #1 Debian\n");
    } else if (str_equal(path, "uptime")) {
        put_number(t, now_ms() / 1000, 1);
        put(t, ".00 0.00\n");
    } else if (str_equal(path, "cmdline")) {
        for (char **a = guest.argv + 1; *a; a++)
            put_all(t, *a, a[1] ? " " : "\n", NULL);
    } else if (str_equal(path, "diskstats")) {
        put_disks(t);
    } else if (str_equal(path, "mounts")) {
        put_mounts(t);
    } else if (str_equal(path, "1/exe")) { /* kernel threads have none */
        put(t, "\177ELF");
    } else if (str_equal(path, "kallsyms")) { /* the long one */
        for (long i = 0; i < 200; i++) {
            put_number(t, 60000000 + i * 16, 16);
            put(t, " T fake_symbol\n");
        }
    }
}

static void run_proc(struct request *r, const char *arg)
{
    static char space[8192];
    struct text t = {space, 0, sizeof(space)};

    while (*arg == '/')
        arg++;
    proc_text(arg, &t);
    if (t.len == 0) {
        answer(r, 1, "Failed to open file");
        return;
    }
    send_text(r, 0, "\n", 1, false);
    for (size_t at = 0; at < t.len; at += PROC_CHUNK)
        send_text(r, 0, t.p + at, t.len - at < PROC_CHUNK ? t.len - at : PROC_CHUNK, false);
    send_part(r, 0, false, "", 0);
}

static void run_stack(struct request *r, const char *arg)
{
    if (*arg < '0' || *arg > '9')
        answer(r, 1, "Please specify a pid");
    else if (str_number(arg, NULL) != 1)
        answer(r, 1, "Couldn't find that pid");
    else
        stream(r, "task:init state:S stack:0 pid:1 ppid:0\nCall Trace:\n fake_guest+0x10/0x20\n");
}

/* Of patched kernels: tells what it would run. */
static void run_exec(struct request *r, const char *arg)
{
    TEXT(t, 600);

    put_all(&t, "ran: ", arg, "\n", NULL);
    answer(r, 0, t.p);
}

/* ---- requests ---- */

static const struct command commands[] = {
    {"version", run_version, false}, {"halt", run_halt, false},
    {"reboot", run_reboot, false},   {"config", run_config, false},
    {"remove", run_remove, false},   {"sysrq", run_sysrq, true},
    {"help", run_help, true},        {"cad", run_cad, true},
    {"stop", run_stop, false},       {"go", run_go, true},
    {"log", run_log, true},          {"proc", run_proc, false},
    {"stack", run_stack, true},      {"exec", run_exec, false},
};

static const struct command *find_command(const char *text)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_starts(text, commands[i].name) &&
            (commands[i].run != run_exec || guest.script.exec))
            return &commands[i];
    return NULL;
}

static void execute(struct request *r)
{
    const char *arg = r->text + strlen(r->command->name);

    while (*arg == ' ' || *arg == '\t')
        arg++;
    r->command->run(r, arg);
}

/* The script stands between the request and its execution. */
static void serve(struct request *r)
{
    const struct script *s = &guest.script;

    if (s->silent)
        return;
    if (s->badreply) {
        static const char bad[] = "ERR Version 0 mconsole clients are not supported by this driver";

        SYS(sendto, guest.mconsole_fd, bad, s->badreply > 1 ? (size_t)s->badreply : sizeof(bad),
            MSG_DONTWAIT, &r->from, r->from_len);
        return;
    }
    if (s->late > 0 && !late_done && late_at < 0) {
        late = *r;
        late_at = now_ms() + s->late;
        return;
    }
    if (s->slow > 0)
        sleep_ms(s->slow);
    execute(r);
}

int64_t mconsole_deadline(void)
{
    return late_at;
}

void mconsole_tick(void)
{
    if (late_at < 0 || now_ms() < late_at)
        return;
    late_at = -1;
    late_done = true;
    execute(&late);
}

/* Next request into *r. False: none, or one that was rejected (which ends the drain loop). */
static bool receive(struct request *r)
{
    static struct mconsole_request in; /* never cleared: a short datagram keeps the old bytes */
    long n;

    r->from_len = sizeof(r->from);
    n = SYS(recvfrom, guest.mconsole_fd, &in, sizeof(in), MSG_DONTWAIT, &r->from, &r->from_len);
    if (n < 0)
        return false;
    if (in.magic != MCONSOLE_MAGIC) {
        static const char old[] = "ERR Version 0 mconsole clients are not supported by this driver";

        SYS(sendto, guest.mconsole_fd, old, sizeof(old), MSG_DONTWAIT, &r->from, r->from_len);
        return false;
    }
    if (in.len >= MCONSOLE_DATA_MAX) {
        answer(r, 1, "Request too large");
        return false;
    }
    if (in.version != MCONSOLE_VERSION)
        answer(r, 1, "This driver only supports version 2 clients");
    in.data[in.len] = '\0';
    memcpy(r->text, in.data, in.len + 1);
    r->command = find_command(r->text);
    if (!r->command && !guest.script.silent)
        answer(r, 1, "Unknown command");
    return r->command != NULL;
}

void mconsole_ready(void)
{
    static struct request burst[BURST];
    struct epoll_event event;
    int n = 0;

    SYS(epoll_wait, guest.mconsole_poll, &event, 1, 0); /* takes the edge */
    while (n < BURST && receive(&burst[n])) {
        if (burst[n].command->in_interrupt || guest.stopped)
            serve(&burst[n]);
        else
            n++;
    }
    while (n > 0)
        serve(&burst[--n]);
}

void mconsole_open(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    if (guest.script.nosocket)
        return;
    if (strlen(guest.socket_path) >= sizeof(addr.sun_path)) {
        printk_line("umid_file_name : buffer too short", NULL, NULL);
        return;
    }
    memcpy(addr.sun_path, guest.socket_path, strlen(guest.socket_path));
    guest.mconsole_fd = (int)SYS(socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (SYS(bind, guest.mconsole_fd, &addr, sizeof(addr)) < 0) {
        printk_line("mconsole_init: bind failed", NULL, NULL);
        SYS(close, guest.mconsole_fd);
        guest.mconsole_fd = -1;
        return;
    }
    guest.mconsole_poll = (int)SYS(epoll_create1, EPOLL_CLOEXEC);
    SYS(epoll_ctl, guest.mconsole_poll, EPOLL_CTL_ADD, guest.mconsole_fd, &event);
    printk_line("mconsole (version 2) initialized on ", guest.socket_path, NULL);
    notify_send(MCONSOLE_NOTIFY_SOCKET, guest.socket_path, strlen(guest.socket_path) + 1);
}
