/*
 * umlinit: first process of the sandbox's pid namespace (or a subreaper without one). Starts the
 * kernel, tells umlmon who and how, and is the thing whose end is the end of everything below it.
 */
#ifndef VMCORE_MONITOR_INIT_H
#define VMCORE_MONITOR_INIT_H

#include "vmcore/base/macros.h"

#include <stdbool.h>

struct mon_init_options {
    int cpu;             /* -1: not pinned */
    int control;         /* descriptor of the socket to umlmon */
    int uid;             /* to become, with the gid of the same number; 0: stay who we are */
    bool own_namespace;  /* pid 1 of a pid namespace: kill(-1) reaches exactly our tree */
    const char *preload; /* LD_PRELOAD of the kernel, or NULL */
    char **kernel_argv;  /* NULL-terminated, [0] absolute */
};

/* `umlinit [--cpu N] [--preload PATH] [--control FD] [--uid N] [--no-namespace] -- /kernel args...`
 * NULL on success, else what is wrong. */
const char *mon_init_parse(int argc, char **argv, struct mon_init_options *ret)
    um_nonnull(2, 3) um_check;

/* Runs until the kernel and all its processes are gone. Returns the exit status. */
int mon_init_run(const struct mon_init_options *o) um_nonnull(1);

#endif
