/*
 * UMLs that somebody else has started, adopted as guests (docs/adopting.md). A guest with such a
 * record runs, or ran last, as somebody else's child; its first start by umld ends that.
 *
 * Files: stranger.c (the record; its monitor), stranger_find.c (which process that is),
 * stranger_define.c (a definition of its command line), stranger_ask.c (what its kernel tells),
 * api_adopt.c (the method).
 */
#ifndef UMLD_STRANGER_H
#define UMLD_STRANGER_H

#include "umld/umld.h"
#include "vmcore/base/str.h"
#include "vmcore/guest/definition.h"

#include <jansson.h>
#include <sys/types.h>

struct guest;

struct stranger {
    char *socket; /* path of its mconsole, absolute */
    pid_t pid;
    int64_t start; /* um_clock_process_start(): with the boot of the host, who it is */
    uid_t uid;
    char *version;       /* what it answered when it was adopted */
    json_t *devices;     /* object of strings, as its kernel told them: {"ubd0": "/img"} */
    char *why_not;       /* why umld could not start it again, or NULL */
    struct um_buf ports; /* its terminals, as monitor_consoles() tells them */
    unsigned monitors;   /* that this daemon has started for it */
};

void stranger_free(struct stranger *s);

/* ---- stranger_find.c ---- */

/*
 * The process behind an mconsole socket, proven by /proc, and a pidfd of it. Errors:
 * UM_E_NOT_FOUND, UM_E_NOT_RUNNING, UM_E_DENIED (another user's), UM_E_CONFLICT (a guest of some
 * umld). Fills socket, pid, start and uid.
 */
enum um_code stranger_find(const char *socket, struct stranger **ret, int *ret_pidfd,
                           struct um_error *err) um_nonnull(1, 2, 3) um_check;
/* Is the process of this record still alive? */
bool stranger_lives(const struct stranger *s) um_nonnull(1);

/* ---- stranger_define.c ---- */

/*
 * From its command line: what umld can start goes into ret, the first thing it cannot into
 * s->why_not. Errors: UM_E_NO_RESOURCES, UM_E_NOT_RUNNING.
 */
enum um_code stranger_define(struct stranger *s, const char *name, struct guest_definition *ret,
                             struct um_error *err) um_nonnull(1, 2, 3) um_check;

/* ---- stranger_ask.c ---- */

/*
 * Asks for its version, then for each device it may have. code UM_OK: version and devices (taken
 * over by the callee; those it did not tell are missing). UM_E_CANCELLED: umld is ending.
 */
typedef void (*stranger_told_fn)(struct umld *umld, enum um_code code, const char *version,
                                 json_t *devices, void *arg);
enum um_code stranger_ask(struct umld *umld, const char *socket, stranger_told_fn told, void *arg,
                          struct um_error *err) um_nonnull(1, 2, 3) um_check;
/* The daemon is ending. */
void stranger_asks_end(struct umld *umld) um_nonnull(1);

/* ---- stranger.c ---- */

/* Takes devices over, and lists the terminals among them. */
void stranger_set_devices(struct stranger *s, json_t *devices) um_nonnull(1);

/* Make g the stranger's guest: stored with it. s is taken. */
void guest_set_stranger(struct guest *g, struct stranger *s) um_nonnull(1, 2);
/* From now on it is umld's own. */
void guest_drop_stranger(struct guest *g) um_nonnull(1);
/* False: the database cannot be read. */
bool strangers_load(struct umld *umld) um_nonnull(1) um_check;

/* EFFECT_WATCH: a monitor for it, the first or another one instead of one that died. */
void guest_watch_stranger(struct guest *g) um_nonnull(1);
/* Its monitor died. False: so did it, or it is no stranger. True: there will be another one. */
bool guest_stranger_outlives_monitor(struct guest *g) um_nonnull(1) um_check;
/* It has rebooted: its terminals are others. */
void guest_ask_stranger(struct guest *g) um_nonnull(1);
/* Let go: nobody is to watch it any more. */
void guest_dismiss_monitor(struct guest *g) um_nonnull(1);

/* Its definition is the user's own by now: nothing is held against that any more. */
void guest_stranger_redefined(struct guest *g) um_nonnull(1);
/* Can umld start what it was? UM_OK for any other guest. */
enum um_code guest_stranger_startable(const struct guest *g, struct um_error *err)
    um_nonnull(1, 2) um_check;

/* Field `adopted` of Runtime, if it is one. */
void guest_stranger_json(const struct guest *g, struct um_buf *b) um_nonnull(1, 2);

#endif
