/*
 * What must be true on the host before a start. Kernels from 6.12 on panic when a disk cannot be
 * opened at boot (reference §11.2), so everything the kernel would check is checked here first.
 */
#include "vmcore/guest/definition_internal.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/own_files.h"
#include "vmcore/guest/cow_peek.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a root disk may begin with: file systems, partition tables and encrypted volumes. */
static const struct signature {
    off_t offset;
    const char *bytes;
    size_t len;
} signatures[] = {
    {1080, "\x53\xef", 2},         /* ext2, ext3, ext4 */
    {0, "XFSB", 4},                /* xfs */
    {65600, "_BHRfS_M", 8},        /* btrfs */
    {0, "hsqs", 4},                /* squashfs */
    {0, "\x45\x3d\xcd\x28", 4},    /* cramfs */
    {0, "-rom1fs-", 8},            /* romfs */
    {510, "\x55\xaa", 2},          /* MBR, and FAT */
    {512, "EFI PART", 8},          /* GPT */
    {1024, "\x10\x20\xf5\xf2", 4}, /* f2fs */
    {1024, "\xe2\xe1\xf5\xe0", 4}, /* erofs */
    {1040, "\x7f\x13", 2},         /* minix */
    {1040, "\x8f\x13", 2},
    {1040, "\x68\x24", 2},
    {1040, "\x78\x24", 2},
    {1030, "\x34\x34", 2},         /* nilfs2 */
    {65588, "ReIsEr", 6},          /* reiserfs */
    {32768, "JFS1", 4},            /* jfs */
    {32769, "CD001", 5},           /* iso9660 */
    {0, "LUKS\xba\xbe", 6},        /* LUKS */
    {4120, "\xc6\x85\x73\xf6", 4}, /* bcachefs */
};

/* Is there anything bootable at the beginning? Unreadable counts as yes: that is another error. */
static bool looks_like_root(const char *path)
{
    um_autofd fd = um_open_named(path);
    char data[8];

    if (fd < 0)
        return true;
    for (size_t i = 0; i < UM_ARRAY_LEN(signatures); i++) {
        const struct signature *s = &signatures[i];

        if (pread(fd, data, s->len, s->offset) == (ssize_t)s->len &&
            memcmp(data, s->bytes, s->len) == 0)
            return true;
    }
    return false;
}

static void add_stat_error(struct problems *p, const char *name, const char *what, const char *path,
                           int errnum)
{
    if (errnum == ENOENT)
        um_hint(problem_add(p, UM_E_NOT_FOUND, name, "%s %s does not exist", what, path),
                "check the path; relative paths were taken from the directory of the command");
    else
        problem_add(p, errnum == EACCES ? UM_E_DENIED : UM_E_INVALID, name, "%s %s: %s", what, path,
                    strerror(errnum));
}

static bool check_access(struct problems *p, const char *name, const char *what, const char *path,
                         bool write)
{
    const char *verb;

    /* umld looks at every disk itself; writing is for whoever the guest is. */
    write = write && !p->own_uid;
    verb = write ? "writable" : "readable";
    if (faccessat(AT_FDCWD, path, write ? R_OK | W_OK : R_OK, AT_EACCESS) == 0)
        return true;
    um_hint(problem_add(p, errno == EROFS || errno == EACCES ? UM_E_DENIED : UM_E_INVALID, name,
                        "%s %s is not %s for umld: %s", what, path, verb, strerror(errno)),
            write ? "change its permissions, or use flag r for a read-only disk"
                  : "change its permissions");
    return false;
}

/* A file that serves as a disk. False: a problem was added. */
static bool check_image(struct problems *p, const char *name, const char *what, const char *path,
                        bool write, struct stat *ret)
{
    if (stat(path, ret) < 0) {
        add_stat_error(p, name, what, path, errno);
        return false;
    }
    if (!S_ISREG(ret->st_mode) && !S_ISBLK(ret->st_mode)) {
        um_hint(problem_add(p, UM_E_INVALID, name, "%s %s is %s", what, path,
                            S_ISDIR(ret->st_mode) ? "a directory" : "no file or block device"),
                S_ISDIR(ret->st_mode) ? "a directory can be shared: share0=%s"
                                      : "give a disk image instead of %s",
                path);
        return false;
    }
    if (um_own_file_is(ret)) {
        um_hint(problem_add(p, UM_E_INVALID, name, "%s %s belongs to umld itself", what, path),
                "a guest needs files of its own");
        return false;
    }
    if (S_ISREG(ret->st_mode) && ret->st_size == 0) {
        um_hint(problem_add(p, UM_E_INVALID, name, "%s %s is empty (0 bytes)", what, path),
                "give it a size and a file system: truncate -s 1G %s && mkfs.ext4 %s", path, path);
        return false;
    }
    return check_access(p, name, what, path, write);
}

