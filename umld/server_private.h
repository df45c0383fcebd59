/*
 * Inside the server: connections and calls. Only umld/server*.c include this.
 *
 * A connection runs one call at a time; later requests wait as bytes in its input buffer, so that
 * replies cannot overtake each other and bytes after an upgrade request are never parsed. Callbacks
 * only queue output and mark the connection dirty; api_server_after() writes, runs what waited and
 * frees. Pointers to calls and connections stay valid until then.
 */
#ifndef UMLD_SERVER_PRIVATE_H
#define UMLD_SERVER_PRIVATE_H

#include "umld/api_check.h"
#include "umld/server.h"
#include "vmcore/base/frame.h"

/* Streams stop over the first mark and are asked to go on below the second. */
enum { SERVER_STREAM_HIGH = 1 << 20, SERVER_STREAM_LOW = 1 << 18 };

struct server_conn;

struct api_call {
    struct api_server *server;
    struct server_conn *conn; /* NULL: answered, or the client is gone */
    uint64_t id;
    uid_t uid;
    const struct api_method *method;
    json_t *request;
    const json_t *params; /* in request; NULL: none */
    enum api_role role;   /* of the caller */
    bool more, oneway, upgrade;
    bool dry;     /* dryRun: say what would happen, do nothing */
    bool ended;   /* answered or given up; freed in the after-phase */
    bool held;    /* an upgrade that waits until earlier replies have left */
    bool stalled; /* a reply was refused: the drain callback is owed */
    api_drain_fn drain;
    void *drain_arg;
    api_gone_fn gone;
    void *gone_arg;
    struct api_call *next_dead;
    /* server_repeat.c */
    char *key, *digest; /* of a call with a requestId, else NULL */
    uint64_t follows;   /* it gets that call's answer and is not run; 0: none */
    bool detached;      /* its client is gone, it is not */
    struct api_call *next_detached;
};

struct server_conn {
    struct api_server *server;
    struct server_conn *next, *next_dirty; /* next: among the living or the dead */
    int fd;                                /* -1: api_server_execute() */
    uid_t uid;
    struct um_watch *watch;
    struct um_frame_in in;
    size_t waiting; /* complete requests in the input buffer */
    struct um_buf out;
    size_t out_start;      /* bytes of out already written */
    int64_t partial_since; /* when the present incomplete request began; 0: none */
    struct api_call *call;
    bool eof;     /* the client sends no more, but may still read */
    bool closing; /* close once the output has left */
    bool dead;    /* closed; freed in the after-phase */
    bool dirty;
    bool promised; /* the output holds the reply of a changing call */
};

struct api_server {
    struct um_loop *loop;
    struct umld *umld;
    struct api_server_limits limits;
    api_role_fn role;
    int listen_fd;
    struct um_watch *accept_watch;
    struct um_timer *accept_timer; /* armed: out of descriptors, accepting pauses */
    struct um_timer *tick_timer;   /* armed while a connection needs server_conn_tick() */
    struct server_conn *conns, *dirty, *dead;
    struct api_call *dead_calls;
    const struct api_memory *memory; /* NULL: requestId means nothing */
    struct api_call *detached;
    int detached_count;
    int count;
    uint64_t last_id;
    bool check_output;
    bool held; /* see api_server_hold() */
};

/* server_conn.c */
struct server_conn *server_conn_new(struct api_server *server, int fd, uid_t uid) um_check;
void server_conn_free(struct server_conn *conn);
void server_conn_dirty(struct server_conn *conn);
void server_conn_send_now(struct server_conn *conn);
/* Unwritten bytes. */
size_t server_conn_unsent(const struct server_conn *conn);
/* After-phase of one connection. True if a handler or callback ran. */
bool server_conn_after(struct server_conn *conn) um_check;
/* Limits that only time can show. True while this connection needs further ticks. */
bool server_conn_tick(struct server_conn *conn, int64_t now) um_check;
/* Close now; the descriptor is closed unless it has been taken (fd -1). */
void server_conn_close(struct server_conn *conn);
/* The client is gone: tells the call's owner, then closes. */
void server_conn_vanish(struct server_conn *conn);

/* server.c */
void server_forget_conn(struct server_conn *conn); /* closed: off the list, to be freed */
void server_need_tick(struct api_server *server);

/* server_request.c */
/* Parse, check, authorise and run one request. Faults are answered. */
void server_request(struct server_conn *conn, const char *text, size_t len);
void server_run_held(struct api_call *call);

/* server_repeat.c */
/* Look at requestId and dryRun. True: the call was answered, or waits for another's answer. */
bool server_repeated(struct api_call *call) um_check;
/* The final reply or error of a call, before it is sent: to be remembered, and for its followers.
 */
void server_repeat_replied(struct api_call *call, const json_t *params);
void server_repeat_failed(struct api_call *call, const char *name, const json_t *extra,
                          const struct um_error *errors, size_t count, size_t total);
/* The client is gone. True: the call goes on without it. */
bool server_repeat_detach(struct api_call *call) um_check;
void server_repeat_forget(struct api_call *call); /* a detached call ends */

/* server_reply.c */
/* A changing call, whose reply promises that the change is stored. */
bool server_call_stores(const struct api_call *call);
/* Ends a call without an answer (gone) or after it. */
void server_call_end(struct api_call *call);
void server_call_free(struct api_call *call);
/* One message. params is stolen, NULL means {}; error NULL: a reply. */
void server_send(struct server_conn *conn, const char *error, json_t *params, bool continues);
/* io.umld.Server.<wire> or, with name, an error of that name; extra (stolen, may be NULL) is put
 * before the common parameters; about: the object of an error that names none. */
void server_send_errors(struct server_conn *conn, const char *name, const char *about,
                        json_t *extra, const struct um_error *errors, size_t count, size_t total);
/* The same as the end of a call. */
void server_fail_call(struct api_call *call, const char *name, json_t *extra,
                      const struct um_error *errors, size_t count, size_t total);
json_t *server_json_text(const char *text) um_check;

#endif
