/*
 * A Varlink client: one connection, one call at a time (or several pipelined: replies come in
 * order). Blocking with a deadline on every wait.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct client;

enum { CLIENT_MORE = 1, CLIENT_UPGRADE = 2 };

/* For waits without end, such as following events: the user ends them. */
#define CLIENT_FOREVER INT64_MAX

/* What came back from one call. Begin with CLIENT_REPLY_INIT; client_reply_done() in any case. */
struct client_reply {
    json_t *params;        /* of the reply or of the error; NULL if the daemon said nothing */
    bool continues;        /* more replies of this call follow */
    char wire[128];        /* full Varlink name of the error, or empty */
    struct um_error error; /* code UM_OK: success */
};

#define CLIENT_REPLY_INIT                                                                          \
    (struct client_reply)                                                                          \
    {                                                                                              \
        .params = NULL                                                                             \
    }

void client_reply_done(struct client_reply *r);

/* path: the daemon's socket. UM_E_DENIED, UM_E_UNREACHABLE (nobody listens there). */
enum um_code client_connect(const char *path, struct client **ret, struct um_error *err)
    um_nonnull(1, 2) um_check;
void client_free(struct client *c);

/* params is stolen and may be NULL. deadline_ns: um_clock_mono_ns() time or CLIENT_FOREVER. */
enum um_code client_send(struct client *c, const char *method, json_t *params, unsigned flags,
                         int64_t deadline_ns, struct um_error *err) um_nonnull(1, 2) um_check;

/* The next reply. Returns ret->error.code; whatever ret held before is released. */
enum um_code client_receive(struct client *c, int64_t deadline_ns, struct client_reply *ret)
    um_nonnull(1, 3);

/*
 * The same without waiting, for several clients at once: false when the next reply has not come as
 * a whole. client_fd(): becomes readable when trying again is worth it.
 */
bool client_try(struct client *c, struct client_reply *ret) um_nonnull(1, 2) um_check;
int client_fd(const struct client *c) um_nonnull(1);
/* What is said when a deadline has passed. */
enum um_code client_too_late(struct um_error *err) um_nonnull(1);

/*
 * After a successful upgrade: the connection's descriptor (non-blocking) and the raw bytes that
 * came with the reply. The client is freed.
 */
int client_take(struct client *c, struct um_buf *ret_rest) um_nonnull(1, 2) um_check;

#endif
