/*
 * One guest in the daemon's memory, and the way things happen to it.
 *
 * Callbacks call guest_post(); the after-phase drains each inbox through the table of
 * vmcore/guest/state.h. An action only changes the struct and marks *effects*; the struct is stored
 * and committed; then the effects (spawn, mconsole commands, kills) run. So nothing is done about a
 * wish that is not stored, and nothing is announced that is not stored.
 *
 * Files: guest.c (the set, lookup, after-phase), guest_define.c (made, changed, removed),
 * guest_store.c (database), guest_machine.c (drain, actions), guest_start.c, guest_order.c
 * (dependencies), guest_ladder.c (the orderly stop), guest_stop.c, guest_pause.c (one verb each),
 * guest_monitor.c (the connection to umlmon), guest_signals.c (what it says of itself),
 * guest_watch.c (does it answer), guest_evidence.c (what is kept of a hang or panic), guest_adopt.c
 * (after a daemon restart), guest_wait.c (calls that wait), guest_json.c (adapters); stranger.h:
 * those that somebody else has started.
 */
#ifndef UMLD_GUEST_H
#define UMLD_GUEST_H

#include "mconsole/lane.h"
#include "mconsole/verbs.h"
#include "umld/guest_signals.h"
#include "umld/guest_watch.h"
#include "umld/umld.h"
#include "vmcore/guest/definition.h"
#include "vmcore/guest/policy.h"
#include "vmcore/guest/state.h"
#include "vmcore/monitor/proto.h"

enum { GUEST_INBOX_MAX = 32, GUEST_INBOX_TOLD_MAX = 24 };

enum guest_effect {
    EFFECT_PREPARE = 1 << 0,
    EFFECT_SPAWN = 1 << 1,
    EFFECT_PAUSE = 1 << 2,
    EFFECT_RESUME = 1 << 3,
    EFFECT_LADDER = 1 << 4, /* start the stop ladder */
    EFFECT_HALT = 1 << 5,
    EFFECT_REBOOT = 1 << 6,
    EFFECT_KILL = 1 << 7,
    EFFECT_RELEASE = 1 << 8,
    EFFECT_REATTACH = 1 << 9,
    EFFECT_FORGET = 1 << 10, /* how it ended is stored: the exit record goes */
    EFFECT_WATCH = 1 << 11,  /* somebody else's: a monitor for it, stranger.h */
    EFFECT_DEVICES = 1 << 12 /* guest_live_look() */
};

struct monitor_link;
struct guest_waiter;
struct boot_slot;
struct guest_settle;
struct stranger;

struct guest {
    struct umld *umld;
    int64_t id; /* never reused; 0: internal (a kernel probe), known to no table */
    struct guest_definition def;
    int64_t revision, created_ns;
    uid_t uid; /* its own, for as long as it exists; 0: it is umld's user (guest_ids.h) */

    /* stored */
    enum guest_state state;
    bool want_up, ready;
    bool hung;         /* its kernel was found not to answer; guest_watch.h */
    const char *asked; /* "", "pause", "resume", "reboot", or "start" when start_asked */
    uint64_t boot;
    char *kernel_path; /* NULL: never started */
    pid_t monitor_pid;
    int64_t monitor_start;
    int64_t start_ns, up_ns, ready_ns, exit_ns;
    int wait_status; /* of the last exit; -1: none */
    char *cause;     /* why it failed or ended, or NULL */
    unsigned failures, early_ends, restarts;
    int64_t next_start_ns;          /* in backoff: when it will be started, wall clock */
    int rung;                       /* where on the stop ladder, enum guest_rung */
    int64_t rung_ns, rung_until_ns; /* since and until when, wall clock; 0: not on it */
    struct stranger *stranger;      /* NULL: umld started it; stranger.h */

