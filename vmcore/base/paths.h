/*
 * Where umld's own files are: run, state and libexec directories. Programs find each other relative
 * to themselves, so that an installed tree may be moved or staged under DESTDIR.
 */
#ifndef VMCORE_BASE_PATHS_H
#define VMCORE_BASE_PATHS_H

#include "vmcore/base/error.h"

#include <stdbool.h>

struct um_paths {
    char run_dir[128];   /* sockets, locks: /run/umld, $XDG_RUNTIME_DIR/umld, /run/user/UID/umld or
                            /tmp/umld-UID */
    char state_dir[512]; /* database, logs, images: /var/lib/umld, $XDG_STATE_HOME/umld or
                            ~/.local/state/umld */
    char socket[160];    /* run_dir/api */
};

/*
 * Paths of system mode (system true) or of the calling user. UMLD_RUN_DIR and UMLD_STATE_DIR
 * override both; relative ones are taken from the current directory. Nothing is created. Errors: no
 * home directory, run directory over 60 bytes (guest sockets below it must fit sockaddr_un).
 */
enum um_code um_paths_default(bool system, struct um_paths *ret, struct um_error *err)
    um_nonnull(2) um_check;

/* Longest run directory: R/g/<63>/in/uml/mconsole must fit UM_SOCKET_PATH_MAX with typical names.
 */
#define UM_RUN_DIR_MAX 60

/*
 * Absolute path of a private program or file (`umlmon`): $UMLD_LIBEXEC, else ../libexec/umld beside
 * this program. UM_E_MISSING_SOFTWARE names both places when it is in neither.
 */
enum um_code um_paths_libexec(const char *name, char *ret, size_t size, struct um_error *err)
    um_nonnull(1, 2) um_check;

/*
 * First executable `name` on $PATH (default path if unset), else in the sbin directories, which an
 * ordinary user's PATH lacks. UM_E_MISSING_SOFTWARE with the package to install as hint.
 */
enum um_code um_paths_program(const char *name, const char *package, char *ret, size_t size,
                              struct um_error *err) um_nonnull(1, 2, 3) um_check;

#endif
