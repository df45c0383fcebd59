/*
 * One user's entry in a file's access control list, by the file system's own attribute: no library,
 * no program. Whoever owns the file may do that without any privilege.
 */
#ifndef VMCORE_BASE_ACL_H
#define VMCORE_BASE_ACL_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Let uid read (and write) the file. Nobody else gets anything by it: a list whose mask would have
 * to be widened for others is left alone. Returns 0 or an errno: EOPNOTSUPP where the file system
 * has no lists, EEXIST for such a mask.
 */
int um_acl_grant(const char *path, uid_t uid, bool write) um_nonnull(1) um_check;

/* Take uid's entry out; without any entry left the file has its plain mode again. 0 or an errno. */
int um_acl_revoke(const char *path, uid_t uid) um_nonnull(1) um_check;

#endif
