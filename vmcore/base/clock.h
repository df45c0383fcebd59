/*
 * Time. Intervals and deadlines use CLOCK_BOOTTIME in nanoseconds; what users see is RFC 3339 UTC.
 */
#ifndef VMCORE_BASE_CLOCK_H
#define VMCORE_BASE_CLOCK_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define UM_MS_NS  INT64_C(1000000)
#define UM_SEC_NS INT64_C(1000000000)

/* Room for um_clock_rfc3339(), NUL included. */
#define UM_CLOCK_TEXT_SIZE 40

int64_t um_clock_mono_ns(void); /* CLOCK_BOOTTIME */
int64_t um_clock_wall_ns(void); /* CLOCK_REALTIME, since the epoch */

/* `2026-11-23T11:15:00.123456Z`. Returns buf, which holds UM_CLOCK_TEXT_SIZE bytes. */
const char *um_clock_rfc3339(int64_t wall_ns, char buf[UM_CLOCK_TEXT_SIZE]);

/* The other way: `T` or a blank between, fractions optional, then `Z` or an offset `+02:00`;
 * years 1700 to 2200. */
bool um_clock_from_rfc3339(const char *text, int64_t *ret_wall_ns) um_nonnull(1, 2) um_check;

/* Start time of a process in clock ticks since boot (/proc/PID/stat field 22), or -1. */
int64_t um_clock_process_start(int pid) um_check;

/* This boot of the host, /proc/sys/kernel/random/boot_id. Never NULL. */
const char *um_clock_boot_id(void);

#endif
