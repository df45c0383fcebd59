/*
 * The shell's own commands, one row each: dispatch, help and completion read the same table.
 */
#ifndef MCONSOLE_SHELL_COMMANDS_H
#define MCONSOLE_SHELL_COMMANDS_H

#include "mconsole/shell.h"

enum shell_words { SHELL_WORDS_NONE, SHELL_WORDS_GUESTS };

struct shell_command {
    const char *name;
    const char *option;   /* `-f`: without it the line is the kernel's; NULL: none */
    const char *argument; /* for help, or NULL */
    const char *help;
    enum shell_words words;
    bool compatible_only;
    /* arg: what follows the name (and the option), without blanks at its ends. Exit status. */
    int (*run)(struct mconsole_shell *s, const char *line, const char *arg);
};

/* Row i, or NULL behind the last. */
const struct shell_command *shell_command(const struct mconsole_shell *s, size_t i) um_nonnull(1);

/* The command a line means, and where its argument begins; NULL: it is the kernel's. */
const struct shell_command *shell_command_of(const struct mconsole_shell *s, const char *line,
                                             const char **ret_arg) um_nonnull(1, 2, 3);

/* ---- shell_log.c ---- */
/* `log -f FILE`: the file as `log` commands. Stops at the first that fails. Exit status. */
int shell_log_file(struct mconsole_shell *s, const char *path) um_nonnull(1, 2);

#endif