    /* in memory only */
    bool dirty, removed;
    enum guest_state adopting_from; /* while adopting: the stored state */
    enum guest_state expired_in;    /* the state whose limit the last T_EXPIRED was about */
    enum um_code end_code;          /* of a failure before it ran, for the answer to Start */
    unsigned starts;     /* preparations begun: a late answer belongs to an earlier one */
    bool host_restarted; /* the row was stored before the host's last boot */
    bool kernel_up;
    bool start_asked;            /* start again once it is released */
    bool kill_asked;             /* its monitor was told to kill it: next time more is done */
    unsigned ends;               /* lives that have ended, to see one go by */
    bool ladder_found;           /* the daemon before this one had begun to stop it */
    struct guest_settle *settle; /* its disks are being remounted read-only, guest_settle.c */
    bool stop_rebooted;          /* told to end, it came up again */
    int64_t grace_ms;            /* what this stop gives it to shut down; 0: as set */
    const char *how;             /* what ended it, of guest_ladder_how() */
    unsigned kept;               /* stops that were taken back */
    bool parked;                 /* goes down for the host's shutdown and stays wanted up */
    bool waits;                  /* in preparing, for what it depends on; guest_order.c */
    bool looked;                 /* what it depends on has been told to start */
    bool insists;        /* its start is a user's or the host's: what has failed is tried again */
    unsigned order_mark; /* last walk over the dependencies that came by */
    char *doing;         /* what it waits for or is at, for people, or NULL */
    unsigned doings;     /* how often that has changed */
    char *status;        /* STATUS=text of the guest, or NULL */
    struct guest_signals signals;
    struct guest_watch watch;
    struct policy_end end; /* how this life is ending; text owned */
    unsigned char inbox[GUEST_INBOX_MAX];
    unsigned inbox_count;
    unsigned effects;
    struct um_timer *limit; /* the state's time limit, or the back-off delay */
    struct um_timer *step;  /* within a state: rung of the stop ladder, boot slot */
    int64_t backoff_ms;
    pid_t main_pid;
    int64_t main_start;
    int cpu; /* host CPU it is pinned to, -1 */
    bool has_slot, wants_slot;
    struct monitor_link *link;
    struct mconsole_lane *lanes[MCONSOLE_LANE_COUNT];
    struct guest_waiter *waiters;
    struct guest_live *live;                  /* devices of its kernel, or NULL; guest_live.h */
    struct launch_plan *plan;                 /* between prepare and spawn; guest_start.c */
    const struct launch_kernel *given_kernel; /* internal guests: what to boot; not owned */
    void (*on_notify)(struct guest *g, const char *text, void *arg);
    void (*on_end)(struct guest *g, void *arg);
    void *internal_arg;
    struct guest *next_name, *next_active;
    bool look;   /* what its waiters wait for may have come */
    bool active; /* on the list of those with inbox, effects, dirt or look */
};

/* ---- guest.c: the set of all guests ---- */
struct guests *guests_new(struct umld *umld) um_check;
void guests_free(struct guests *guests);

/* ---- guest_store.c ---- */
enum um_code guests_load(struct umld *umld, struct um_error *err) um_nonnull(1) um_check;
/* Definition and devices; fresh: a new row, whose id is set. */
bool guest_store_definition(struct guest *g, bool fresh) um_nonnull(1) um_check;
/* The columns that change with its life; on failure it stays dirty. */
void guest_store(struct guest *g) um_nonnull(1);
/* For guest_store.c: a guest in memory, def taken over; NULL: no memory. */
struct guest *guest_new(struct umld *umld, struct guest_definition *def) um_nonnull(1, 2) um_check;
bool guests_add(struct guests *guests, struct guest *g) um_nonnull(1, 2) um_check;
/* For guest_define.c: one that no table knows; one that came to nothing, taken out and freed. */
void guests_add_internal(struct guests *guests, struct guest *g) um_nonnull(1, 2);
void guests_discard(struct guest *g) um_nonnull(1);

/* ---- guest.c again ---- */

struct guest *guest_find(struct umld *umld, const char *name) um_nonnull(1, 2);
struct guest *guest_by_id(struct umld *umld, int64_t id) um_nonnull(1);
/* In the order of creation; internal ones left out. */
typedef void (*guest_each_fn)(struct guest *g, void *arg);
void guest_each(struct umld *umld, guest_each_fn fn, void *arg) um_nonnull(1, 2);
int guest_count(const struct umld *umld) um_nonnull(1);
struct guest *guest_list(const struct umld *umld, int index) um_nonnull(1);
/* Does an internal guest other than g have this uid? */
bool guest_internal_uid(const struct umld *umld, const struct guest *g, uid_t uid) um_nonnull(1);

/* def is taken over on success. */
enum um_code guest_create(struct umld *umld, struct guest_definition *def, struct guest **ret,
                          struct um_error *err) um_nonnull(1, 2, 3) um_check;
