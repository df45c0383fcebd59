/*
 * The kernel registry: each UML kernel binary is probed once per (file identity, host CPU, host
 * kernel): what it says about itself, and what a probe guest finds out about it. Cached in SQLite.
 */
#ifndef UMLD_KERNELS_H
#define UMLD_KERNELS_H

#include "umld/umld.h"
#include "vmcore/guest/kernel.h"
#include "vmcore/guest/launch.h"

struct kernel_entry {
    char *name;
    char *path;     /* as registered; canonical */
    char *identity; /* dev:ino:size:mtime at the probe; NULL: never probed */
    struct kernel_facts facts;
    struct kernel_elf elf;
    struct kernel_verdict verdict;
    uint64_t lpj;
    int64_t probed_ns;
    bool hopeless; /* tried since the daemon started, in vain: not taken by default again */
    struct kernel_entry *next;
};

struct kernels *kernels_new(struct umld *umld) um_check;
void kernels_free(struct kernels *kernels);
/* Registered kernels and their valid probe results. */
enum um_code kernels_load(struct umld *umld, struct um_error *err) um_nonnull(1) um_check;

/* entry NULL: err says why. entry is valid during the call only. Called once, from the loop. */
typedef void (*kernel_ready_fn)(struct umld *umld, const struct kernel_entry *entry,
                                const struct um_error *err, void *arg);

/*
 * A usable kernel for a guest: name or path, NULL: the newest usable one (looking for Debian's
 * kernel when none is registered). Probes first when nothing valid is known; done may be called
 * from inside this call when it is.
 */
void kernels_resolve(struct umld *umld, const char *kernel, kernel_ready_fn done, void *arg)
    um_nonnull(1, 3);

/*
 * What kernels_resolve() would refuse, as far as that can be said without probing or registering
 * anything: a name that is not registered, a file that is not there or no UML kernel, a kernel
 * known to be unusable.
 */
enum um_code kernels_check(struct umld *umld, const char *kernel, struct um_error *err)
    um_nonnull(1, 3) um_check;

/* What launch.h wants to know; points into entry and libs (NULL-terminated array, owned by entry).
 */
void kernel_launch(const struct kernel_entry *entry, struct launch_kernel *ret) um_nonnull(1, 2);

/* By name or path, NULL: not registered. */
struct kernel_entry *kernels_find(struct kernels *kernels, const char *name_or_path)
    um_nonnull(1, 2);
struct kernel_entry *kernels_first(const struct kernels *kernels) um_nonnull(1);
/* Would kernels_add() do? *ret_known: the one that is there, or NULL. */
enum um_code kernels_may_add(struct kernels *kernels, const char *path, const char *name,
                             struct kernel_entry **ret_known, struct um_error *err)
    um_nonnull(1, 2, 4, 5) um_check;
/* Register (name NULL: the file's); the one that is there if the path is known. NULL: err says why.
 */
struct kernel_entry *kernels_add(struct kernels *kernels, const char *path, const char *name,
                                 struct um_error *err) um_nonnull(1, 2, 4);
void kernels_forget(struct kernels *kernels, struct kernel_entry *e) um_nonnull(1, 2);
bool kernels_is_probing(const struct kernels *kernels, const struct kernel_entry *e)
    um_nonnull(1, 2);
/* Probe now; done gets the entry whatever the verdict, NULL if the probe itself failed. */
void kernels_probe(struct umld *umld, struct kernel_entry *e, kernel_ready_fn done, void *arg)
    um_nonnull(1, 2, 3);

/* ---- kernel_probe.c ---- */
/* Fill *entry by experiment (its path is set). done as above; entry stays the caller's. */
void kernel_probe_start(struct umld *umld, struct kernel_entry *entry, kernel_ready_fn done,
                        void *arg) um_nonnull(1, 2, 3);

/* ---- kernels_json.c ---- */
json_t *kernel_json(const struct kernel_entry *entry) um_nonnull(1);
/* Fill facts, verdict, lpj from a stored result. */
bool kernel_from_json(const json_t *json, struct kernel_entry *entry) um_nonnull(1, 2) um_check;

#endif
