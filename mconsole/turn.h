/*
 * Clients of one kernel take turns: a lock on the directory of its socket, which leaves no file
 * behind and ends with its holder.
 */
#ifndef MCONSOLE_TURN_H
#define MCONSOLE_TURN_H

#include "vmcore/base/error.h"

/*
 * Wait for our turn, at most timeout_ms. *ret_fd is the turn (the caller's): closing it passes it
 * on. UM_E_BUSY: another client kept it that long. Where a directory cannot be opened at all there
 * is no turn to take, *ret_fd stays -1 and UM_OK is returned: the socket will say what is wrong.
 */
enum um_code mconsole_turn_take(const char *socket, int timeout_ms, int *ret_fd,
                                struct um_error *err) um_nonnull(1, 3) um_check;

#endif
