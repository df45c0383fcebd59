/*
 * Outcomes a user can be told about. Every function that can fail for a reason worth reporting
 * returns an enum um_code (0 = UM_OK) and fills a struct um_error; one table here maps each code to
 * its wire name and exit status, so daemon and command line cannot disagree.
 */
#ifndef VMCORE_BASE_ERROR_H
#define VMCORE_BASE_ERROR_H

#include "vmcore/base/macros.h"

#include <stdbool.h>

enum um_code {
    UM_OK = 0,
    UM_E_INVALID,          /* a value is malformed or out of range */
    UM_E_USAGE,            /* the command line itself is wrong (client side only) */
    UM_E_NOT_FOUND,        /* no object of that name */
    UM_E_NOT_RUNNING,      /* the guest exists but has no live kernel */
    UM_E_EXISTS,           /* name taken */
    UM_E_WRONG_STATE,      /* the verb is not possible in the present state */
    UM_E_CONFLICT,         /* revision or requestId does not match */
    UM_E_BUSY,             /* somebody else is using it; try again later */
    UM_E_TIMEOUT,          /* a time limit passed */
    UM_E_DENIED,           /* the caller's role does not allow it */
    UM_E_NO_RESOURCES,     /* memory, descriptors, disk space, quota */
    UM_E_KERNEL_UNSAFE,    /* the kernel cannot be used on this host */
    UM_E_MISSING_SOFTWARE, /* a program or file umld needs is not installed */
    UM_E_BAD_CONFIG,       /* settings or definition cannot be used; database too new */
    UM_E_UNRESPONSIVE,     /* the guest's kernel does not answer mconsole */
    UM_E_GUEST_ERROR,      /* the guest's kernel answered with an error */
    UM_E_CRASHED,          /* the guest died while the verb was under way */
    UM_E_CANCELLED,        /* cancelled by a user */
    UM_E_UNSUPPORTED,      /* known, but not possible here */
    UM_E_UNREACHABLE,      /* no daemon answers (client side only) */
    UM_E_PARTLY,           /* some of several targets failed (client side only) */
    UM_E_INTERNAL,         /* a bug or an unexpected system error */
    UM_CODE_COUNT
};

struct um_error {
    enum um_code code;
    char object[96];   /* what it is about: `guest "web"`, `kernel /usr/bin/linux.uml` */
    char field[64];    /* the offending field or word, or empty */
    char message[640]; /* what is wrong, without the object; no trailing full stop */
    char hint[320];    /* what to do instead, or empty */
    bool retryable;    /* the same call may succeed later */
};

#define UM_ERROR_INIT                                                                              \
    (struct um_error)                                                                              \
    {                                                                                              \
        .code = UM_OK                                                                              \
    }

/* Row of the outcome table. */
struct um_code_info {
    const char *wire; /* last part of the Varlink error: io.umld.Server.<wire> */
    int exit_status;  /* of umlctl, see docs/umlctl.1 */
    bool retryable;   /* default of um_error.retryable */
};

const struct um_code_info *um_code_info(enum um_code code);

/* Code of a wire name ("NotFound" or "io.umld.Server.NotFound"); UM_E_INTERNAL if unknown. */
enum um_code um_code_from_wire(const char *wire) um_nonnull(1);

/*
 * Fill err (may be NULL) and return code. object and field may be NULL. The previous content of err
 * is overwritten.
 */
enum um_code um_fail(struct um_error *err, enum um_code code, const char *object, const char *field,
                     const char *fmt, ...) um_format(5, 6);

/* Add what to do instead to an error made by um_fail(); returns err->code. err may be NULL. */
enum um_code um_hint(struct um_error *err, const char *fmt, ...) um_format(2, 3);

/* um_fail() for a failed system call: appends strerror(errnum) and picks a code from errnum. */
enum um_code um_fail_errno(struct um_error *err, int errnum, const char *object, const char *fmt,
                           ...) um_format(4, 5);

/* `object: message (hint)` on one line, for logs and terminals. Returns buf. */
const char *um_error_text(const struct um_error *err, char *buf, size_t size);

#endif