/* Backing file against what the COW header says of it; the kernel refuses any difference. */
static void check_backing(struct problems *p, const char *name, const char *cow,
                          const char *backing, const struct cow_peek *h)
{
    struct stat st;

    if (!check_image(p, name, "backing file", backing, false, &st))
        return;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size != h->size)
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "backing file %s has %" PRIu64 " bytes, but %s was made when it had "
                            "%" PRIu64,
                            backing, (uint64_t)st.st_size, cow, h->size),
                "restore the backing file as it was; the COW file is of no use with another one");
    else if (S_ISREG(st.st_mode) && (uint32_t)st.st_mtim.tv_sec != h->mtime)
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "backing file %s was modified after %s was made from it", backing, cow),
                "if its content did not change, set its time back: touch -d @%" PRIu32 " %s",
                h->mtime, backing);
}

/* A COW file that exists, and what it stands on. */
static void check_cow(struct problems *p, const char *name, const struct device *d,
                      const struct cow_peek *h)
{
    struct stat given, named;

    if (!d->ubd.backing) {
        if (h->backing[0] != '/')
            problem_add(p, UM_E_INVALID, name, "%s names its backing file by a relative path, %s",
                        d->ubd.file, h->backing);
        else
            check_backing(p, name, d->ubd.file, h->backing, h);
        return;
    }
    /* The kernel silently uses the header's file if the one that was asked for does not fit. */
    if (stat(d->ubd.backing, &given) == 0 && stat(h->backing, &named) == 0 &&
        (given.st_dev != named.st_dev || given.st_ino != named.st_ino) &&
        ((uint64_t)given.st_size != h->size || (uint32_t)given.st_mtim.tv_sec != h->mtime))
        um_hint(problem_add(p, UM_E_INVALID, name, "%s was made from %s, not from %s", d->ubd.file,
                            h->backing, d->ubd.backing),
                "ubdN=%s alone uses the right one", d->ubd.file);
    else
        check_backing(p, name, d->ubd.file, d->ubd.backing, h);
}

static bool check_cow_exists(struct problems *p, const char *name, const struct device *d)
{
    struct stat st;

    if (stat(d->ubd.file, &st) == 0 || errno != ENOENT)
        return true;
    /* The kernel would make it, but then its whole directory had to be writable from inside the
     * sandbox; with flag r it fails and leaves an empty file (reference §11.6). */
    um_hint(problem_add(p, UM_E_NOT_FOUND, name, "COW file %s does not exist", d->ubd.file),
            "make it: uml_mkcow %s %s", d->ubd.file, d->ubd.backing);
    return false;
}

/* Something else than ubd0, which is what kernels take by themselves. */
static bool other_root(const struct guest_definition *d)
{
    return guest_definition_find(d, "initrd") || cmdline_find(d, "root=") ||
           cmdline_find(d, "rootfstype=");
}

bool guest_definition_has_root(const struct guest_definition *d)
{
    return guest_definition_find(d, "ubd0") || other_root(d);
}

static bool was_raw(const struct device *v)
{
    return v->ubd.origin && strcmp(v->ubd.origin, "raw") == 0;
}

bool guest_definition_note_origins(struct guest_definition *d)
{
    for (size_t i = 0; i < d->device_count; i++) {
        struct device *v = &d->devices[i];
        enum cow_peek_result kind;
        struct cow_peek h;

        if (v->kind != DEVICE_UBD || v->ubd.origin)
            continue;
        kind = v->ubd.flags & UBD_DATA ? COW_PEEK_NONE : cow_peek_file(v->ubd.file, &h);
        v->ubd.origin = strdup(kind == COW_PEEK_OK ? h.backing : "raw");
        if (!v->ubd.origin)
            return false;
    }
    return true;
}

