/*
 * Help, man page and shell completion: three renderings of the command table.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

#include <stdio.h>

void help_overview(FILE *out) um_nonnull(1);
/* Both return an exit status. */
int help_command(struct cli *cli, const struct command *command) um_nonnull(1, 2);
/* words: a command, a noun such as `kernel`, or none. */
int help_print(struct cli *cli, char *const *words, int count) um_nonnull(1);

int help_dump_man(void);        /* umlctl(1) in roff */
int help_dump_completion(void); /* for bash */

/* `-f, --file FILE` or `--wait STATE`. Returns buf. */
const char *help_option_text(const struct option_row *row, char *buf, size_t size) um_nonnull(1, 2);

/* Exit statuses with their meaning, ends with NULL text. Also for the man page. */
struct help_status {
    int status;
    const char *text;
};
extern const struct help_status help_statuses[];

#endif
