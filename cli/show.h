/*
 * A guest in readable form.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/cli.h"

/* Definition only, as `create --dry-run` shows it. */
void show_definition(const json_t *definition);
/* Definition and runtime of a Guest. */
void show_guest(const json_t *guest);
/* What it does now, in a few words: `running, ready` or `failed: kernel panic`. Returns buf. */
const char *show_state(const json_t *runtime, char *buf, size_t size) um_nonnull(2);
/* A note on stderr for each of a reply's `warnings`. */
void show_warnings(struct cli *cli, const json_t *reply) um_nonnull(1);
/* Seconds since its start if it has a kernel, else -1. */
int64_t show_uptime(const json_t *runtime);

#endif
