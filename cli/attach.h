/*
 * Attaching to a console: the upgrade call shared by console, logs --follow, start --console, run.
 */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "cli/cli.h"
#include "vmcore/base/str.h"

struct attach {
    const char *guest;
    const char *device; /* NULL: the daemon's default, con0 */
    bool read_only;
    bool steal;
    int64_t back; /* bytes of earlier output; -1: of this boot, -2: all */
};

/*
 * On success *ret_fd is the raw stream (the caller's) and *ret_rest what has come already; the
 * reply's parameters (device, boot) stay in *reply. On failure reply->error says why.
 */
enum um_code attach_open(struct cli *cli, const struct attach *a, struct client_reply *reply,
                         int *ret_fd, struct um_buf *ret_rest) um_nonnull(1, 2, 3, 4, 5) um_check;

/*
 * attach_open() for a guest that was just told to start: tried again while it is not booting yet.
 * UM_E_CRASHED when it ended (or failed to start) before anybody could attach.
 */
enum um_code attach_open_booting(struct cli *cli, const struct attach *a,
                                 struct client_reply *reply, int *ret_fd, struct um_buf *ret_rest)
    um_nonnull(1, 2, 3, 4, 5) um_check;

/* A signal that is held back has come (run). */
bool attach_interrupted(void) um_check;

/* `umlctl console`: raw terminal, escapes, resizing, until detached. Exit status. */
int attach_interactive(struct cli *cli, const struct attach *a) um_nonnull(1, 2) um_check;
/* The same for a guest that was just told to start. */
int attach_when_booting(struct cli *cli, const struct attach *a) um_nonnull(1, 2) um_check;

#endif
