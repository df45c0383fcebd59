/*
 * A guest's definition: what the user asked for, independent of whether it runs. Knows no JSON and
 * no SQL; umld adapts both ways.
 */
#ifndef VMCORE_GUEST_DEFINITION_H
#define VMCORE_GUEST_DEFINITION_H

#include "vmcore/guest/device.h"
#include "vmcore/guest/limits.h"

#include <sys/types.h>

enum guest_restart { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_COUNT };
enum guest_ready { READY_NOTIFY, READY_KERNEL, READY_CONSOLE, READY_COUNT };
/* What umld does about a guest whose kernel answers no more. */
enum guest_hang {
    HANG_EVENT, /* says so */
    HANG_NONE,  /* does not even look */
    HANG_RESTART,
    HANG_KILL,
    HANG_COUNT
};

struct guest_definition {
    char *name;
    char *kernel; /* registered name or absolute path; NULL: the newest usable one */
    struct device *devices;
    size_t device_count;
    struct um_strv cmdline; /* raw kernel options, as they are */
    struct um_strv labels;  /* key=value */
    struct um_strv depends; /* guests that must be ready before it starts */
    struct um_strv protect; /* `stop=REASON`, `remove=REASON` */
    enum guest_restart restart;
    enum guest_ready ready;
    enum guest_hang hang;
    char *ready_pattern; /* POSIX extended regex, for READY_CONSOLE */
    struct guest_limits limits;
    bool autostart;
    bool trusted;
    bool sandbox; /* default true */
    bool pinned;  /* keep on one host CPU (default true) */
    uid_t owner;
};

#define GUEST_MEMORY_DEFAULT (UINT64_C(64) << 20)
#define GUEST_MEMORY_MIN     (UINT64_C(24) << 20) /* kernels refuse below 20-25 MB */
#define GUEST_MEMORY_MAX     (UINT64_C(64) << 30)

#define GUEST_DEFINITION_INIT                                                                      \
    (struct guest_definition)                                                                      \
    {                                                                                              \
        .sandbox = true, .pinned = true, .owner = (uid_t)-1                                        \
    }

void guest_definition_done(struct guest_definition *d);
bool guest_definition_copy(const struct guest_definition *from, struct guest_definition *ret)
    um_nonnull(1, 2) um_check;

/* Device by name (`ubd0`), or NULL. */
const struct device *guest_definition_find(const struct guest_definition *d, const char *name)
    um_nonnull(1, 2);

/* Memory in bytes (mem= device or the default). */
uint64_t guest_definition_memory(const struct guest_definition *d) um_nonnull(1);

/* Add or replace the device of the same name; takes ownership of *device on success. */
bool guest_definition_set(struct guest_definition *d, struct device *device)
    um_nonnull(1, 2) um_check;
/* Remove by name, a device or `limit:NAME`; false if there was none. */
bool guest_definition_unset(struct guest_definition *d, const char *name) um_nonnull(1, 2);

/* `db,dns`, replacing what was there; empty: none. False: no memory (unchanged). */
bool guest_definition_set_depends(struct guest_definition *d, const char *names)
    um_nonnull(1, 2) um_check;
/* `stop=REASON`, replacing what was there; `stop=` or `stop`: lifted. False: no memory. */
bool guest_definition_set_protect(struct guest_definition *d, const char *word)
    um_nonnull(1, 2) um_check;
/* No longer protected from verb. False: it was not. */
bool guest_definition_unset_protect(struct guest_definition *d, const char *verb) um_nonnull(1, 2);
/* `key=value`, replacing the label of this key. False: no memory. */
bool guest_definition_set_label(struct guest_definition *d, const char *word)
    um_nonnull(1, 2) um_check;
/* False: there was none of this key. */
bool guest_definition_unset_label(struct guest_definition *d, const char *key) um_nonnull(1, 2);
/* Why it must not be stopped or removed; NULL: it may. Borrowed from d. */
const char *guest_definition_protected(const struct guest_definition *d, const char *verb)
    um_nonnull(1, 2);

/*
 * Everything that can be judged without touching the host: name, memory range, channels usable
 * (managed, fd 0-2, null, none, pts; others UM_E_UNSUPPORTED saying so), two devices on one
 * writable file, share paths unique and absolute and outside /proc /dev /tmp and the run directory,
 * cmdline words without blanks or control characters and none that umld sets itself (umid= uml_dir=
 * con ssl mconsole= given as raw words are refused with the reason), regex compiles, total length
 * (kernel limit 4096), depends names no guest twice and not itself, protect has known keys. Appends
 * one um_error per problem. errors: array of max entries; *ret_count: how many were filled (0:
 * valid).
 */
void guest_definition_check(const struct guest_definition *d, struct um_error *errors, size_t max,
                            size_t *ret_count) um_nonnull(1, 2, 4);

/*
 * What must be true on the host right now: disk, backing, initrd, share and hostfs paths exist and
 * are of the right type and readable (writable unless read-only); image is not empty.
 * own_uid: the guest will not be umld's user; what umld itself need not do is not asked of it.
 * One um_error per problem, as above.
 */
void guest_definition_check_files(const struct guest_definition *d, bool own_uid,
                                  struct um_error *errors, size_t max, size_t *ret_count)
    um_nonnull(1, 3, 5);

/* Is it said what to boot from: ubd0=, initrd=, or root= or rootfstype= among the kernel's words?
 */
bool guest_definition_has_root(const struct guest_definition *d) um_nonnull(1);

/*
 * Remember what each disk file is now (device.ubd.origin) where that is not known yet: called when
 * a device is defined, before a guest has had its hands on the file. False: no memory.
 */
bool guest_definition_note_origins(struct guest_definition *d) um_nonnull(1) um_check;
/* Take what is not known yet from devices of `known` with the same file. False: no memory. */
bool guest_definition_keep_origins(struct guest_definition *d, const struct guest_definition *known)
    um_nonnull(1, 2) um_check;

const char *guest_restart_name(enum guest_restart r);
bool guest_restart_from_name(const char *s, enum guest_restart *ret) um_check;
/* `notify`, `kernel`, `console` (the pattern travels beside it). */
const char *guest_ready_name(enum guest_ready r);
bool guest_ready_from_name(const char *s, enum guest_ready *ret) um_check;
const char *guest_hang_name(enum guest_hang h);
bool guest_hang_from_name(const char *s, enum guest_hang *ret) um_check;

#endif
