/*
 * Which daemon to talk to when the user names none: the system's if it listens, else the user's
 * own, which is started on demand the way tmux starts its server.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli/client.h"

/* may_start: start a daemon of the user when none answers. */
enum um_code daemon_connect(bool may_start, struct client **ret, struct um_error *err)
    um_nonnull(2) um_check;

#endif
