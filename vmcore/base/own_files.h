/*
 * Files on which this process holds record locks, and opening what others name without losing them.
 * linux(host), fcntl(2): a process loses all its record locks on a file as soon as it closes any
 * descriptor of that file, whichever path it was opened by. A descriptor made with O_PATH counts
 * for nothing there, so a file can be looked at before it is really opened.
 */
#ifndef VMCORE_BASE_OWN_FILES_H
#define VMCORE_BASE_OWN_FILES_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <sys/stat.h>

enum { UM_OWN_FILES_MAX = 8 };

/*
 * From now on path is one of them, whether it is there yet or not; it is copied. False: no memory,
 * or there are UM_OWN_FILES_MAX.
 */
bool um_own_file_add(const char *path) um_nonnull(1) um_check;
/* Not any more. Nothing happens if it was none. */
void um_own_file_drop(const char *path) um_nonnull(1);

/* Is it one of them, by whatever name it was found? */
bool um_own_file_is(const struct stat *st) um_nonnull(1);

/*
 * A file somebody else has named, for reading, without waiting for anything (a FIFO's writer).
 * Returns a descriptor, close-on-exec, or -1 with errno: of open(2), or EBUSY for a file of ours.
 */
int um_open_named(const char *path) um_nonnull(1) um_check;

#endif
