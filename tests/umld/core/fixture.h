/*
 * A daemon that is opened but not served: everything below the API, in a directory of its own.
 */
#ifndef TESTS_UMLD_CORE_FIXTURE_H
#define TESTS_UMLD_CORE_FIXTURE_H

#include "umld/db.h"
#include "umld/umld.h"

#include <check.h>

extern struct umld *umld;
extern char fixture_dir[64];

void fixture_open(void);
void fixture_close(void);
void fixture_reopen(void); /* as after a restart of the daemon */

/* What the after-phase does up to the commit. */
void fixture_commit(void);

/* Write a file below fixture_dir; its path is valid until the next call. */
const char *fixture_file(const char *name, const void *data, size_t len);

int fixture_main(TCase *(*const cases[])(void), int count, const char *name);

#endif
