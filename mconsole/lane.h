/*
 * A lane: one client socket to one guest's mconsole, one request outstanding. Replies carry no ids,
 * so after a timeout the lane is closed and bound again under the next number; a late reply then
 * finds no address. Lanes never block the loop.
 */
#ifndef MCONSOLE_LANE_H
#define MCONSOLE_LANE_H

#include "vmcore/base/error.h"
#include "vmcore/base/loop.h"

#include <stddef.h>
#include <stdint.h>

struct mconsole_lane;

#define MCONSOLE_LANE_QUEUE_MAX 16            /* waiting requests; more are refused as busy */
#define MCONSOLE_REPLY_MAX      (256u * 1024) /* bytes of one joined reply */
#define MCONSOLE_TIMEOUT_MS     5000          /* default for one request */

/*
 * Outcome of one request. code: UM_OK (status 0), UM_E_GUEST_ERROR (status is the kernel's err,
 * text its message), UM_E_UNRESPONSIVE (timeout), UM_E_NOT_RUNNING (no socket), UM_E_NO_RESOURCES,
 * UM_E_CANCELLED (lane freed). text is NUL terminated, len without the NUL, valid during the call
 * only.
 */
typedef void (*mconsole_done_fn)(enum um_code code, int32_t status, const char *text, size_t len,
                                 void *arg);

/*
 * dir: the guest's inner directory, where the client socket is bound as `<prefix><number>` (visible
 * at the same path inside the sandbox: the kernel answers to a path). target: the guest's mconsole
 * socket. The directory is writable by a hostile guest: target is opened without following symlinks
 * (openat2) and connected through /proc/self/fd. dir NULL: a kernel in no sandbox; see
 * mconsole_endpoint_open(). Replies are accepted from the connected peer only. Nothing is opened
 * before the first request. NULL: no memory.
 */
struct mconsole_lane *mconsole_lane_new(struct um_loop *loop, const char *dir, const char *prefix,
                                        const char *target) um_nonnull(1, 3, 4) um_check;

/* Pending requests are answered UM_E_CANCELLED first. */
void mconsole_lane_free(struct mconsole_lane *lane);

enum {
    MCONSOLE_FIRST = 1, /* before those waiting */
    MCONSOLE_PEEK = 2   /* the first part decides and is the text; the rest is dropped */
};

/*
 * Queue a command (already built by verbs.h). flags: MCONSOLE_*. timeout_ms counts from sending.
 * UM_OK: done will be called exactly once, never from inside this call. Otherwise UM_E_BUSY (queue
 * full) or UM_E_INVALID (command empty/too long), and done is not called.
 */
enum um_code mconsole_lane_send(struct mconsole_lane *lane, const char *command, int timeout_ms,
                                unsigned flags, mconsole_done_fn done, void *arg,
                                struct um_error *err) um_nonnull(1, 2, 5) um_check;

/* mconsole_lane_send() with a descriptor beside the text (SCM_RIGHTS), for patched kernels. fd
 * stays the caller's and must be open until done is called. */
enum um_code mconsole_lane_send_fd(struct mconsole_lane *lane, const char *command, int fd,
                                   int timeout_ms, mconsole_done_fn done, void *arg,
                                   struct um_error *err) um_nonnull(1, 2, 5) um_check;

/* When the kernel last sent anything that answers us, um_clock_mono_ns(); 0: never. */
int64_t mconsole_lane_answered_ns(const struct mconsole_lane *lane) um_nonnull(1);

/* Forget the kernel's socket (it rebooted): reconnect at the next request. */
void mconsole_lane_reset(struct mconsole_lane *lane) um_nonnull(1);

#endif
