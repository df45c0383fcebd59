/*
 * What a method handler sees: one call with checked parameters, and the ways to answer it.
 *
 * Rows (struct api_method) are generated from schemas/ by schemas/generate.py into api_rows.[ch]; a
 * missing handler is a link error. A handler runs inside a loop callback with parameters already
 * checked against the interface. It answers now, or keeps the call's id and answers later: calls
 * are found by id, because the client may be gone by then. Replies are only queued here; they leave
 * in the after-phase, once what they report has been committed.
 */
#ifndef UMLD_API_H
#define UMLD_API_H

#include "vmcore/base/error.h"
#include "vmcore/base/loop.h"
#include "vmcore/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct umld;       /* the daemon, umld/umld.h */
struct api_server; /* umld/server.h */
struct api_call;

/* In rising order: each includes the rights of those before it. */
enum api_role { API_ROLE_NONE, API_ROLE_VIEWER, API_ROLE_OWNER, API_ROLE_ADMIN };

enum { API_MUTATES = 1, API_LONG = 2, API_UPGRADE = 4 };

typedef void (*api_handler_fn)(struct umld *umld, struct api_call *call, const json_t *params);

struct api_method {
    const char *name;   /* io.umld.Guest.Start */
    enum api_role role; /* API_ROLE_OWNER: admin, or the owner of the guest named by `name` */
    unsigned flags;
    api_handler_fn handler;
    const void *input; /* generated type description, for the validator */
    const void *output;
};

/* Handlers are named after the method: io.umld.Guest.Start -> api_guest_start (generated
 * prototypes). */

uint64_t api_call_id(const struct api_call *call) um_nonnull(1);
/* NULL when the call was answered or its client is gone. */
struct api_call *api_call_find(struct api_server *server, uint64_t id) um_nonnull(1);
uid_t api_call_uid(const struct api_call *call) um_nonnull(1);
/*
 * The call has dryRun: the handler refuses what it would refuse, replies as it would (`changed` as
 * it would be, the rest as it is now) and changes, stores, emits and starts nothing. It waits for
 * nothing but answers to its own questions.
 */
bool api_call_dry(const struct api_call *call) um_nonnull(1);
/* The caller's role for this call, at least the method's. */
enum api_role api_call_role(const struct api_call *call) um_nonnull(1);
bool api_call_more(const struct api_call *call)
    um_nonnull(1); /* the client accepts several replies */

/*
 * Final reply. params is stolen; NULL means {}. Ends the call; the pointer stays good until the
 * after-phase, and further answers to it are ignored.
 */
void api_reply(struct api_call *call, json_t *params) um_nonnull(1);
/* The same with params as the text of a JSON object; its memory is taken. For long replies of
 * methods that change nothing. */
void api_reply_text(struct api_call *call, struct um_buf *params) um_nonnull(1, 2);

/*
 * One of several replies (`continues`). Only if api_call_more(). params is stolen. False when the
 * client is not reading fast enough: over 1 MiB is queued and this reply was NOT queued; the drain
 * callback says when to go on.
 */
bool api_reply_continue(struct api_call *call, json_t *params) um_nonnull(1) um_check;

/*
 * What is queued for the client leaves at once, as far as it fits, and not in the turn of replies.
 * Only right after a commit: all that is queued must be stored.
 */
void api_call_send_now(struct api_call *call) um_nonnull(1);
typedef void (*api_drain_fn)(struct api_call *call, void *arg);
void api_call_on_drain(struct api_call *call, api_drain_fn fn, void *arg) um_nonnull(1);

/*
 * Called when the client vanishes before the answer (never after it): the id is no longer found
 * then. Not for oneway calls, whose clients need not stay, nor by api_server_free().
 */
typedef void (*api_gone_fn)(uint64_t call_id, void *arg);
void api_call_on_gone(struct api_call *call, api_gone_fn fn, void *arg) um_nonnull(1);

/* Error reply io.umld.Server.<wire name> with the common parameters. Ends the call. */
void api_reply_error(struct api_call *call, const struct um_error *err) um_nonnull(1, 2);
/* All of several problems at once: the first is the error, the others' texts go into `more`. */
void api_reply_errors(struct api_call *call, const struct um_error *errors, size_t count)
    um_nonnull(1, 2);

/*
 * Upgrade: somebody else takes the client's connection over and writes the final reply itself, so
 * that the client hears of it no sooner than it is true. Two steps, because he may refuse: offer
 * the connection, and when he has it, let go of it; until then the call can be answered by an
 * error. Methods marked @upgrade are only run when the client asked for it, and once all earlier
 * replies of the connection have left; while it is offered nothing is read from it.
 */
struct api_upgrade {
    int fd;              /* non-blocking; the connection's own: duplicate it, or send it */
    struct um_buf reply; /* what has to be written first; the caller's */
    const char *rest; /* read beyond the request: the stream's first bytes; until the call ends */
    size_t rest_len;  /* less than the limit of one request and one read, see docs/api.md */
};

/* params is stolen. False: the call was answered, because it asked for no upgrade or the reply does
 * not fit the interface. */
bool api_upgrade_offer(struct api_call *call, json_t *params, struct api_upgrade *ret)
    um_nonnull(1, 3) um_check;
/* The call ends; our copy of the descriptor is closed. */
void api_upgrade_taken(struct api_call *call) um_nonnull(1);

#endif
