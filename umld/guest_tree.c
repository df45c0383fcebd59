/*
 * Processes of a run directory, found by their arguments: umlmon is given the directory as its
 * second one, sandbox and kernel have `uml_dir=DIRECTORY/in/`.
 */
#include "umld/guest_ids.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 65536 };

/* args: NUL-separated words, len bytes and one more NUL. */
static bool names_dir(const char *args, size_t len, const char *dir)
{
    static const char key[] = "uml_dir=";
    size_t dir_len = strlen(dir);

    for (size_t i = 0; i < len; i += strlen(args + i) + 1) {
        const char *word = args + i;

        if (strcmp(word, dir) == 0)
            return true;
        if (um_str_starts(word, key) && strncmp(word + sizeof(key) - 1, dir, dir_len) == 0 &&
            word[sizeof(key) - 1 + dir_len] == '/')
            return true;
    }
    return false;
}

/* proc is the process's directory in /proc: it never comes to mean another process. */
static bool belongs(const struct umld *umld, int proc, const char *dir, char *buf)
{
    um_autofd fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(proc, &st) < 0 || !guest_ids_ours(umld, st.st_uid))
        return false;
    while (len < ARGUMENTS_MAX && (n = read(fd, buf + len, ARGUMENTS_MAX - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
    return names_dir(buf, len, dir);
}

static bool kill_one(const struct umld *umld, int root, const char *name, const char *dir,
                     char *buf)
{
    um_autofd pidfd = um_pidfd_open((pid_t)atoi(name));
    um_autofd proc = pidfd < 0 ? -1 : openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (proc < 0 || !belongs(umld, proc, dir, buf))
        return false;
    um_log(UM_LOG_WARNING, "killing process %s, left of %s", name, dir);
    um_pidfd_signal(pidfd, SIGKILL);
    return true;
}

int guest_dir_kill(const struct umld *umld, const char *dir)
{
    char *buf = malloc(ARGUMENTS_MAX + 1);
    DIR *d = opendir("/proc");
    struct dirent *e;
    int count = 0;

    while (d && buf && (e = readdir(d))) {
        pid_t pid = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? (pid_t)atoi(e->d_name) : 0;

        if (pid > 0 && pid != getpid())
            count += kill_one(umld, dirfd(d), e->d_name, dir, buf);
    }
    if (d)
        closedir(d);
    free(buf);
    return count;
}