/* An internal guest: never stored, found only by its pointer until on_end. def is taken over. */
enum um_code guest_create_internal(struct umld *umld, struct guest_definition *def,
                                   struct guest **ret, struct um_error *err)
    um_nonnull(1, 2, 3) um_check;
/* Replace the definition (taken over on success): revision + 1. */
enum um_code guest_redefine(struct guest *g, struct guest_definition *def, struct um_error *err)
    um_nonnull(1, 2) um_check;
/* Only in a state without a process. Freed in the after-phase. */
void guest_remove(struct guest *g) um_nonnull(1);

void guest_post(struct guest *g, enum guest_event event) um_nonnull(1);
/* The time limit of the present state is over: means nothing once the state has changed. */
void guest_expire(struct guest *g) um_nonnull(1);
void guest_touch(struct guest *g) um_nonnull(1); /* a stored field changed */
void guest_effect(struct guest *g, unsigned effects) um_nonnull(1);
/* Not the guest, but something its waiters look at has changed: they are asked in the next round.
 */
void guest_look(struct guest *g) um_nonnull(1);

/* ---- guest_slots.c ---- */
/*
 * Boots are staggered: a bounded number at a time. False: wait; EFFECT_PREPARE comes again when
 * there is room. Released when the guest is ready, has had its time, or ended.
 */
bool guest_slot_take(struct guest *g, int limit) um_nonnull(1) um_check;
void guest_slot_release(struct guest *g) um_nonnull(1);
/* There may be more places than before. limit: guest_boot_places(). */
void guest_slots_offer(struct umld *umld, int limit) um_nonnull(1);
/* How many may boot at the same time (setting parallel-boots). */
int guest_boot_places(const struct umld *umld) um_nonnull(1);

/* After-phase, in this order around db_commit(). */
void guests_drain(struct guests *guests) um_nonnull(1);
void guests_store(struct guests *guests) um_nonnull(1);
bool guests_effects(struct guests *guests) um_nonnull(1); /* true: inboxes are filled again */

/* ---- guest.c again: for people ---- */
/* `guest "web"` for errors. Returns buf. */
const char *guest_object(const struct guest *g, char *buf, size_t size) um_nonnull(1, 2);
void guest_set_cause(struct guest *g, const char *text) um_nonnull(1);
void guest_clear_doing(struct guest *g) um_nonnull(1);
/* What it is at, for people; forgotten when the state changes. Who waits is told. */
void guest_set_doing(struct guest *g, const char *fmt, ...) um_nonnull(1, 2) um_format(2, 3);

/* ---- guest_machine.c ---- */
/* Remember how this life failed before it ran; kind as in policy.h. The caller posts the event. */
void guest_note_failure(struct guest *g, enum policy_end_kind kind, const struct um_error *err)
    um_nonnull(1, 3);
void guest_step(struct guest *g, enum guest_event event) um_nonnull(1);
/* Post GUEST_R_DONE, R_RETRY or R_FAIL from the policy. */
void guest_judge_end(struct guest *g) um_nonnull(1);

/* Room for guest_path(). */
#define GUEST_PATH_SIZE 700
enum guest_path {
    GUEST_PATH_DIR,      /* R/g/NAME */
    GUEST_PATH_INNER,    /* R/g/NAME/in */
    GUEST_PATH_SOCKET,   /* R/g/NAME/mon */
    GUEST_PATH_MCONSOLE, /* R/g/NAME/in/uml/mconsole */
    GUEST_PATH_STATE,    /* S/guests/NAME */
    GUEST_PATH_LOG,      /* S/guests/NAME/log */
    GUEST_PATH_EXIT,     /* S/guests/NAME/exit */
    GUEST_PATH_EVIDENCE  /* S/guests/NAME/evidence */
};
const char *guest_path(const struct guest *g, enum guest_path which, char buf[GUEST_PATH_SIZE]);

