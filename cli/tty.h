/*
 * Raw mode of the user's terminal, given back whatever happens: at exit, and on signals that end
 * the program.
 */
#ifndef CLI_TTY_H
#define CLI_TTY_H

#include "vmcore/base/macros.h"

#include <stdbool.h>

bool tty_raw(int fd) um_check; /* false with errno set */
void tty_restore(void);        /* async-signal-safe; nothing to do is fine */
bool tty_size(int fd, int *ret_rows, int *ret_columns) um_nonnull(2, 3) um_check;

#endif
