/*
 * One verb on several guests at once: each on its own connection, so that ten starts take as long
 * as the slowest and one that hangs holds up no other; reported in the order they were named.
 */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include "cli/args.h"
#include "cli/cli.h"

struct targets_verb {
    const char *method;
    const char *doing; /* for progress: `starting` */
    const char *would; /* for --dry-run: `start`; NULL: the method changes nothing */
    bool progress;     /* the method gives a reply for each state with `more` */
    bool one_word;     /* the first word names the guests, else all words do */
    int64_t default_ms;
    /* Parameters beside the name. May be NULL. */
    void (*fill)(const struct cli *cli, const struct args *args, json_t *params);
    /* Is a reply a failure after all? Then *err says why. May be NULL. */
    bool (*refused)(const json_t *reply, struct um_error *err);
    /* What the user is told about a success. */
    void (*tell)(struct cli *cli, const char *name, const json_t *reply);
};

/*
 * The guests are those select.h finds in args, the command has its options. Each has its own time
 * limit, from when it is asked. With --json there is a line for each: the reply, or error and
 * parameters; with `name` first when there can be several. Exit status: 0, or that of the failures
 * if none succeeded and all failed alike, 15 when some succeeded, else 1.
 */
int targets_run(struct cli *cli, const struct args *args, const struct targets_verb *verb)
    um_nonnull(1, 2, 3) um_check;

/* How a command went that is about several guests, for its exit status as above. */
struct targets_tally {
    size_t succeeded, failed;
    int status; /* of all failures so far; -1: they differ */
};
void targets_count(struct targets_tally *t, int status) um_nonnull(1);
int targets_status(const struct targets_tally *t) um_nonnull(1);

/* A reply as a line of JSON, with `name` first where there can be several guests. */
void targets_print_json(struct cli *cli, const char *name, json_t *reply) um_nonnull(1, 2, 3);

/* tell for verbs replying (changed, state): `web: stopped` or `web: already stopped`. */
void targets_tell_state(struct cli *cli, const char *name, const json_t *reply) um_nonnull(1, 2);

#endif
