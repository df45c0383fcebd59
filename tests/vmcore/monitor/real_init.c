/*
 * Init of the test guest: static, alone in its initramfs. Says it is ready, then writes without
 * end: to the console slowly and to a file quickly, so that a stub which got loose on the host
 * would show. The words on the kernel's command line after `--` choose what it does instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void say(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(path);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "loop";

    mkdir("/proc", 0755);
    mkdir("/tmp", 0755);
    if (mount("none", "/proc", "proc", 0, NULL) < 0)
        perror("mount");
    say("/proc/mconsole", "STATUS=up\nREADY=1\n");
    printf("guest init runs: %s\n", what);
    fflush(stdout);
    if (strcmp(what, "halt") == 0) {
        say("/proc/exitcode", "7\n");
        reboot(RB_POWER_OFF);
    }
    if (strcmp(what, "reboot") == 0) {
        sleep(1); /* long enough for both boots to be told apart by time */
        reboot(RB_AUTOBOOT);
    }
    if (strcmp(what, "panic") == 0)
        return 1;
    for (unsigned long i = 0;; i++) {
        /* On the host this path would be a file that must never appear. */
        say("/tmp/um-escaped", "a guest process ran on the host\n");
        if (i % 4096 == 0)
            printf("tick %lu\n", i / 4096);
        fflush(stdout);
    }
}
