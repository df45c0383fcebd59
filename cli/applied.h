/*
 * What came of a change in a running guest: `applied` of the replies of Update and Detach.
 */
#ifndef CLI_APPLIED_H
#define CLI_APPLIED_H

#include "cli/cli.h"

/* A line for each device; what waits for the next start goes to standard error, as a note. */
void applied_print(struct cli *cli, const char *name, const json_t *reply) um_nonnull(1, 2);

#endif
