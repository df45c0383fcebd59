/*
 * What one UML kernel binary is: facts read from the file and from what it prints about itself, and
 * the verdict whether it can be used on this host. Nothing here runs a kernel: umld runs it and
 * hands the texts in. Sources: UML host-interface reference §13.5, §15, §17.
 */
#ifndef VMCORE_GUEST_KERNEL_H
#define VMCORE_GUEST_KERNEL_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

struct kernel_facts {
    char release[96]; /* exactly as `--version` prints it: the name of its modules directory */
    int major, minor, patch;
    bool uml;        /* --showconfig has CONFIG_UML=y */
    bool kill_safe;  /* guest code dies with the main process: >= 6.13, or 6.12.y from 117 on */
    bool guard;      /* needs libumlguard.so: < 6.13 */
    bool seccomp;    /* --help knows seccomp= (>= 6.16) */
    bool smp;        /* --help knows ncpus= */
    bool legacy_net; /* --help knows ethN= (<= 6.15) */
    bool vector;     /* --help knows vecN: */
    struct um_strv transports; /* of ethN=: `daemon`, `tuntap`, …; `vector` when vecN: is there */
    struct um_strv config; /* `HOSTFS=y`, …: the options umld cares about, those that are set */
};

#define KERNEL_FACTS_INIT                                                                          \
    (struct kernel_facts)                                                                          \
    {                                                                                              \
        .major = 0                                                                                 \
    }

void kernel_facts_done(struct kernel_facts *f);
bool kernel_facts_copy(const struct kernel_facts *from, struct kernel_facts *ret)
    um_nonnull(1, 2) um_check;

/*
 * Texts of `--version`, `--showconfig` and `--help`, in any order; each fills its part of *f.
 * A text that cannot come from a UML kernel is UM_E_INVALID. object names the kernel in errors.
 */
enum um_code kernel_parse_version(const char *text, const char *object, struct kernel_facts *f,
                                  struct um_error *err) um_nonnull(1, 3) um_check;
enum um_code kernel_parse_config(const char *text, const char *object, struct kernel_facts *f,
                                 struct um_error *err) um_nonnull(1, 3) um_check;
enum um_code kernel_parse_help(const char *text, const char *object, struct kernel_facts *f,
                               struct um_error *err) um_nonnull(1, 3) um_check;

/* Value of one option (`HOSTFS` -> `y`), without quotes; NULL if not set or not collected. */
const char *kernel_config(const struct kernel_facts *f, const char *option) um_nonnull(1, 2);

/* major.minor.patch compared: <0, 0, >0. */
int kernel_version_compare(const struct kernel_facts *a, const struct kernel_facts *b)
    um_nonnull(1, 2);

/* The file itself. */
struct kernel_elf {
    bool dynamic;        /* has PT_INTERP: the guard can be preloaded */
    bool pie;            /* ET_DYN */
    char *interp;        /* the loader, as the file names it; NULL if static */
    struct um_strv libs; /* absolute paths to bind: loader, libraries and what they need, each where
                            the loader looks for it without a cache; feeds launch_kernel.libs */
};

#define KERNEL_ELF_INIT                                                                            \
    (struct kernel_elf)                                                                            \
    {                                                                                              \
        .interp = NULL                                                                             \
    }

void kernel_elf_done(struct kernel_elf *e);

/*
 * Inspect a binary (kernel_elf.c). Reads the file system, trusts no byte of it. UM_E_INVALID: not
 * an x86-64 program, or malformed; UM_E_MISSING_SOFTWARE: a library is in none of the loader's
 * usual directories; otherwise the code of the failed open or read.
 */
enum um_code kernel_elf_read(const char *path, struct kernel_elf *ret, struct um_error *err)
    um_nonnull(1, 2) um_check;
/*
 * Could this binary be a user-mode Linux kernel? Asked of the file alone, without executing it:
 * what kernel_elf_read() refuses, and a program in which there is no kernel configuration that says
 * UML (which --showconfig prints, uml(kernel) config.c), is none (UM_E_INVALID).
 */
enum um_code kernel_elf_check(const char *path, struct um_error *err) um_nonnull(1) um_check;

enum kernel_xstate {
    KERNEL_XSTATE_UNKNOWN, /* never probed */
    KERNEL_XSTATE_OK,      /* right as it is */
    KERNEL_XSTATE_GUARDED, /* right under the guard */
    KERNEL_XSTATE_BROKEN,  /* loses register contents: must not run guests */
    KERNEL_XSTATE_COUNT
};

const char *kernel_xstate_name(enum kernel_xstate x);
bool kernel_xstate_from_name(const char *name, enum kernel_xstate *ret) um_nonnull(1, 2) um_check;

/* What the probe guest found out. */
struct kernel_probe {
    bool ran;               /* the result line came; the rest is valid only then */
    uint64_t avx_wrong;     /* vector registers changed across page faults, count */
    uint64_t threads_wrong; /* … across switches between threads, count */
    bool pthread_ok;        /* two threads finished their work */
    uint64_t lpj;           /* loops per jiffy learnt on this host, 0: unknown */
};

/*
 * The notification of the probe guest: `PROBE avx=0 threads=0 pthread=ok lpj=49152`. False: another
 * text. Unknown keys are skipped, missing ones of the first three make it false.
 */
bool kernel_probe_parse(const char *text, struct kernel_probe *ret) um_nonnull(1, 2) um_check;

struct kernel_verdict {
    enum kernel_xstate xstate;
    bool usable;
    bool guard;        /* start guests with the guard */
    char problem[256]; /* why not usable; empty otherwise */
    char hint[256];    /* what to do, or empty */
};

/*
 * May guests run on it? guarded: the probe ran under libumlguard.so. failure (may be NULL): what
 * umld saw when the probe did not run (`kernel panic: …`, `no answer for 30 s`).
 */
void kernel_judge(const struct kernel_facts *f, bool dynamic, const struct kernel_probe *p,
                  bool guarded, const char *failure, struct kernel_verdict *ret)
    um_nonnull(1, 3, 6);

#endif
