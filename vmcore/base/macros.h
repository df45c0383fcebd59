/*
 * Attribute shorthands used everywhere. Nothing else belongs here.
 */
#ifndef VMCORE_BASE_MACROS_H
#define VMCORE_BASE_MACROS_H

#include <stddef.h>

#define um_check           __attribute__((warn_unused_result))
#define um_nonnull(...)    __attribute__((nonnull(__VA_ARGS__)))
#define um_format(fmt, va) __attribute__((format(printf, fmt, va)))
#define um_cleanup(fn)     __attribute__((cleanup(fn)))
#define um_unused          __attribute__((unused))

#define UM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
