#include "vmcore/base/own_files.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *own[UM_OWN_FILES_MAX];

bool um_own_file_add(const char *path)
{
    size_t i = 0;

    while (i < UM_OWN_FILES_MAX && own[i])
        i++;
    if (i < UM_OWN_FILES_MAX)
        own[i] = strdup(path);
    return i < UM_OWN_FILES_MAX && own[i];
}

void um_own_file_drop(const char *path)
{
    for (size_t i = 0; i < UM_OWN_FILES_MAX; i++)
        if (own[i] && strcmp(own[i], path) == 0) {
            free(own[i]);
            own[i] = NULL;
            return;
        }
}

bool um_own_file_is(const struct stat *st)
{
    struct stat mine;

    for (size_t i = 0; i < UM_OWN_FILES_MAX; i++)
        if (own[i] && stat(own[i], &mine) == 0 && mine.st_dev == st->st_dev &&
            mine.st_ino == st->st_ino)
            return true;
    return false;
}

int um_open_named(const char *path)
{
    um_autofd fd = open(path, O_PATH | O_CLOEXEC);
    char again[32];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (um_own_file_is(&st)) {
        errno = EBUSY;
        return -1;
    }
    snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
    return open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}
