/*
 * Which kernel a user means: the places where UMLs have always put their sockets, then umld's own
 * guests.
 */
#ifndef MCONSOLE_FIND_H
#define MCONSOLE_FIND_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

#include <limits.h>

struct mconsole_target {
    char name[NAME_MAX + 1]; /* what to call it: the umid or guest */
    char socket[PATH_MAX];
    char dir[PATH_MAX]; /* a guest of umld: where clients bind (it is in a sandbox). Else empty */
};

/*
 * word: a umid or a path, looked for as $HOME/.uml/<word>/mconsole, /tmp/uml/<word>/mconsole, the
 * path <word> itself, and a guest of umld (user mode, then system mode). A socket whose kernel is
 * dead counts: it can be cleaned. UM_E_NOT_FOUND names the places.
 */
enum um_code mconsole_find(const char *word, struct mconsole_target *ret, struct um_error *err)
    um_nonnull(1, 2) um_check;

/* umids in $HOME/.uml and /tmp/uml and names of umld's guests that have a socket. */
void mconsole_find_all(struct um_strv *ret) um_nonnull(1);

/*
 * The kernel of target is gone and left its directory behind (a crash, SIGKILL): remove its socket
 * and pid file and the directory, as the next kernel of that umid would. Nothing happens unless the
 * process of the pid file is dead; never to guests of umld. True: removed.
 */
bool mconsole_target_clean(const struct mconsole_target *target) um_nonnull(1);

#endif