bool guest_definition_keep_origins(struct guest_definition *d, const struct guest_definition *known)
{
    for (size_t i = 0; i < d->device_count; i++) {
        struct device *v = &d->devices[i];

        for (size_t k = 0; v->kind == DEVICE_UBD && !v->ubd.origin && k < known->device_count;
             k++) {
            const struct device *other = &known->devices[k];

            if (other->kind != DEVICE_UBD || !other->ubd.origin ||
                strcmp(other->ubd.file, v->ubd.file) != 0)
                continue;
            v->ubd.origin = strdup(other->ubd.origin);
            if (!v->ubd.origin)
                return false;
        }
    }
    return true;
}

static void check_disk(struct problems *p, const struct guest_definition *d, const char *name,
                       const struct device *v)
{
    bool write = !(v->ubd.flags & UBD_READ_ONLY);
    enum cow_peek_result kind = COW_PEEK_NONE;
    struct cow_peek h;
    struct stat st;

    if (v->ubd.backing && !check_cow_exists(p, name, v))
        return;
    if (!check_image(p, name, v->ubd.backing ? "COW file" : "disk image", v->ubd.file, write, &st))
        return;
    if (!(v->ubd.flags & UBD_DATA) && !was_raw(v))
        kind = cow_peek_file(v->ubd.file, &h);
    if (kind == COW_PEEK_OK && v->ubd.origin && strcmp(v->ubd.origin, h.backing) != 0) {
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "%s names another backing file than when it was defined (%s, not %s)",
                            v->ubd.file, h.backing, v->ubd.origin),
                "if you changed it yourself, define the device again");
        return;
    }
    if (kind == COW_PEEK_BAD)
        um_hint(problem_add(p, UM_E_INVALID, name, "%s has a damaged COW header", v->ubd.file),
                "if it is a plain image, use flag d: ubd%dd=%s", v->index, v->ubd.file);
    else if (kind == COW_PEEK_OK)
        check_cow(p, name, v, &h);
    else if (v->ubd.backing)
        um_hint(problem_add(p, UM_E_INVALID, name, "%s is no COW file", v->ubd.file),
                "ubd%d=%s uses it as it is; uml_mkcow makes COW files", v->index, v->ubd.file);
    else if (v->index == 0 && !other_root(d) && !looks_like_root(v->ubd.file))
        um_hint(problem_add(p, UM_E_INVALID, name,
                            "%s is no file system image, and the guest is to boot from it",
                            v->ubd.file),
                "make one with mkfs.ext4; if it is one umld does not know, add root=/dev/ubda "
                "after `--`");
}

static void check_directory(struct problems *p, const char *name, const char *path, bool write)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        add_stat_error(p, name, "directory", path, errno);
        return;
    }
    if (!S_ISDIR(st.st_mode))
        problem_add(p, UM_E_INVALID, name, "%s is no directory", path);
    else if (!p->own_uid &&
             faccessat(AT_FDCWD, path, write ? R_OK | W_OK | X_OK : R_OK | X_OK, AT_EACCESS) < 0)
        um_hint(problem_add(p, UM_E_DENIED, name, "directory %s is not %s for umld: %s", path,
                            write ? "writable" : "readable", strerror(errno)),
                "change its permissions, or share it with `:ro`");
}

void guest_definition_check_files(const struct guest_definition *d, bool own_uid,
                                  struct um_error *errors, size_t max, size_t *ret_count)
{
    struct problems p;
    struct stat st;
    char name[32];

    problems_init(&p, d, errors, max);
    p.own_uid = own_uid;
    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        device_name(v, name, sizeof(name));
        if (v->kind == DEVICE_UBD)
            check_disk(&p, d, name, v);
        else if (v->kind == DEVICE_INITRD)
            (void)check_image(&p, name, "initrd", v->initrd, false, &st);
        else if (v->kind == DEVICE_SHARE)
            check_directory(&p, name, v->share.dir, !v->share.read_only);
        else if (v->kind == DEVICE_HOSTFS)
            check_directory(&p, name, v->hostfs.dir, false);
    }
    *ret_count = p.n;
}
