/*
 * Other users for guests without being root: user namespaces.
 *
 * Root makes one namespace for the daemon's user that maps this user and a range of ids, each to
 * itself, and drops its rights for good. The namespace's owner may enter it at any time
 * (user_namespaces(7): its owner has all capabilities in it from outside), is somebody else from
 * the range there, and may end, look into and clean up after what runs in it. Ids that are not
 * mapped, root's above all, stay out of reach: whoever takes over the daemon gains the guests and
 * nothing else.
 */
#ifndef VMCORE_BASE_USERNS_H
#define VMCORE_BASE_USERNS_H

#include "vmcore/base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct um_userns_range {
    uint32_t first, count; /* of uids and of gids alike; count 0: none */
};

/*
 * As root: a namespace owned by uid, in which uid, gid and the range mean themselves. *ret_fd keeps
 * it alive. UM_E_BAD_CONFIG when uid or gid lies in the range.
 */
enum um_code um_userns_new(uid_t uid, gid_t gid, const struct um_userns_range *range, int *ret_fd,
                           struct um_error *err) um_nonnull(3, 4) um_check;

/*
 * In a child process, for good: the namespace behind fd with all capabilities in it, still as the
 * same user. Returns 0 or an errno.
 */
int um_userns_enter(int fd) um_check;

/*
 * In a child process that has entered the namespace: one more below it, where our user is 0, with
 * all capabilities, and id (of the range, uid and gid) itself. Nobody else exists there. Returns 0
 * or an errno: EACCES in a process that changed its user without an exec (prctl(2),
 * PR_SET_DUMPABLE).
 */
int um_userns_nest(uint32_t id) um_check;

/*
 * Become uid and gid id, with no other group, no capability (not even in the bounding set) and
 * no_new_privs. Returns 0 or an errno; on failure the caller must not go on.
 */
int um_userns_become(uint32_t id) um_check;

#endif
