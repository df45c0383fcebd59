/*
 * A program that looks like a UML kernel from the host's side. The rooms: script.c reads `fake=`
 * words, command_line.c the kernel's own, directory.c umid and notifications, console.c the
 * descriptors, mconsole.c and devices.c the control protocol, fake_guest.c the life.
 */
#ifndef TESTS_FAKES_FAKE_GUEST_H
#define TESTS_FAKES_FAKE_GUEST_H

#include "sys.h"

#define FAKE_VERSION "6.1.176"

/* Instructions of the test; README.md explains each. Times in ms, -1: never. */
struct script {
    long slow, late;
    long silent, frozen, noready, nosocket, badreply, diemidreply;
    long ignorecad, cadreboot, ignorehalt, hog, busyubd, probebad, exec, lateremount;
    long panic_ms, exit_code, exit_ms, reboot_ms, reboot_times;
    long flood, output, output_ms;
};

enum {
    CONSOLE_COUNT = 16,
    DEVICE_COUNT = 48,
    NAME_SIZE = 24,
    SPEC_SIZE = 232,
    PATH_SIZE = 256,
    SOCKET_PATH_SIZE = 108
};

/* A device as configured: `ubd0` and `disk.cow,base`. */
struct device {
    char name[NAME_SIZE];
    char spec[SPEC_SIZE];
};

struct guest {
    char **argv, **envp;
    struct script script;
    const char *uml_dir, *umid, *notify; /* as on the command line, or NULL */
    bool noreboot, probe;
    char name[64];                   /* umid in use */
    char dir[PATH_SIZE];             /* <uml_dir>/<umid> */
    char socket_path[PATH_SIZE + 8]; /* <dir>/mconsole */
    int notify_fd, mconsole_fd, mconsole_poll, signal_fd;
    long boots; /* reboots in place so far */
    bool stopped, remounted;
    long mounts_shown; /* since sysrq u */
    struct device devices[DEVICE_COUNT];
};

extern struct guest guest;

/* script.c */
void script_read(struct script *s, const char *value);

/* command_line.c */
void command_line_read(int argc, char **argv);
bool command_line_answer(const char *program, const char *word); /* --version and friends */

/* directory.c */
void directory_make(void);
void directory_remove(void);
void notify_send(int type, const char *data, size_t len);

/* console.c */
void consoles_open(void);
struct pollfd;
int consoles_poll(struct pollfd *fds); /* fill and count; CONSOLE_COUNT at most */
void consoles_ready(const struct pollfd *fds, int n);
void consoles_drain(void); /* best effort before leaving */
void printk(const char *text);
void printk_line(const char *a, const char *b, const char *c); /* NULLs allowed at the end */
bool output_pump(void); /* the `output=` generator; true: it has more to say */
void output_tick(void); /* one line of `outputforever=` */
bool console_is_open(const char *device);

/* mconsole.c */
void mconsole_open(void);
void mconsole_ready(void);
int64_t mconsole_deadline(void); /* of a late answer, or -1 */
void mconsole_tick(void);

/* devices.c: reply text and its err value for config and remove */
long device_config(const char *arg, struct text *reply);
long device_remove(const char *arg, struct text *reply);
struct device *device_find(const char *name);
void device_set(const char *name, const char *spec);

/* fake_guest.c */
_Noreturn void guest_exit(int status);
_Noreturn void guest_panic(const char *why);
void guest_reboot(void);

#endif
