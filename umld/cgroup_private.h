/*
 * Between cgroup_place.c and cgroup.c, and for their test; nobody else includes this.
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

/* What one file of a group is told. */
struct cgroup_line {
    const char *file;
    char text[96];
    bool optional; /* the file may be missing */
};

enum { CGROUP_LINES_MAX = 128 };

/* In the order in which they have to be written. Returns how many. */
size_t cgroup_lines(bool v2, const struct guest_limits *limits, const dev_t *disks,
                    size_t disk_count, struct cgroup_line ret[CGROUP_LINES_MAX])
    um_nonnull(2, 5) um_check;

/* 0 or an errno. */
int cgroup_write(const char *dir, const char *file, const char *text) um_nonnull(1, 2, 3);

#endif
