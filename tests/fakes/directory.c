/*
 * umid directory and notifications. UML(umid.c): a directory whose pid is dead is emptied and made
 * again; one in use leads to a random umid, and the guest runs on under that.
 */
#include "fake_guest.h"

#include "mconsole/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static void set_path(char *dst, size_t size, const char *a, const char *b, const char *c)
{
    struct text t = {dst, 0, size};

    put_all(&t, a, b, c, NULL);
}

static const char *environment(const char *name)
{
    size_t len = strlen(name);

    for (char **e = guest.envp; *e; e++)
        if (str_starts(*e, name) && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

static void make_uml_dir(char *base, size_t size)
{
    const char *dir = guest.uml_dir ? guest.uml_dir : "~/.uml/", *home = environment("HOME");
    struct text t = {base, 0, size};

    if (*dir == '~') {
        if (!home)
            guest_panic("set_umid_dir: no HOME in the environment");
        put(&t, home);
        dir++;
    }
    put(&t, dir);
    if (t.len == 0 || base[t.len - 1] != '/')
        put(&t, "/");
    base[t.len - 1] = '\0';
    if (SYS(mkdir, base, 0777) < 0 && SYS(access, base, 0) < 0)
        guest_panic("Failed to make the uml directory");
    base[t.len - 1] = '/';
}

struct linux_dirent {
    uint64_t ino, off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

/* Every plain file, then the directory: as thorough and as dangerous as the kernel. */
static bool empty_directory(const char *dir)
{
    _Alignas(struct linux_dirent) static char buf[2048];
    long fd = SYS(openat, AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;

    if (fd < 0)
        return fd == -ENOENT;
    while ((n = SYS(getdents64, fd, buf, sizeof(buf))) > 0)
        for (long at = 0; at < n;) {
            struct linux_dirent *e = (struct linux_dirent *)(buf + at);

            SYS(unlinkat, fd, e->name, 0);
            at += e->reclen;
        }
    SYS(close, fd);
    return SYS(rmdir, dir) == 0;
}

/* UML: in use iff kill(pid, 0) gives anything but ESRCH; pid namespaces are not recognised. */
static bool in_use(const char *dir)
{
    char path[PATH_SIZE + 8], digits[24];
    long pid;

    set_path(path, sizeof(path), dir, "/pid", "");
    if (read_file(path, digits, sizeof(digits)) <= 0)
        return false;
    pid = str_number(digits, NULL);
    /* After a reboot in place the directory is gone, so a live pid is never ours. */
    return pid > 0 && SYS(kill, pid, 0) != -ESRCH;
}

static bool take_directory(const char *base, const char *name)
{
    set_path(guest.name, sizeof(guest.name), name, "", "");
    set_path(guest.dir, sizeof(guest.dir), base, guest.name, "");
    if (SYS(mkdir, guest.dir, 0777) == 0)
        return true;
    if (in_use(guest.dir)) {
        printk_line("umid \"", name, "\" is already in use");
        return false;
    }
    return empty_directory(guest.dir) && SYS(mkdir, guest.dir, 0777) == 0;
}

void directory_make(void)
{
    char base[PATH_SIZE], path[PATH_SIZE + 8];
    TEXT(random, 24);
    TEXT(pid, 24);
    long fd;

    make_uml_dir(base, sizeof(base));
    put(&random, "fake");
    put_number(&random, SYS(getpid, 0), 1);
    if (!guest.umid || strlen(guest.umid) > 63 || !take_directory(base, guest.umid)) {
        if (guest.umid)
            printk_line("Failed to initialize umid \"", guest.umid,
                        "\", trying with a random umid");
        if (!take_directory(base, random.p))
            guest_panic("no umid");
    }
    set_path(guest.socket_path, sizeof(guest.socket_path), guest.dir, "/mconsole", "");
    set_path(path, sizeof(path), guest.dir, "/pid", "");
    put_number(&pid, SYS(getpid, 0), 1);
    put(&pid, "\n");
    fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    SYS(write, fd, pid.p, pid.len);
    SYS(close, fd);
}

void directory_remove(void)
{
    if (guest.dir[0])
        (void)empty_directory(guest.dir);
}

void notify_send(int type, const char *data, size_t len)
{
    struct {
        uint32_t magic, version, type, len;
        char data[MCONSOLE_DATA_MAX];
    } packet = {.magic = MCONSOLE_MAGIC, .version = MCONSOLE_VERSION, .type = (uint32_t)type};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    TEXT(failed, 80);
    long n;

    if (!guest.notify)
        return;
    /* UML: one unbound socket, blocking: who does not drain it freezes the guest. */
    if (guest.notify_fd < 0)
        guest.notify_fd = (int)SYS(socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    set_path(to.sun_path, sizeof(to.sun_path), guest.notify, "", "");
    packet.len = (uint32_t)(len < sizeof(packet.data) ? len : sizeof(packet.data));
    memcpy(packet.data, data, packet.len);
    n = SYS(sendto, guest.notify_fd, &packet, 16 + packet.len, 0, &to, sizeof(to));
    if (n >= 0)
        return;
    put(&failed, "mconsole_notify - sendto failed, errno = ");
    put_number(&failed, -n, 1);
    printk_line(failed.p, NULL, NULL);
}
