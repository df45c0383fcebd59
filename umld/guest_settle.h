/*
 * Before a kernel is halted or rebooted by mconsole, what its guests' programs have written must be
 * on its disks. mconsole(kernel): the answer to sysrq comes when the work is queued, not when it is
 * done; a halt right behind it loses data. So the disks are remounted read-only, and the mounts are
 * looked at until none of them is writable any more.
 */
#ifndef UMLD_GUEST_SETTLE_H
#define UMLD_GUEST_SETTLE_H

#include "umld/guest.h"

/* UM_OK: nothing is written any more. UM_E_TIMEOUT, or why the kernel could not be asked. */
typedef void (*settle_done_fn)(struct guest *g, enum um_code code);

/*
 * Remount its disks read-only. done is called once, unless the guest leaves its present state (or
 * this is called again) before; never from inside this call.
 */
void guest_settle(struct guest *g, int64_t limit_ms, settle_done_fn done) um_nonnull(1, 3);
/* It is going away. */
void guest_settle_end(struct guest *g) um_nonnull(1);

#endif
