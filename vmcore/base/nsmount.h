/*
 * Files of the host for a mount namespace that exists already, as bubblewrap binds them into one
 * that is being made. No privilege is needed beyond owning its user namespace: whoever made that
 * has all capabilities in it from outside (user_namespaces(7)).
 *
 * mount_namespaces(7): a mount can be copied in a namespace only by who has CAP_SYS_ADMIN there, so
 * the copy is made in a namespace of its own and travels as a descriptor: open_tree(2),
 * move_mount(2).
 *
 * What runs in the namespace is hostile: no symbolic link is followed in there, and a place for the
 * file is made on its root or on its /tmp only, never in a directory that was bound into it.
 *
 * Both are for a child process, which is spoiled for anything else.
 */
#ifndef VMCORE_BASE_NSMOUNT_H
#define VMCORE_BASE_NSMOUNT_H

#include "vmcore/base/macros.h"

enum {
    UM_NSMOUNT_READ_ONLY = 1, /* whatever the file's mode says: EROFS for writers */
    UM_NSMOUNT_DEVICE = 2     /* a device node that shall work */
};

/*
 * Show the file at path in the namespace behind ns (a descriptor of /proc/PID/ns/mnt), at the same
 * path. Returns 0 or an errno: EXDEV if something that is no place for it is in the way, such as a
 * directory that was bound into the namespace; ENOTDIR for a symbolic link.
 */
int um_nsmount_add(int ns, const char *path, unsigned flags) um_nonnull(2) um_check;

/* Take it away; who has it open keeps it. 0 as well when nothing is mounted there. */
int um_nsmount_remove(int ns, const char *path) um_nonnull(2) um_check;

#endif
