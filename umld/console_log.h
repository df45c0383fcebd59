/*
 * Console logs on disk as umlmon writes them: S/guests/NAME/log/<dev>.<boot>.<part>.log.
 */
#ifndef UMLD_CONSOLE_LOG_H
#define UMLD_CONSOLE_LOG_H

#include "vmcore/base/error.h"

#include <stdint.h>

struct console_part {
    int64_t boot, part, bytes;
};

struct console_log {
    struct console_part *parts; /* ascending by boot, then part */
    size_t count;
};

void console_log_done(struct console_log *log);
/* Parts of one device (all boots if boot < 0). A directory that is not there is an empty log. */
enum um_code console_log_scan(const char *dir, const char *device, int64_t boot,
                              struct console_log *ret, struct um_error *err)
    um_nonnull(1, 2, 4) um_check;
int64_t console_log_bytes(const struct console_log *log) um_nonnull(1);
/*
 * Up to len bytes from offset (counted over the parts found). Returns the number read, -1 with
 * errno.
 */
int64_t console_log_read(const char *dir, const char *device, const struct console_log *log,
                         int64_t offset, char *ret, size_t len) um_nonnull(1, 2, 3, 5);

#endif
