/*
 * Log lines of the daemons. To stderr; with the journal's <N> priority prefix when stderr is the
 * stream that $JOURNAL_STREAM names. Libraries stay silent: only programs call this.
 */
#ifndef VMCORE_BASE_LOG_H
#define VMCORE_BASE_LOG_H

#include "vmcore/base/macros.h"

#include <stdbool.h>

enum um_log_level {
    UM_LOG_ERROR,
    UM_LOG_WARNING,
    UM_LOG_NOTICE,
    UM_LOG_INFO,
    UM_LOG_DEBUG,
    UM_LOG_LEVEL_COUNT
};

/* Set the program name shown in each line and read JOURNAL_STREAM. Level starts at INFO. */
void um_log_init(const char *program) um_nonnull(1);

void um_log_set_level(enum um_log_level level);
enum um_log_level um_log_get_level(void);

const char *um_log_level_name(enum um_log_level level);
bool um_log_level_from_name(const char *name, enum um_log_level *ret_level) um_check;

/* One line; fmt without newline. Convention: it starts with the object: `guest web: ...`. */
void um_log(enum um_log_level level, const char *fmt, ...) um_format(2, 3);

#endif
