/*
 * Jobs: long work, recorded before its first side effect. A job's row says what happened to it even
 * if the daemon dies; jobs_recover() applies the written rule to each unfinished one.
 */
#ifndef UMLD_JOBS_H
#define UMLD_JOBS_H

#include "umld/umld.h"

/* Asks the owner to stop; the owner then calls jobs_end() with UM_E_CANCELLED. */
typedef void (*job_cancel_fn)(struct umld *umld, int64_t id, void *arg);

struct jobs *jobs_new(struct umld *umld) um_check;
void jobs_free(struct jobs *jobs);

/*
 * Record a job; the caller starts the work only after this round's commit (post, do not do).
 * cancel may be NULL: not cancellable. Returns its id, 0 on failure.
 */
int64_t jobs_begin(struct umld *umld, const char *kind, const char *object, uid_t uid,
                   job_cancel_fn cancel, void *arg) um_nonnull(1, 2, 3);
void jobs_phase(struct umld *umld, int64_t id, const char *phase, int64_t done, int64_t total)
    um_nonnull(1, 3);
/* err NULL: done. UM_E_CANCELLED: cancelled. Otherwise failed. Unknown ids are ignored. */
void jobs_end(struct umld *umld, int64_t id, const struct um_error *err) um_nonnull(1);

/* Decimal id as text for replies. Returns buf. */
const char *jobs_id_text(int64_t id, char *buf, size_t size);

/*
 * After a restart: guest.start and guest.stop go on by themselves (the desired state is stored, the
 * machine finishes or undoes them) and are closed when the guest settles; image.build is failed and
 * its temporary file removed; kernel.probe is failed. Called before guests are adopted.
 */
void jobs_recover(struct umld *umld) um_nonnull(1);

#endif
