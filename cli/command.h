/*
 * One command = one const descriptor, listed in the table of command.c. Help, completion, the man
 * page and option parsing all read these rows; nothing about a command is written twice.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct args;
struct targets_verb;

/* One option. A table of them ends with a row whose name is NULL. */
struct option_row {
    const char *name;    /* long form, without the dashes */
    char letter;         /* short form, or 0 */
    const char *value;   /* what its value is called in help; NULL: a flag */
    const char *choices; /* `kernel|ready|none`: all its value may be; NULL: anything */
    const char *help;
};

enum command_group {
    GROUP_GUESTS,
    GROUP_DEVICES,
    GROUP_CONSOLES,
    GROUP_NETWORKS,
    GROUP_HOST,
    GROUP_API,
    GROUP_COUNT
};

/* What a command's words are, for shell completion. */
enum command_words { WORDS_OTHER, WORDS_GUEST, WORDS_GUESTS, WORDS_FILE, WORDS_COMMAND };

/* What it changes: whether --request-id and --dry-run go with it, and --if-revision. */
enum command_changes { CHANGES_NOTHING, CHANGES_SOMETHING, CHANGES_GUEST };

struct command {
    const char *name;    /* one word, or noun and verb: `kernel list` */
    const char *alias;   /* another name, or NULL */
    const char *usage;   /* words and notable options, without the command's name */
    const char *summary; /* one line, no full stop */
    const char *details; /* paragraphs for `help COMMAND` and the man page, or NULL */
    enum command_group group;
    enum command_words words;
    enum command_changes changes;
    const struct option_row *options; /* NULL: none */
    int min_words;
    int max_words; /* -1: any number */
    bool tail;     /* takes words after `--` */
    /* What it does is one of these: a verb on the guests that are named (cli/targets.h), or ... */
    const struct targets_verb *verb;
    /* Returns umlctl's exit status; has already told the user about any failure. */
    int (*run)(struct cli *cli, const struct args *args);
};

/* All commands, in the order of help; ends with NULL. */
extern const struct command *const command_table[];

/* Options that may stand before the command or among its own. */
extern const struct option_row command_global_options[];

const char *command_group_title(enum command_group group);

/*
 * Command of argv[0] or of argv[0] and argv[1] (noun and verb); *ret_used says how many words its
 * name took. NULL: there is none.
 */
const struct command *command_find(char *const *argv, int argc, int *ret_used)
    um_nonnull(1, 3) um_check;

/* True if some command's first word is this one. */
bool command_is_noun(const char *word) um_nonnull(1);

/* The name closest to what was typed, or NULL when nothing is close. */
const char *command_nearest(const char *word) um_nonnull(1);

#endif
