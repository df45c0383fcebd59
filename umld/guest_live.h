/*
 * The devices of a running kernel. Three lists: what it was started with (boot: the words it is
 * executed with again when it reboots in place), what it has now, and the definition, which may say
 * more for the next start. They are noted in the guest's run directory, whose life is the kernel's,
 * so that a daemon killed in the midst of a change knows what was meant.
 *
 * Files: guest_live.c (their life), guest_live_note.c (the note), guest_live_files.c (disks in the
 * sandbox), guest_live_plan.c (what a change comes to: pure), guest_live_run.c (doing it),
 * guest_live_steps.c (what is asked for that), api_devices.c and api_config.c (the calls).
 */
#ifndef UMLD_GUEST_LIVE_H
#define UMLD_GUEST_LIVE_H

#include "umld/guest.h"

#include <jansson.h>

enum {
    LIVE_ITEMS_MAX = 64,                  /* devices of one change */
    LIVE_QUEUE_MAX = 8,                   /* calls waiting for the one under way */
    LIVE_MOUNTS_MAX = 4 * DEVICE_UBD_MAX, /* of a disk two files, of a change two disks */
    LIVE_STEP_MS = 5000,                  /* limit of one question to the kernel */
    LIVE_BOOT_MS = 60000,                 /* until a kernel that has just begun has its drivers */
    LIVE_SPEC_MAX = 480                   /* with its verb it has to fit into MCONSOLE_DATA_MAX */
};

enum live_how { LIVE_NOW, LIVE_NEXT_START, LIVE_REFUSED, LIVE_NONE, LIVE_HOW_COUNT };

/* One side of a change: a device as it was or shall be. */
struct live_side {
    struct device device; /* if there is one */
    bool there;
    char spec[LIVE_SPEC_MAX];  /* argument of `config`; empty: it has to be removed */
    char shown[LIVE_SPEC_MAX]; /* what the kernel answers when asked for it */
};

struct live_item {
    char name[32];
    enum device_kind kind;
    int index;
    enum live_how how;
    bool turned;    /* it did not happen: the sides are exchanged */
    bool touched;   /* its kernel may have done something already */
    bool took;      /* all of it was done, before another failed */
    char note[240]; /* why not live, or what it means */
    struct live_side old, fresh;
};

struct live_plan {
    struct live_item items[LIVE_ITEMS_MAX];
    size_t count;
};

struct live_job;

struct live_wish {
    char name[32];
    bool there;           /* false: it is being removed */
    struct device device; /* owned */
};

/* A file that was brought into the sandbox, or was about to be. */
struct live_mount {
    char *path; /* owned */
    bool read_only;
    bool there; /* this daemon did it */
};

struct guest_live {
    struct guest_definition boot, now; /* only their devices matter */
    struct live_wish *wishes;          /* devices being changed */
    size_t wish_count;
    struct live_mount *mounts; /* NULL until there is one; then there is room for all */
    size_t mount_count;
    bool done;    /* the wishes are settled: forgotten after the commit */
    bool settle;  /* this daemon did not begin them: look what came of them */
    bool renewed; /* its kernel began anew, with the devices of boot */
    struct live_job *job;
    struct live_waiting {
        uint64_t call;
        json_t *params;
        api_handler_fn run;
    } * queue; /* NULL until one waits; then there is room for all */
    size_t queued;
};

/* ---- guest_live.c ---- */
/* Its kernel is about to be executed with the devices of g->def. */
void guest_live_begin(struct guest *g) um_nonnull(1);
/* After a daemon restart; without a note nothing is known (g->live stays NULL). */
void guest_live_load(struct guest *g) um_nonnull(1);
/* The kernel is gone, or the daemon is going: calls under way and waiting are answered. */
void guest_live_end(struct guest *g) um_nonnull(1);
/* It has rebooted in place. */
void guest_live_renewed(struct guest *g) um_nonnull(1);
/* An event for each item that took. */
void guest_live_tell(struct guest *g, const struct live_plan *p) um_nonnull(1, 2);
/* Run the call when the job under way is over. False: too many wait. */
bool guest_live_wait(struct guest *g, struct api_call *call, const json_t *params,
                     api_handler_fn run) um_nonnull(1, 2, 3, 4) um_check;
/* EFFECT_DEVICES: it has (re)booted, was adopted, or a change was committed. */
void guest_live_look(struct guest *g) um_nonnull(1);
/* side becomes the device of that name in `now`. */
bool guest_live_set(struct guest *g, const char *name, const struct live_side *side)
    um_nonnull(1, 2, 3) um_check;

/* ---- guest_live_note.c ---- */
bool guest_live_save(struct guest *g) um_nonnull(1) um_check;
/* Note what is going to be done, before it is. */
bool guest_live_wish(struct guest *g, const struct live_plan *p) um_nonnull(1, 2) um_check;
void guest_live_unwish(struct guest_live *l) um_nonnull(1);
/* g->live as noted; NULL if there is no note, or none that can be understood. */
void guest_live_read(struct guest *g) um_nonnull(1);
void guest_live_free(struct guest_live *l);
/* Another one, its path copied. NULL: there are too many, or no memory. */
struct live_mount *guest_live_add_mount(struct guest_live *l, const char *path) um_nonnull(1, 2);

/* ---- guest_live_files.c ---- */
/* Why the disk's files cannot be brought into the sandbox while it runs, or NULL. */
const char *live_files_why_not(const struct guest *g, const struct device *v) um_nonnull(1, 2);
/* The disk's files, and nothing else they name, into the sandbox, and open to the guest's user. */
enum um_code live_files_show(struct guest *g, const struct device *v, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
/* Those that no disk in `now` needs are taken away again. */
void live_files_tidy(struct guest *g) um_nonnull(1);

/* ---- guest_live_plan.c ---- */
/*
 * From `from` to `to`, for the devices called names (NULL: all that differ). What cannot be done
 * live is LIVE_NEXT_START with the reason in note, or LIVE_REFUSED where somebody who wants it live
 * would wait for it in vain.
 */
bool live_plan_make(struct guest *g, const struct guest_definition *from,
                    const struct guest_definition *to, const struct um_strv *names,
                    struct live_plan *ret) um_nonnull(1, 2, 3, 5) um_check;
void live_plan_done(struct live_plan *p);
bool live_plan_any(const struct live_plan *p) um_nonnull(1) um_check;
/* Of a plan that is carried out there is none left that is refused. */
const char *live_how_name(enum live_how how);

/* ---- guest_live_run.c ---- */
/*
 * The job is over: err NULL when all live items took and now are in `now`. Called once; the guest
 * may be gone (NULL).
 */
typedef void (*live_done_fn)(struct umld *umld, struct guest *g, struct live_plan *plan,
                             const struct um_error *err, void *arg);
enum {
    LIVE_SINGLY = 1, /* a failing item does not undo the others */
    LIVE_SETTLE = 2  /* look first which side the kernel has; undo what is neither */
};
/* plan is taken over (malloc'ed) on success. */
enum um_code live_run(struct guest *g, struct live_plan *plan, unsigned flags, live_done_fn done,
                      void *arg, struct um_error *err) um_nonnull(1, 2, 4) um_check;
/* The guest has ended: the call under way fails. */
void live_job_end(struct guest *g) um_nonnull(1);

#endif
