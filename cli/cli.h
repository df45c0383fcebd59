/*
 * What every command works with: the global options, the connection, and the ways to speak to the
 * user. Commands return umlctl's exit status; functions here that tell the user about a failure
 * return that status, so that `return cli_error(...)` is the usual ending.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/client.h"
#include "vmcore/base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct args;

struct cli {
    const char *socket; /* --socket or UMLD_SOCKET; NULL: find or start a daemon */
    bool json;
    bool no_color;
    bool no_start;
    bool help;
    bool version;
    int64_t timeout_ms; /* --timeout; 0: not given */
    /* For the calls that change something, see cli_send(). */
    const char *request_id; /* --request-id; NULL: none */
    int64_t if_revision;    /* --if-revision, when has_revision */
    bool has_revision;
    bool dry_run;
    bool several; /* the command is about more than one guest: name each */
    bool out_tty;
    bool progress_tty; /* stderr is a terminal that understands cursor movement */
    bool progress_shown;
    struct client *client; /* NULL: not connected yet */
};

/* Usual limits for calls without --timeout, milliseconds. */
enum {
    CLI_SHORT_MS = 30000,
    CLI_LIVE_MS = 90000,
    CLI_START_MS = 120000,
    CLI_STOP_MS = 90000,
    CLI_WAIT_MS = 86400000
};

void cli_init(struct cli *cli) um_nonnull(1);
void cli_done(struct cli *cli) um_nonnull(1);
enum um_code cli_set_global(struct cli *cli, const char *name, const char *value,
                            struct um_error *err) um_nonnull(1, 2, 3) um_check;

/* The whole program behind main(). */
int cli_main(int argc, char **argv) um_nonnull(2);

/* --timeout, or this default. For `timeoutMs`. */
int64_t cli_timeout_ms(const struct cli *cli, int64_t default_ms) um_nonnull(1);
/* When to stop waiting for a reply: the time limit and 5 s for the daemon to report it itself. */
int64_t cli_deadline(const struct cli *cli, int64_t default_ms) um_nonnull(1);

/* Connect (starting a daemon if that is wanted); a second call gives the same connection. */
enum um_code cli_connect(struct cli *cli, struct um_error *err) um_nonnull(1) um_check;
/* The connection broke: a new one instead. Never starts a daemon. */
enum um_code cli_reconnect(struct cli *cli, struct um_error *err) um_nonnull(1) um_check;
/* A connection of its own, for an upgrade or beside a long call. */
enum um_code cli_connect_another(struct cli *cli, struct client **ret, struct um_error *err)
    um_nonnull(1, 2) um_check;

/*
 * client_send() with what the global options add: requestId (unless there is one), ifRevision and
 * dryRun, where the method takes them. params is stolen, may be NULL.
 */
enum um_code cli_send(struct cli *cli, struct client *client, const char *method, json_t *params,
                      unsigned flags, int64_t deadline_ns, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;

/* One call, one reply. params is stolen. Returns ret->error.code. */
enum um_code cli_call(struct cli *cli, const char *method, json_t *params, int64_t default_ms,
                      struct client_reply *ret) um_nonnull(1, 2, 5) um_check;

/*
 * cli_call() for the plain commands: failures are told to the user, with --json the reply is
 * printed. Returns the exit status; *ret_text is true when the command has to print the reply in
 * its own words.
 */
int cli_ask(struct cli *cli, const char *method, json_t *params, int64_t default_ms,
            struct client_reply *ret, bool *ret_text) um_nonnull(1, 2, 5, 6) um_check;

/*
 * With --dry-run: tells what would be done (`would remove kernel x`) by the reply's `changed`.
 * False: it is no dry run.
 */
bool cli_told_dry(const struct cli *cli, const json_t *reply, const char *fmt, ...) um_nonnull(1)
    um_format(3, 4);

/* Tell the user; return the exit status. */
int cli_error(struct cli *cli, const struct um_error *err) um_nonnull(1, 2);
int cli_reply_error(struct cli *cli, const struct client_reply *r) um_nonnull(1, 2);
int cli_usage(struct cli *cli, const struct args *args, const char *fmt, ...) um_nonnull(1)
    um_format(3, 4);
/* A note on stderr: not a failure. */
void cli_note(struct cli *cli, const char *fmt, ...) um_nonnull(1) um_format(2, 3);

/* How wide standard output's terminal is; 80 where there is none. */
size_t cli_columns(const struct cli *cli) um_nonnull(1);
/* One JSON value on a line of stdout. */
void cli_print_json(const json_t *value);
/* Push stdout out. Ends the program quietly if nobody reads it any more. */
void cli_flush(struct cli *cli) um_nonnull(1);

/* The progress line on a terminal; replaced by the next, removed by any message. */
void cli_progress(struct cli *cli, const char *fmt, ...) um_nonnull(1) um_format(2, 3);
void cli_progress_clear(struct cli *cli) um_nonnull(1);

#endif
