/*
 * The daemon: what all its rooms share. One struct, made in daemon.c; everything hangs from here.
 */
#ifndef UMLD_UMLD_H
#define UMLD_UMLD_H

#include "umld/api.h"
#include "vmcore/base/loop.h"
#include "vmcore/base/paths.h"
#include "vmcore/base/userns.h"

struct db;
struct guests;
struct kernels;
struct jobs;
struct job_watcher;
struct events;
struct event_feed;
struct images;
struct networks;
struct settings;
struct balance;
struct orphan;
struct host_shutdown;
struct guest_ids;
struct cgroups;

struct umld {
    struct um_loop *loop;
    struct um_timer *retry; /* armed while the database cannot be written */
    struct db *db;
    struct api_server *server;
    struct settings *settings;
    struct events *events;
    struct event_feed *feed;
    struct jobs *jobs;
    struct job_watcher *job_watchers; /* calls that wait for a job, job_watch.c */
    struct kernels *kernels;
    struct images *images;
    struct networks *networks;
    struct guests *guests;
    struct balance *balance;
    struct child *children; /* helper programs running now, umld/child.h */
    int booting;            /* guests that have a place among those booting, guest_slots.c */
    struct host_shutdown *shutdown; /* under way, or NULL */
    struct um_timer *load_timer;    /* looks again whether the host is less busy, guest_slots.c */
    int (*cpu_pressure)(void);      /* pressure.h; another one in tests */
    int order_waiting;              /* guests that wait for what they depend on, guest_order.c */
    uint64_t settlings;             /* begun so far, guest_settle.c */
    unsigned order_mark;            /* number of the last walk over the dependencies */
    struct guest_ids *ids;          /* users guests may be, guest_ids.h */
    struct cgroups *cgroups;
    struct um_timer *sweep; /* of control groups, guest_cgroup.c; made when it is needed */
    int sweeps;
    struct question *questions; /* to UMLs that umld did not start, stranger_ask.c */
    struct orphan *orphans;     /* guests nobody knows, being ended; guest_adopt.c */
    struct um_paths paths;
    bool system;
    bool log_level_given;
    uint64_t pings;     /* sent by guest_watch.c */
    int unread_guests;  /* rows of the database that could not be understood */
    int64_t started_ns; /* wall clock */
    int lock_fd;        /* R/lock, held for life */
    int state_lock_fd;  /* S/lock: the same state is never served twice */
};

struct umld_options {
    struct um_paths paths;
    bool system;
    bool background;
    bool check_only;
    bool log_level_given; /* on the command line: goes before the stored setting */
    const char *user;     /* system mode: become this user after opening what needs root */
    struct um_userns_range guest_uids; /* count 0: not given */
};

/* Open everything and adopt what is alive. On failure nothing of the daemon is left. */
enum um_code umld_start(const struct umld_options *options, struct umld **ret, struct um_error *err)
    um_nonnull(1, 2) um_check;
void umld_run(struct umld *umld) um_nonnull(1); /* until umld_quit() or SIGTERM/SIGINT */
void umld_quit(struct umld *umld) um_nonnull(1);
void umld_free(struct umld *umld);

/* The program: options, background, exit status. */
int umld_main(int argc, char **argv);

#endif
