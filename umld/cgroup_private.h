/*
 * Between cgroup_place.c and cgroup.c; nobody else includes this.
 */
#ifndef UMLD_CGROUP_PRIVATE_H
#define UMLD_CGROUP_PRIVATE_H

#include "umld/cgroup.h"

/* One place for guests' groups. Limits of one place share a group. */
struct place {
    char *dir; /* NULL: there is none */
    bool v2, ready;
};

/* Those of version 1 by limit; the last is version 2. */
enum { PLACE_V2 = LIMIT_COUNT, PLACE_COUNT };

struct cgroups {
    char *name;
    struct place places[PLACE_COUNT];
    int at[LIMIT_COUNT];         /* which one holds it; -1: none */
    char text[LIMIT_COUNT][320]; /* where, or why not */
    int gate;
};

/* 0 or an errno. */
int cgroup_write(const char *dir, const char *file, const char *text) um_nonnull(1, 2, 3);

#endif
