/*
 * A lane and a kernel's socket in one process, on one real loop. The server either answers each
 * command with its own text, or holds it until the test answers.
 */
#ifndef TESTS_MCONSOLE_LANE_FIXTURE_H
#define TESTS_MCONSOLE_LANE_FIXTURE_H

#include "mconsole/lane.h"
#include "mconsole/wire.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { OUTCOME_MAX = 64 };

struct outcome {
    enum um_code code;
    int32_t status;
    size_t len;
    char text[256]; /* beginning */
    const char *tag;
};

struct lane_fixture {
    char dir[64], target[96];
    struct um_loop *loop;
    struct um_watch *server_watch;
    struct mconsole_lane *lane;
    int server;
    bool hold; /* do not answer */
    int requests, want_requests;
    char last[MCONSOLE_DATA_MAX + 1]; /* last command received */
    struct sockaddr_un from;          /* where it came from */
    socklen_t from_len;
    int received_fd;     /* that came along, or -1 */
    char received[1024]; /* all of them, blank separated */
    struct outcome outcomes[OUTCOME_MAX];
    int done, want_done;
    bool free_lane, in_send; /* free the lane in the next callback */
    const char *send_more;   /* send this in the next callback */
};

extern struct lane_fixture fx;

void fixture_setup(void);
void fixture_teardown(void);
void server_open(void);
void server_close(void); /* as a kernel that dies: the path stays */

/* What the lane is to call: records the outcome. */
void on_done(enum um_code code, int32_t status, const char *text, size_t len, void *arg);
void send_ok(const char *command, int timeout_ms, unsigned flags);
void run_until_done(int count);
void run_until_requests(int count);

/* One datagram to the last client; false when the address is gone. */
bool server_reply(int32_t err, bool more, const char *text);
bool server_send_to(const struct sockaddr_un *to, const void *data, size_t len);

#endif
