/*
 * Every guest a user of its own (system mode, started by root). The numbers come from a range given
 * with --guest-uids, by /etc/subuid and /etc/subgid, or by default; gid and uid of a guest are the
 * same number. A guest has its number from creation to removal.
 *
 * umld needs no privilege for that: it holds a user namespace of its own that knows the range
 * (vmcore/base/userns.h) and enters it in short-lived children.
 *
 * Who owns what: `R/g/NAME/in` belongs to the guest's uid, with umld's group and the setgid bit, so
 * that umld reaches what the kernel makes there. Disks stay whose they were.
 */
#ifndef UMLD_GUEST_IDS_H
#define UMLD_GUEST_IDS_H

#include "umld/guest.h"
#include "vmcore/base/userns.h"
#include "vmcore/guest/launch.h"

/* When root starts umld, and neither the option nor the two files say anything: 65536 numbers that
 * systemd's allocation (UIDS-GIDS) and adduser leave alone. */
#define GUEST_IDS_DEFAULT_FIRST 0x70000000u
#define GUEST_IDS_DEFAULT_COUNT 0x10000u

/* `FIRST-LAST`, 1 to 2^31-1. */
bool guest_ids_parse(const char *text, struct um_userns_range *ret) um_nonnull(1, 2) um_check;

/*
 * The part of a range that both files (as of subuid(5)) give to the user by name or number: the
 * first row of each counts. False: they give none.
 */
bool guest_ids_of_files(const char *subuid, const char *subgid, const char *user, uid_t uid,
                        struct um_userns_range *ret) um_nonnull(1, 2, 3, 5) um_check;

/*
 * Before umld becomes uid and gid, with what --guest-uids said (count 0: nothing). Without root, or
 * when it fails for a range nobody asked for, guests stay umld's user: logged, and guest_ids_why().
 */
enum um_code guest_ids_open(struct umld *umld, const struct um_userns_range *asked, uid_t uid,
                            gid_t gid, struct um_error *err) um_nonnull(1, 2) um_check;
void guest_ids_close(struct umld *umld) um_nonnull(1);

/* Do guests have uids of their own? */
bool guest_ids_any(const struct umld *umld) um_nonnull(1);
/* Why not; "" in user mode, where it is so by design. */
const char *guest_ids_why(const struct umld *umld) um_nonnull(1);
/* The range as text, for people. Returns buf. */
const char *guest_ids_text(const struct umld *umld, char *buf, size_t size) um_nonnull(1, 2);
/* Is uid the daemon's or one that a guest may have? */
bool guest_ids_ours(const struct umld *umld, uid_t uid) um_nonnull(1);

/*
 * Give g a number of the range if it has none, or one that is no longer in it. UM_E_NO_RESOURCES:
 * all are given. Without a range g->uid becomes 0.
 */
enum um_code guest_ids_give(struct guest *g, struct um_error *err) um_nonnull(1) um_check;

/*
 * Right before the start of a guest with a number: its inner directory is made over to it, and each
 * file it is going to open is tried as that user, at the place where the sandbox takes it from.
 * Files of umld's own user that it cannot open are opened to it until guest_files_take_back().
 * Others are UM_E_BAD_CONFIG, with what to do.
 */
enum um_code guest_files_give(struct guest *g, const struct launch_kernel *kernel,
                              const struct launch_paths *paths, const struct launch_disks *disks,
                              struct um_error *err) um_nonnull(1, 2, 3, 4) um_check;
void guest_files_take_back(const struct guest *g) um_nonnull(1);
/* The same for a disk that it gets while it runs, and for the file of one that it has no more. */
enum um_code guest_files_add(struct guest *g, const struct device *v, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
void guest_files_drop(const struct guest *g, const char *path) um_nonnull(1, 2);

/* um_remove_tree() that also gets at what guests left there, whatever its mode. */
bool guest_tree_remove(const struct umld *umld, const char *path) um_nonnull(1, 2);

/* The namespace for an umlmon that starts a guest with a number; not owned. */
int guest_ids_userns(const struct umld *umld) um_nonnull(1);

/*
 * Run fn in a child that has entered the namespace with all capabilities there, or, without a
 * range, is umld's user. fn's result, an errno or 0, is the child's exit status and is returned;
 * ETIMEDOUT after GUEST_IDS_RUN_S. For what umld itself must not become.
 */
enum { GUEST_IDS_RUN_S = 30 };
int guest_ids_run(const struct umld *umld, int (*fn)(void *arg), void *arg) um_nonnull(1, 2);

#endif