/* ---- guest_start.c ---- */
void guest_prepare(struct guest *g) um_nonnull(1);
/* It cannot be prepared: noted, logged, GUEST_R_ERROR. */
void guest_prepare_failed(struct guest *g, const struct um_error *err) um_nonnull(1, 2);
void guest_spawn(struct guest *g) um_nonnull(1);
/* Would a start fail for a reason that can be seen now: files, kernel, disks in use? */
enum um_code guest_start_check(struct guest *g, struct um_error *err) um_nonnull(1, 2) um_check;
void guest_plan_free(struct guest *g) um_nonnull(1);
/* An empty run directory, and no exit record of a former life. */
enum um_code guest_run_directory(const struct guest *g, struct um_error *err)
    um_nonnull(1, 2) um_check;
/* An umlmon with this order (order.h), connected to; gate: it gets ORDER_CGROUP_FD. */
enum um_code guest_spawn_monitor(struct guest *g, const struct um_buf *order, bool gate,
                                 struct um_error *err) um_nonnull(1, 2, 4) um_check;

/* ---- guest_ladder.c ---- */
void guest_ladder(struct guest *g) um_nonnull(1);
void guest_ladder_step(struct guest *g) um_nonnull(1); /* the step timer fired */
void guest_halt_now(struct guest *g) um_nonnull(1);

/* ---- guest_stop.c ---- */
void guest_kill(struct guest *g) um_nonnull(1);
void guest_release(struct guest *g) um_nonnull(1);
void guest_reboot(struct guest *g) um_nonnull(1);

/* ---- guest_pause.c ---- */
void guest_pause(struct guest *g) um_nonnull(1);
void guest_resume(struct guest *g) um_nonnull(1);

/* ---- guest_monitor.c ---- */
/*
 * Connect to R/g/NAME/mon; messages become events. monitor pid is watched by pidfd. */
enum um_code monitor_connect(struct guest *g, struct um_error *err) um_nonnull(1) um_check;
void guest_reattach(struct guest *g) um_nonnull(1);
/* Watch a monitor process that was just spawned or found; pidfd is owned from now on. */
void monitor_watch(struct guest *g, pid_t pid, int pidfd) um_nonnull(1);
void monitor_close(struct guest *g) um_nonnull(1);
/* The daemon is ending: kill the guest and wait for it, two seconds at the most. */
void monitor_end_now(struct guest *g) um_nonnull(1);
bool monitor_connected(const struct guest *g) um_nonnull(1);
/* Notifications of the guest that it did not pass on, in this life. */
uint64_t monitor_dropped(const struct guest *g) um_nonnull(1);
/* Its last word, that the kernel is gone; NULL: not told. */
const struct mon_state *monitor_told_end(const struct guest *g) um_nonnull(1);
/* kv record of MON_CONSOLES; NULL until it came. */
const char *monitor_consoles(const struct guest *g, size_t *ret_len) um_nonnull(1, 2);

typedef void (*monitor_done_fn)(struct umld *umld, int errnum, const char *text, void *arg);
/*
 * Send a request; payload is its struct and bytes; fds (NULL: none) are MONITOR_FDS descriptors or
 * -1, duplicated by sending. done (may be NULL) is called exactly once, with ECONNRESET if the link
 * is lost. False: not connected or full.
 */
enum { MONITOR_FDS = 2 };
bool monitor_ask(struct guest *g, enum mon_type type, const void *payload, size_t len,
                 const int fds[MONITOR_FDS], monitor_done_fn done, void *arg)
    um_nonnull(1) um_check;

/* A request whose answer is the call's reply (or error). api_relay.c. */
void monitor_relay(struct guest *g, struct api_call *call, enum mon_type type, const void *payload,
                   size_t len) um_nonnull(1, 2);

/* There is no monitor and no exit record: another monitor for a stranger that lives; else end what
 * may be left of the tree, then GUEST_P_EXITED. */
void monitor_lost(struct guest *g) um_nonnull(1);

/* ---- guest_record.c ---- */
/* Read the exit record into g. False: there is none. */
bool guest_take_exit_record(struct guest *g) um_nonnull(1);
/* The same from the monitor's last message, when it could not write a record (disk full). */
bool guest_take_told_end(struct guest *g) um_nonnull(1);
void guest_drop_exit_record(struct guest *g) um_nonnull(1);

/* ---- guest_tree.c ---- */
/*
 * SIGKILL every process of ours that serves or is the guest of the run directory dir: umlmon,
 * sandbox and kernel name it in their arguments. Returns how many there were: repeat until 0. Reads
 * all of /proc; for the rare cases when a monitor is no more.
 */
int guest_dir_kill(const struct umld *umld, const char *dir) um_nonnull(1, 2);

