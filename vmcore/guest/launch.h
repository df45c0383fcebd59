/*
 * From a definition to exact argument vectors: the UML command line, the sandbox around it, and the
 * launch order for umlmon. Pure, golden-tested: every word of what is executed is decided here.
 * Follows the safe start recipe of the UML host-interface reference (Appendix B).
 */
#ifndef VMCORE_GUEST_LAUNCH_H
#define VMCORE_GUEST_LAUNCH_H

#include "vmcore/guest/definition.h"

struct launch_kernel {
    const char *path;        /* canonical absolute path of the binary */
    const char *const *libs; /* NULL-terminated: absolute paths to bind read-only (loader, libc) */
    bool dynamic;
    bool guard;                    /* preload libumlguard.so */
    bool vec;                      /* has vecN:, which net devices are for it */
    uint64_t lpj;                  /* 0: not learnt yet */
    const char *const *transports; /* NULL-terminated: of ethN=; NULL: none */
};

struct launch_paths {
    const char *guest_dir; /* R/g/NAME: `mon` socket; never inside the sandbox */
    const char *inner_dir; /* R/g/NAME/in: bound read-write at the same path */
    const char *log_dir;   /* S/guests/NAME/log */
    const char *exit_file; /* S/guests/NAME/exit */
    const char *umlinit;   /* libexec programs, absolute */
    const char *guard;     /* libumlguard.so, absolute */
    const char *watchdog;  /* our uml_watchdog, absolute */
    const char *bwrap;     /* absolute path of bubblewrap */
    const char *networks;  /* R/n; below it NETWORK/links. NULL: only where no net device is */
};

/*
 * What the disks' files are, looked up right before a start so that the functions below stay pure.
 * By unit number; a unit without a device stays zero.
 */
struct launch_disk {
    bool known; /* the file was looked at */
    bool cow;   /* begins with a COW header; known and not cow: the kernel is given flag d */
    bool block; /* a host block device */
    char *header_backing; /* backing file that only the COW header names; owned, or NULL */
};

struct launch_disks {
    struct launch_disk unit[DEVICE_UBD_MAX];
};

/*
 * Read them from the host. Files that cannot be read are left unknown: definition_check_files()
 * reports them. False: no memory. launch_disks_done() frees what *ret holds.
 */
bool launch_disks_read(const struct guest_definition *d, struct launch_disks *ret)
    um_nonnull(1, 2) um_check;
void launch_disks_done(struct launch_disks *disks);
/* A ubd device's name and flags as its kernel is told them: a raw image has flag d. Returns buf. */
const char *launch_disk_name(const struct device *v, const struct launch_disk *disk, char *buf,
                             size_t size) um_nonnull(1, 2, 3);

struct launch_options {
    const struct launch_disks *disks; /* from launch_disks_read(); NULL only where no disk matters:
                                         then no flag d is added and no header's backing bound */
    uint64_t boot;                    /* boot number of this start */
    int cpu;                          /* host CPU to pin to, -1: none */
    uid_t uid;                        /* the guest's own, and its gid; 0: umld's user */
    const char *const *cgroups;       /* NULL-terminated or NULL: what it joins (order.h) */
    uint64_t log_size;                /* bytes per log part */
    int log_parts;                    /* parts kept per console */
    const char *const *extra_cmdline; /* NULL-terminated or NULL: e.g. umld.run=... */
};

/* Where every kernel with CONFIG_UML_WATCHDOG looks for its helper: the sandbox has ours there. */
#define LAUNCH_WATCHDOG_PATH "/usr/bin/uml_watchdog"

/* Descriptor number of the n-th (0-based) managed/pts console besides stdio. */
#define LAUNCH_CONSOLE_FD(n) (10 + (n))
/* umlinit's control socket inside the child. */
#define LAUNCH_CONTROL_FD 9
/* Kernel command lines must stay below this (COMMAND_LINE_SIZE). */
#define LAUNCH_CMDLINE_MAX 4096

/* The kernel's umid, and with it the name of its directory below inner_dir. */
#define LAUNCH_UMID "uml"

/*
 * What the kernel is told of a net device, on its command line and by `config`:
 * `vec0:transport=bess,dst=INNER/net0,mac=…`. Returns buf.
 */
#define LAUNCH_NIC_SIZE 256
const char *launch_net_word(const struct device *v, const char *inner_dir,
                            char buf[LAUNCH_NIC_SIZE]) um_nonnull(1, 2, 3);
/* INNER/net0: where umlmon listens for the guest's connection. Returns buf. */
const char *launch_net_socket(const struct device *v, const char *inner_dir, char *buf, size_t size)
    um_nonnull(1, 2, 3);
/* `vec0`: what the guest calls a net device, and umlmon in its offers (netd/offer.h). */
const char *launch_net_interface(const struct device *v, char *buf, size_t size) um_nonnull(1, 2);

/*
 * The kernel's own arguments (argv[0] is its absolute path). umld's words come first, then devices
 * in definition order, then defaults for root=/console= when absent (always before any user `--`),
 * then cmdline words.
 */
enum um_code launch_kernel_argv(const struct guest_definition *d, const struct launch_kernel *k,
                                const struct launch_paths *p, const struct launch_options *o,
                                struct um_strv *ret, struct um_error *err)
    um_nonnull(1, 2, 3, 4, 5) um_check;

/*
 * The whole child: bwrap … umlinit [options] -- kernel-argv, or umlinit … when sandbox is off.
 */
enum um_code launch_child_argv(const struct guest_definition *d, const struct launch_kernel *k,
                               const struct launch_paths *p, const struct launch_options *o,
                               struct um_strv *ret, struct um_error *err)
    um_nonnull(1, 2, 3, 4, 5) um_check;

/* The launch order umlmon reads on descriptor 3 (keys: vmcore/monitor/order.h). */
enum um_code launch_order(const struct guest_definition *d, const struct launch_kernel *k,
                          const struct launch_paths *p, const struct launch_options *o,
                          struct um_buf *ret, struct um_error *err)
    um_nonnull(1, 2, 3, 4, 5) um_check;

#endif
