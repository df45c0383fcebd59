/*
 * Which guests a command is about: names, patterns (`web*`, matched here against the guests there
 * are), lists of both joined by commas, and labels, which narrow what was named.
 */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include "cli/args.h"
#include "cli/cli.h"

/* Rows for the option tables of commands whose words are all guests ... */
#define SELECT_OPTIONS {"all", 'a', NULL, NULL, "all guests"}, SELECT_ONE_OPTIONS
/* ... or whose first word is ... */
#define SELECT_ONE_OPTIONS                                                                         \
    SELECT_LABEL_OPTION,                                                                           \
    {                                                                                              \
        "parallel", 'P', "N", NULL, "at most N at the same time (default 16)"                      \
    }
/* ... or that ask once, or one after another. */
#define SELECT_LABEL_OPTION                                                                        \
    {                                                                                              \
        "label", 'l', "LABEL", NULL, "only with KEY, KEY=VALUE or KEY!=VALUE; repeat for more"     \
    }

/* The first two as whole tables, for commands without options of their own. */
extern const struct option_row select_options[], select_one_options[];

/* Well below the daemon's limit of connections for one user. */
enum { SELECT_PARALLEL = 16, SELECT_PARALLEL_MAX = 48 };

struct selection {
    char **names; /* each once: typed ones in their order, matched ones in the order of creation */
    size_t count;
    bool several; /* what was typed can mean more than one, even if it does not now */
};

/*
 * words: so many of the first words name guests. Guests are listed only if a pattern, a label or
 * --all makes it necessary. Errors: UM_E_USAGE (nothing was named; a wrong label),
 * UM_E_NOT_FOUND (a pattern, or the labels, fit no guest), those of the call; they are in
 * reply->error. select_done() in any case.
 */
enum um_code select_guests(struct cli *cli, const struct args *args, size_t words,
                           struct selection *ret, struct client_reply *reply)
    um_nonnull(1, 2, 4, 5) um_check;
void select_done(struct selection *s) um_nonnull(1);

bool select_has(const struct selection *s, const char *name) um_nonnull(1, 2);

/* Does the command line name guests at all? */
bool select_given(const struct args *args) um_nonnull(1);

/* Are the first words a single name, with nothing to look up? */
bool select_is_plain(const struct args *args, size_t words) um_nonnull(1);

/* Has a guest (of Guest.List) all the labels of the command line? Wrong ones: see select_guests. */
bool select_labels_fit(const struct args *args, const json_t *guest) um_nonnull(1);

#endif
