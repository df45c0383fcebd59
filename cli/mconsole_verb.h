/*
 * What commands over Guest.Mconsole on several guests have in common: members of struct
 * targets_verb.
 */
#ifndef CLI_MCONSOLE_VERB_H
#define CLI_MCONSOLE_VERB_H

#include "cli/targets.h"

/* The command and --timeout. */
void mconsole_verb_fill(const struct cli *cli, const char *command, json_t *params)
    um_nonnull(1, 2, 3);
/* The guest's kernel said no: UM_E_GUEST_ERROR with its words. */
bool mconsole_verb_refused(const json_t *reply, struct um_error *err) um_nonnull(2);
/* The kernel's words; with several guests each line after the guest's name. */
void mconsole_verb_tell(struct cli *cli, const char *name, const json_t *reply) um_nonnull(1, 2);

#endif
