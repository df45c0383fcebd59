/*
 * Control groups of guests: where they can be made on this host, and one guest's limits in them.
 * Version 1 and 2 side by side, by one table of files (cgroup.c).
 *
 * Version 1: below umld's own group, whose limits hold for all guests together. Version 2: beside
 * it. There, a group with members must have no controllers of its own, and a service manager could
 * not put a restarted umld where its guests went on below; beside it, that cannot happen. A way in
 * is kept open from the time as root (the gate), because later umld may move processes only within
 * what is its own.
 */
#ifndef UMLD_CGROUP_H
#define UMLD_CGROUP_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"
#include "vmcore/guest/limits.h"

#include <sys/types.h>

struct cgroups;

/*
 * Find out what there is; nothing is made yet. proc: directory with `cgroup` and `mountinfo`
 * (/proc/self). name: of the group that will hold those of the guests. NULL: no memory.
 */
struct cgroups *cgroups_new(const char *proc, const char *name) um_nonnull(1, 2) um_check;
/* Removes what cgroups_prepare() made, if nothing is in it. */
void cgroups_free(struct cgroups *c);

/* Make the groups that hold those of the guests, and leave them to uid and gid. Once is enough. */
void cgroups_prepare(struct cgroups *c, uid_t uid, gid_t gid) um_nonnull(1);

/*
 * Can this limit be held here? *ret_text (valid as long as c): where, or why not. Before
 * cgroups_prepare() this is what can be expected.
 */
bool cgroups_hold(const struct cgroups *c, enum guest_limit which, const char **ret_text)
    um_nonnull(1, 3);
/* Some limit can be held. */
bool cgroups_any(const struct cgroups *c) um_nonnull(1);

/* To be written to before joining a group of version 2; -1: there is none. Not owned. */
int cgroups_gate(const struct cgroups *c) um_nonnull(1);

/*
 * Groups of one guest with these limits. life: makes the name another one than that of its former
 * life, which may not be gone yet. disks: whole block devices LIMIT_IO is for. Appends the
 * directories to join to ret. UM_E_UNSUPPORTED: a limit cannot be held here. On failure nothing of
 * it is left.
 */
enum um_code cgroup_make(struct cgroups *c, const char *guest, uint64_t life,
                         const struct guest_limits *limits, const dev_t *disks, size_t disk_count,
                         struct um_strv *ret, struct um_error *err) um_nonnull(1, 2, 4, 7) um_check;

/*
 * Take one away; what still lives in it is killed where the host can do that at once. False: a dead
 * process in it has not been reaped yet, or errno says what else is wrong.
 */
bool cgroup_remove(const char *dir) um_nonnull(1);

/* Processes the host killed because a group had no memory left; 0 also if that cannot be told. */
uint64_t cgroup_starved(const char *dir) um_nonnull(1);

/* Remove groups of guests for which keep says no. Returns how many could not be removed. */
int cgroups_sweep(const struct cgroups *c,
                  bool (*keep)(const char *guest, const char *dir, void *arg), void *arg)
    um_nonnull(1, 2);

#endif
