/*
 * The Varlink server: listens, frames, parses, checks, authorises, dispatches, queues replies.
 * org.varlink.service is answered here. See docs/api.md.
 */
#ifndef UMLD_SERVER_H
#define UMLD_SERVER_H

#include "umld/api.h"
#include "vmcore/base/str.h"

struct api_server_limits {
    size_t request_bytes;     /* 1 MiB: longer closes the connection after an error */
    int json_depth;           /* 32 */
    int connections;          /* 256 in all */
    int connections_per_uid;  /* 64 */
    int calls_per_connection; /* 64 pipelined and unanswered; then reading pauses */
    size_t
        output_bytes; /* 4 MiB unsent on one connection: reading pauses; see api_reply_continue */
    int64_t half_request_ns; /* 30 s: an incomplete request older than this closes the connection */
};
extern const struct api_server_limits api_server_default_limits;

/*
 * Decides a caller's role on one call: method row, uid, and the guest's owner lookup by name.
 * Registered by umld so that the server knows no guests. Returns the caller's role for that object.
 */
typedef enum api_role (*api_role_fn)(struct umld *umld, uid_t uid, const struct api_method *method,
                                     const json_t *params);

/*
 * listen_fd: a listening SOCK_STREAM unix socket, owned by the server from now on, also when this
 * fails. The owner calls api_server_after() in the right place of the after-phase (after the
 * commit). Link schemas' handlers, or umld_api_stub_dep for tests.
 */
struct api_server *api_server_new(struct um_loop *loop, struct umld *umld, int listen_fd,
                                  const struct api_server_limits *limits, api_role_fn role)
    um_nonnull(1, 4, 5) um_check;
void api_server_free(struct api_server *server);

/*
 * Memory of the replies to calls that had a requestId, kept by umld because the server knows no
 * database: what store() writes is committed together with what the call changed. key: user and id.
 */
struct api_memo {
    char *method, *digest, *reply; /* the finder's caller frees them */
};
struct api_memory {
    bool (*find)(struct umld *umld, const char *key, struct api_memo *ret);
    void (*store)(struct umld *umld, const char *key, const char *method, const char *digest,
                  const char *reply);
};
/* memory is constant data. Without one, a requestId has no effect. */
void api_server_remember(struct api_server *server, const struct api_memory *memory)
    um_nonnull(1, 2);

/*
 * After-phase: flush queued replies, run requests that waited, free closed connections. True if
 * more work was made: go through the whole after-phase again, so that what it did is committed
 * before its replies leave.
 */
bool api_server_after(struct api_server *server) um_nonnull(1);

/*
 * held: what was done last cannot be stored now. Replies to changing calls wait, further changing
 * calls are refused, reading goes on.
 */
void api_server_hold(struct api_server *server, bool held) um_nonnull(1);

int api_server_connections(const struct api_server *server) um_nonnull(1);

/*
 * Run one request without a socket (tests, fuzzing): text is one JSON request; the replies are
 * appended to *ret, NUL after each. uid is the pretended peer. A call that is not answered at once
 * is abandoned as if its client had gone.
 */
void api_server_execute(struct api_server *server, const char *text, size_t len, uid_t uid,
                        struct um_buf *ret) um_nonnull(1, 2, 5);

#endif