/* ---- guest_cgroup.c ---- */
/*
 * Control groups with the limits of g's definition, and in system mode with some it does not name;
 * none without limits. What is to be joined is appended to ret (order.h). Its run directory must be
 * there.
 */
enum um_code guest_cgroup_make(struct guest *g, struct um_strv *ret, struct um_error *err)
    um_nonnull(1, 2) um_check;
/* Those noted in a run directory whose guest is proven dead. */
void guest_cgroup_remove(struct umld *umld, const char *guest_dir) um_nonnull(1, 2);
/* Did the host kill something of it for want of memory? Before they are removed. */
bool guest_cgroup_starved(const struct guest *g) um_nonnull(1);
/* Groups that no run directory notes go, now or a little later. */
void guest_cgroups_sweep(struct umld *umld) um_nonnull(1);

/* ---- guest_adopt.c ---- */
void guests_adopt(struct umld *umld) um_nonnull(1);
void guests_adopt_done(struct umld *umld) um_nonnull(1);
/* An adopting guest's monitor told its state. */
void guest_adopted_state(struct guest *g, const struct mon_state *s) um_nonnull(1, 2);

/* ---- guest_mconsole.c ---- */
/*
 * Checked command on the verb's own lane, or on a given one. flags: MCONSOLE_* of mconsole/lane.h.
 * done may be NULL: the answer does not matter.
 */
enum um_code guest_mconsole(struct guest *g, enum mconsole_verb verb, const char *command,
                            int timeout_ms, unsigned flags, mconsole_done_fn done, void *arg,
                            struct um_error *err) um_nonnull(1, 3) um_check;
enum um_code guest_mconsole_on(struct guest *g, enum mconsole_lane_kind kind, const char *command,
                               int timeout_ms, unsigned flags, mconsole_done_fn done, void *arg,
                               struct um_error *err) um_nonnull(1, 3) um_check;
void guest_lanes_close(struct guest *g) um_nonnull(1);

/* ---- guest_wait.c ---- */
enum guest_goal {
    GOAL_KERNEL,
    GOAL_READY,
    GOAL_STOPPED, /* at rest, or its present life has ended */
    GOAL_PAUSED,
    GOAL_RUNNING,
    GOAL_ADOPTED,   /* alive and watched; missed, the guest is removed; the reply is that of
                       Guest.Adopt */
    GOAL_REBOOTED,  /* boot number above the one at the call, and kernel up */
    GOAL_REMOVED,   /* at rest; met, the guest is removed */
    GOAL_STATE,     /* w.state */
    GOAL_CONDITIONS /* any of w.conditions; the reply is that of Guest.Wait */
};
struct wait_condition;
struct guest_wait {
    enum guest_goal goal;
    enum guest_state state;            /* GOAL_STATE */
    struct wait_condition *conditions; /* GOAL_CONDITIONS: malloc'ed, taken over; begun here */
    size_t condition_count;
    int64_t timeout_ms;
    bool changed;     /* for the reply */
    bool reply_ready; /* the reply has a `ready` field (Start) */
    bool reply_how;   /* and what ended it (Stop) */
    bool reply_job;
    int64_t job; /* 0: none; ended with the outcome */
};
/* Answer the call when the goal is met or out of reach. call NULL: only the job wants to know. */
void guest_wait_add(struct guest *g, struct api_call *call, const struct guest_wait *wait)
    um_nonnull(1, 3);
/* Why a guest that came to rest did not get where it was to go. */
void guest_tell_missed(const struct guest *g, struct um_error *err) um_nonnull(1, 2);
/* events.c: there is a new event about an object; if that is a guest, its waiters look. */
void guest_event_seen(struct umld *umld, const char *object, int64_t seq, const char *type)
    um_nonnull(1, 2, 4);
void guest_waiters_check(struct guest *g) um_nonnull(1);
/* The guest is going away: every waiter is answered. */
void guest_waiters_end(struct guest *g) um_nonnull(1);
/* The daemon is going away: nobody is answered, jobs stay as they are for jobs_recover(). */
void guest_waiters_drop(struct guest *g) um_nonnull(1);

/* ---- guest_job.c ---- */
/*
 * guest_post() of a U_ event, with the event guest.asked. by: a uid, or words for what is no user.
 */
