/*
 * The launch order: what umld hands to a new umlmon on descriptor 3 (a memfd, read to its end).
 * NUL-separated key=value pairs (vmcore/base/kv.h). umlmon has no policy: it runs what it is told.
 */
#ifndef VMCORE_MONITOR_ORDER_H
#define VMCORE_MONITOR_ORDER_H

#define ORDER_FD 3
/*
 * The listening control socket, bound by umld to ORDER_KEY_SOCKET: umld can connect at once, before
 * umlmon has read its order.
 */
#define ORDER_LISTEN_FD 4
/* With ORDER_KEY_UID: the namespace of vmcore/base/userns.h that holds this uid. */
#define ORDER_USERNS_FD 5
/* With `cgroup=gate`: the cgroup.procs of a control group on the way to the others (umld/cgroup.h).
 */
#define ORDER_CGROUP_FD   6
#define ORDER_CGROUP_GATE "gate"
#define ORDER_VERSION     "1"

#define ORDER_KEY_VERSION   "version"  /* must be ORDER_VERSION */
#define ORDER_KEY_GUEST     "guest"    /* name, for logs and the process title */
#define ORDER_KEY_BOOT      "boot"     /* decimal boot number of this start */
#define ORDER_KEY_SOCKET    "socket"   /* path of the control socket to listen on */
#define ORDER_KEY_NOTIFY    "notify"   /* path of the mconsole notify socket to bind */
#define ORDER_KEY_EXIT      "exit"     /* path of the exit record to write */
#define ORDER_KEY_LOG_DIR   "logdir"   /* console logs: <dev>.<boot>.<part>.log */
#define ORDER_KEY_LOG_SIZE  "logsize"  /* bytes per part */
#define ORDER_KEY_LOG_PARTS "logparts" /* parts kept per console, all boots together */
#define ORDER_KEY_READY     "ready"    /* notify | kernel | console */
#define ORDER_KEY_PATTERN   "pattern"  /* POSIX extended regex, with ready=console */
#define ORDER_KEY_UID       "uid"      /* of the guest, also its gid; without: umlmon's own */
#define ORDER_KEY_CGROUP    "cgroup" /* repeated: directory of a control group to join, or `gate` */
#define ORDER_KEY_CONSOLE                                                                          \
    "console" /* repeated: `<dev> <managed|pts> <fd>`; con0's pty is on                            \
                 0,1,2 always: `con0 managed 0` is the first one */
/*
 * repeated: `<interface> <listen path> <links path>`: where the kernel connects when the interface
 * goes up, and where that connection is offered (netd/offer.h)
 */
#define ORDER_KEY_NIC "nic"
#define ORDER_KEY_ARG "arg" /* repeated: the child's argv */
#define ORDER_KEY_ENV "env" /* repeated: the child's whole environment */

/*
 * Instead of a child, its consoles and its notifications (the keys from notify to env, without
 * exit): a kernel that runs already and is nobody's of ours, stranger.c.
 */
#define ORDER_KEY_STRANGER "stranger" /* `<pid> <start>`: um_clock_process_start() */
#define ORDER_KEY_MCONSOLE "mconsole" /* path of its socket: a new one there is its reboot */

#endif
