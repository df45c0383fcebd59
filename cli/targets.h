/*
 * One verb on several guests at once: each on its own connection, so that ten starts take as long
 * as the slowest, reported in the order they were named.
 */
#ifndef CLI_TARGETS_H
#define CLI_TARGETS_H

#include "cli/args.h"
#include "cli/cli.h"

struct targets_verb {
    const char *method;
    const char *doing; /* for progress: `starting` */
    bool progress;     /* the method gives a reply for each state with `more` */
    int64_t default_ms;
    /* Parameters beside the name. May be NULL. */
    void (*fill)(const struct cli *cli, const struct args *args, json_t *params);
    /* One line for the user about a success. */
    void (*tell)(const char *name, const json_t *reply);
};

/*
 * Exit status: 0, or that of the failures if none succeeded and all failed alike, 15 when some
 * succeeded, else 1.
 */
int targets_run(struct cli *cli, const struct args *args, const struct targets_verb *verb)
    um_nonnull(1, 2, 3) um_check;

/* tell for verbs replying (changed, state): `web: stopped` or `web: already stopped`. */
void targets_tell_state(const char *name, const json_t *reply) um_nonnull(1, 2);

#endif
