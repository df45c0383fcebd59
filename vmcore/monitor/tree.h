/*
 * The processes below one process, found by their parents in /proc. Used by umlinit (its own
 * children, or its whole namespace) and by umlmon as last resort.
 */
#ifndef VMCORE_MONITOR_TREE_H
#define VMCORE_MONITOR_TREE_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mon_tree {
    pid_t *pids;
    size_t count;
};

/* Descendants of root (itself excluded) that are not zombies. False: /proc unreadable, no memory.
 */
bool mon_tree_list(pid_t root, struct mon_tree *ret) um_nonnull(2) um_check;
void mon_tree_done(struct mon_tree *t);

/*
 * SIGKILL every descendant of root except spare (0: none). Returns how many living ones were seen,
 * so that a caller repeats until 0, or -1 if /proc cannot be read.
 */
int mon_tree_kill(pid_t root, pid_t spare);

/*
 * Set the CPU affinity of every thread of every descendant of root; cpu -1: all CPUs. Repeated, up
 * to a bound, until a pass finds no thread that was not seen before. Returns 0 or an errno;
 * *ret_count: threads set.
 */
int mon_tree_pin(pid_t root, int cpu, uint32_t *ret_count) um_nonnull(3);

/* Affinity of one thread (0: the caller). Returns 0 or an errno. */
int mon_tree_pin_thread(pid_t tid, int cpu);

#endif
