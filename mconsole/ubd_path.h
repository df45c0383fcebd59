/*
 * `config ubdN=FILE` with relative names: the kernel would take them from its own directory.
 */
#ifndef MCONSOLE_UBD_PATH_H
#define MCONSOLE_UBD_PATH_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

/*
 * command, built by mconsole_command_check(), with the file names of a `config ubd…=…` made
 * absolute from cwd; any other command is copied as it is. After the `=` come file, backing file
 * and serial number, separated by `,` or `:` (UML drivers/ubd_kern.c). UM_E_INVALID: a file is not
 * there (a COW file may be missing, its directory not), its name cannot be written in that grammar,
 * or the command gets too long.
 */
enum um_code mconsole_absolute_ubd(const char *command, const char *cwd, struct um_buf *ret,
                                   struct um_error *err) um_nonnull(1, 2, 3) um_check;

#endif