void guest_ask(struct guest *g, enum guest_event event, const char *by) um_nonnull(1, 3);
/* A job for what wait is about; wait->job is set (0: it could not be recorded). */
void guest_job_begin(struct guest *g, const char *kind, uid_t uid, struct guest_wait *wait)
    um_nonnull(1, 2, 4);
/* Columns of jobs_kinds.c. Cancelling a start stops the guest. */
enum um_code guest_job_cancel_start(struct umld *umld, int64_t id, void *arg, struct um_error *err)
    um_nonnull(1);
/* As long as it is on the first rungs of its ladder. */
enum um_code guest_job_cancel_stop(struct umld *umld, int64_t id, void *arg, struct um_error *err)
    um_nonnull(1);
bool guest_job_resume(struct umld *umld, int64_t id, const char *object, const char *goal,
                      int64_t limit_ns, void **ret_arg) um_nonnull(1, 3, 4, 6);

/* ---- guest_disks.c ---- */
/* UM_E_CONFLICT when a guest that runs, or is about to, writes a file this one uses, or reads one
 * it writes. itself: the guest that is not asked, g or what g is a copy of. */
enum um_code guest_disks_free(const struct guest *g, const struct guest *itself,
                              struct um_error *err) um_nonnull(1, 2, 3) um_check;

/* ---- api_guest.c ---- */
/*
 * The guest a call's parameter `name` means, in the revision that `ifRevision` names; NULL after
 * the error reply.
 */
struct guest *guest_of_call(struct umld *umld, struct api_call *call, const json_t *params)
    um_nonnull(1, 2, 3);
/* Is `ifRevision`, where it was given, still that of the guest? Else the error reply. */
bool guest_revision_fits(struct guest *g, struct api_call *call, const json_t *params)
    um_nonnull(1, 2, 3);

/* The error reply for problems of a definition, which know the field but not whose it is. */
void guest_definition_refuse(struct api_call *call, const char *name, struct um_error *errors,
                             size_t count) um_nonnull(1, 2, 3);
/*
 * What of a definition can only be judged with the host and the other guests in view. A kernel is
 * tried at the start; one that was defined before (old, or NULL) and is gone by now is no reason to
 * refuse another change.
 */
void guest_definition_check_around(struct umld *umld, const struct guest_definition *def,
                                   const struct guest_definition *old, struct um_error *errors,
                                   size_t max, size_t *count) um_nonnull(1, 2, 4, 6);

/* What is accepted and cannot work as it is: an array of texts, or NULL if there is nothing. */
json_t *guest_definition_warnings(struct umld *umld, const struct guest_definition *def)
    um_nonnull(1, 2) um_check;

/* ---- guest_json.c ---- */
json_t *guest_definition_json(const struct guest_definition *d) um_nonnull(1);
json_t *guest_json(const struct guest *g) um_nonnull(1);
/* The same as text, for many guests at once. */
void guest_json_text(const struct guest *g, struct um_buf *b) um_nonnull(1, 2);
/*
 * From a shape-checked Definition object. cwd NULL: relative paths are refused. Problems are
 * appended to errors; false if there are any (then *ret is empty). owner is used when the object
 * names none.
 */
bool guest_definition_from_json(const json_t *json, const char *cwd, uid_t owner,
                                struct guest_definition *ret, struct um_error *errors, size_t max,
                                size_t *ret_count) um_nonnull(1, 4, 5, 7) um_check;
/* Apply one `key=value` or device word of Update; a plain key without a value gets its default. */
enum um_code guest_definition_apply(struct guest_definition *d, const char *word, const char *cwd,
                                    struct um_error *err) um_nonnull(1, 2) um_check;
/*
 * Take back what a word said, named by what stands before its `=`: a device, a plain key (it gets
 * its default), `label:KEY`, `limit:NAME`, `protect:VERB`. False: there is nothing of this name.
 */
bool guest_definition_unapply(struct guest_definition *d, const char *name)
    um_nonnull(1, 2) um_check;
/*
 * The definition as the words that make it, each as {device: what is before its `=`, value: the
 * word, where: stored}, appended to list: devices, then what is not as if nothing were said of it.
 * only: this one alone, and a plain key even if it has its default.
 */
void guest_definition_words(const struct guest_definition *d, const char *only, json_t *list)
    um_nonnull(1, 3);

#endif
