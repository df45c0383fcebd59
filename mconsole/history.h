/*
 * The history file: one command a line, the newest last, readable by its owner alone (commands name
 * host files). Shells that run at the same time append to the same file.
 */
#ifndef MCONSOLE_HISTORY_H
#define MCONSOLE_HISTORY_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

/*
 * The user's file, made if need be: mconsole_history in the state directory of user mode. Longer
 * ones are cut to the last max lines, which are appended to *ret.
 */
enum um_code mconsole_history_open(size_t max, char *ret_path, size_t size, struct um_strv *ret,
                                   struct um_error *err) um_nonnull(2, 4) um_check;

/* Add one line. Failure is silent: the command itself matters more. */
void mconsole_history_add(const char *path, const char *line) um_nonnull(1, 2);

#endif
