/*
 * A server, its clients and its loop in one process: fixture_pump() runs the loop for a while, so
 * that tests can look at both ends. Handlers are the generated stubs, except:
 *
 *   io.umld.Guest.Start      answers when the test says so (fixture.started)
 *   io.umld.Server.Subscribe sends fixture.stream_count replies, waiting for a slow reader
 *   io.umld.Console.Attach   offers the connection; the test decides
 */
#ifndef TESTS_UMLD_SERVER_FIXTURE_H
#define TESTS_UMLD_SERVER_FIXTURE_H

#include "schemas/api_rows.h"
#include "tests/vmcore/base/suite.h"
#include "umld/server.h"
#include "vmcore/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct um_loop *loop;
    struct api_server *server;
    char path[64];
    enum api_role role;   /* of everybody */
    int handled;          /* Start and Resume calls that reached their handlers */
    uint64_t started[64]; /* call ids of Start */
    uint64_t gone;        /* call id of the last one abandoned */
    int stream_count, stream_sent, stream_stalls;
    size_t stream_bytes; /* of each reply */
    uint64_t offered;    /* call id of the last Attach */
    int taken;           /* a duplicate of its descriptor */
    char greeting[80];   /* the reply that has to be written to it, up to its NUL */
    char rest[64];       /* what the client sent already */
    int after_rounds;
};
extern struct fixture fixture;

struct client {
    int fd;
    struct um_buf in;
    char end; /* terminator of messages */
};

void fixture_start(const struct api_server_limits *limits); /* NULL: the defaults */
void fixture_stop(void);
/* For so long, and until what was sent before has been read and answered. */
void fixture_pump(int ms);
/* Ends the oldest Start that is still open, with a valid reply naming state. */
void fixture_answer(uint64_t id, const char *state);

struct client client_new(void);
void client_send(struct client *c, const char *data, size_t len);
/* Text with its NUL as terminator. */
void client_call(struct client *c, const char *text);
/* Next message within 20 seconds, or NULL (also at the end of the connection). */
json_t *client_next(struct client *c);
void client_expect(struct client *c, const char *json);
/* The next message is this error about this field (NULL: any). */
void client_expect_error(struct client *c, const char *error, const char *field);
void client_expect_end(struct client *c);
/* Nothing comes within ms. */
void client_expect_silence(struct client *c, int ms);
void client_done(struct client *c);

/* One request through api_server_execute(); the first message it gives (or NULL). */
json_t *fixture_execute(const char *text, size_t len);
void expect_equal(json_t *got, const char *want); /* takes got */

/* Parameters a method accepts: every required field, and the optional ones too if all is set. */
json_t *sample_params(const struct api_method *method, bool all);
json_t *sample_value(const struct api_type *type, const struct api_field *field, bool all);

#endif
