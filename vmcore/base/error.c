#include "vmcore/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct um_code_info codes[UM_CODE_COUNT] = {
    [UM_OK] = {"Ok", 0, false},
    [UM_E_INVALID] = {"InvalidValue", 2, false},
    [UM_E_USAGE] = {"Usage", 2, false},
    [UM_E_NOT_FOUND] = {"NotFound", 7, false},
    [UM_E_NOT_RUNNING] = {"NotRunning", 7, false},
    [UM_E_EXISTS] = {"Exists", 8, false},
    [UM_E_WRONG_STATE] = {"WrongState", 8, false},
    [UM_E_CONFLICT] = {"Conflict", 8, false},
    [UM_E_BUSY] = {"Busy", 9, true},
    [UM_E_TIMEOUT] = {"Timeout", 10, true},
    [UM_E_DENIED] = {"Denied", 4, false},
    [UM_E_NO_RESOURCES] = {"NoResources", 11, true},
    [UM_E_KERNEL_UNSAFE] = {"KernelUnsafe", 5, false},
    [UM_E_MISSING_SOFTWARE] = {"MissingSoftware", 5, false},
    [UM_E_BAD_CONFIG] = {"BadConfig", 6, false},
    [UM_E_UNRESPONSIVE] = {"GuestUnresponsive", 10, true},
    [UM_E_GUEST_ERROR] = {"GuestError", 1, false},
    [UM_E_CRASHED] = {"Crashed", 12, false},
    [UM_E_CANCELLED] = {"Cancelled", 13, false},
    [UM_E_UNSUPPORTED] = {"Unsupported", 3, false},
    [UM_E_UNREACHABLE] = {"Unreachable", 14, true},
    [UM_E_PARTLY] = {"Partly", 15, false},
    [UM_E_INTERNAL] = {"Internal", 1, false},
};

const struct um_code_info *um_code_info(enum um_code code)
{
    return &codes[(unsigned)code < UM_CODE_COUNT ? code : UM_E_INTERNAL];
}

enum um_code um_code_from_wire(const char *wire)
{
    const char *dot = strrchr(wire, '.');
    const char *name = dot ? dot + 1 : wire;

    for (int i = 0; i < UM_CODE_COUNT; i++)
        if (strcmp(codes[i].wire, name) == 0)
            return (enum um_code)i;
    return UM_E_INTERNAL;
}

static void set_text(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src ? src : "");
}

enum um_code um_fail(struct um_error *err, enum um_code code, const char *object, const char *field,
                     const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    err->retryable = um_code_info(code)->retryable;
    err->hint[0] = '\0';
    set_text(err->object, sizeof(err->object), object);
    set_text(err->field, sizeof(err->field), field);
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return code;
}

enum um_code um_hint(struct um_error *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return UM_E_INTERNAL;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
    return err->code;
}

static enum um_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return UM_E_NOT_FOUND;
    case EACCES:
    case EPERM:
        return UM_E_DENIED;
    case EEXIST:
        return UM_E_EXISTS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EAGAIN:
        return UM_E_NO_RESOURCES;
    case EBUSY:
        return UM_E_BUSY;
    case ETIMEDOUT:
        return UM_E_TIMEOUT;
    default:
        return UM_E_INTERNAL;
    }
}

enum um_code um_fail_errno(struct um_error *err, int errnum, const char *object, const char *fmt,
                           ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return um_fail(err, code_of_errno(errnum), object, NULL, "%s: %s", text, strerror(errnum));
}

const char *um_error_text(const struct um_error *err, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s%s%s%s", err->object, err->object[0] ? ": " : "", err->message,
             err->hint[0] ? " (" : "", err->hint, err->hint[0] ? ")" : "");
    return buf;
}
