/*
 * Starting child processes with exactly the descriptors they are meant to have.
 */
#ifndef VMCORE_BASE_SPAWN_H
#define VMCORE_BASE_SPAWN_H

#include "vmcore/base/error.h"
#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Highest descriptor number a child can be given. */
enum { UM_SPAWN_FD_MAX = 199 };

/* `from` in this process becomes descriptor `to` in the child. */
struct um_fd_map {
    int from;
    int to;
};

struct um_spawn {
    char *const *argv;           /* argv[0] is the program's path */
    char *const *envp;           /* NULL: inherit */
    const struct um_fd_map *fds; /* all others are closed; 0,1,2 not named here become /dev/null,
                                    except 2 which is inherited when keep_stderr is set */
    size_t fd_count;
    bool keep_stderr;
    bool new_session;
    int death_signal; /* PR_SET_PDEATHSIG, 0: none */
    /*
     * May be NULL, which makes a start faster. Runs in the child first, with the parent's
     * descriptors: returns 0, or an errno, with *ret_what what cannot be done; then nothing is
     * executed.
     */
    int (*setup)(void *arg, const char **ret_what);
    void *setup_arg;
};

/*
 * fork and exec; returns once the exec has succeeded or failed (the child reports over a CLOEXEC
 * pipe), so that a missing program is an error here and not an exit status later.
 * ret_pid, ret_pidfd (ret_pidfd may be NULL): owned by the caller. If a pidfd is wanted and cannot
 * be had, the child is killed and reaped and this fails.
 */
enum um_code um_spawn(const struct um_spawn *spec, pid_t *ret_pid, int *ret_pidfd,
                      struct um_error *err) um_nonnull(1, 2) um_check;

/* pidfd_open(2); -1 with errno set. */
int um_pidfd_open(pid_t pid);
/* pidfd_send_signal(2). */
bool um_pidfd_signal(int pidfd, int signo);

#endif
