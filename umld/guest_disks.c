/*
 * Disks in use: a file that one running guest writes is nobody else's, however it is named. Other
 * programs, kernels started by hand among them, are known by the locks they hold.
 */
#include "umld/guest_live.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/own_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct use {
    const char *path;
    bool writes, shared;
};

enum { USES_MAX = 2 };

/* The files of one device; a backing file is only read. */
static size_t uses_of(const struct device *v, struct use ret[USES_MAX])
{
    size_t n = 0;

    if (v->kind != DEVICE_UBD)
        return 0;
    ret[n++] = (struct use){.path = v->ubd.file,
                            .writes = !(v->ubd.flags & UBD_READ_ONLY),
                            .shared = v->ubd.flags & UBD_SHARED};
    if (v->ubd.backing)
        ret[n++] = (struct use){.path = v->ubd.backing};
    else if (v->ubd.origin && v->ubd.origin[0] == '/')
        ret[n++] = (struct use){.path = v->ubd.origin};
    return n;
}

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return strcmp(a, b) == 0 || (stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
                                 sa.st_ino == sb.st_ino);
}

static bool collide(const struct use *a, const struct use *b)
{
    return (a->writes || b->writes) && !(a->shared && b->shared) && same_file(a->path, b->path);
}

static const struct use *collision(const struct device *mine, const struct device *its,
                                   struct use found[USES_MAX])
{
    struct use other[USES_MAX];
    size_t n = uses_of(mine, found), m = uses_of(its, other);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            if (collide(&found[i], &other[j]))
                return &found[i];
    return NULL;
}

struct search {
    const struct guest *guest, *itself, *holder;
    struct use found[USES_MAX];
    const struct use *use;
};

static void look_through(struct search *s, const struct guest_definition *its)
{
    for (size_t i = 0; i < s->guest->def.device_count && !s->use; i++)
        for (size_t j = 0; j < its->device_count && !s->use; j++)
            s->use = collision(&s->guest->def.devices[i], &its->devices[j], s->found);
}

static void look_at(struct guest *other, void *arg)
{
    struct search *s = arg;

    if (s->use || other == s->itself ||
        !(guest_state_info(other->state)->has_process || other->plan))
        return;
    s->holder = other;
    look_through(s, &other->def);
    /* Its kernel may have what its definition has not any more, or not yet. */
    if (other->live)
        look_through(s, &other->live->now);
}

/*
 * uml(kernel): fcntl(F_SETLK) on the whole file, for writing or for reading as it is opened, and
 * for reading on backing files. From 6.12 on a kernel that does not get its lock panics (reference
 * §11). *ret_holder: a process, or -1 where only an open file is known.
 */
static bool locked(const struct use *u, pid_t *ret_holder)
{
    struct flock lock = {.l_type = u->writes ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    um_autofd fd = u->shared ? -1 : um_open_named(u->path);

    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return false;
    *ret_holder = lock.l_pid;
    return true;
}

static enum um_code refuse_locked(const struct guest *g, const char *path, pid_t holder,
                                  struct um_error *err)
{
    char object[96], who[64] = "another program", comm[32] = "", file[48];
    FILE *f;

    snprintf(file, sizeof(file), "/proc/%d/comm", (int)holder);
    f = holder > 0 ? fopen(file, "re") : NULL;
    if (f && fgets(comm, sizeof(comm), f))
        comm[strcspn(comm, "\n")] = '\0';
    if (f)
        fclose(f);
    if (holder > 0)
        snprintf(who, sizeof(who), "process %d%s%s%s", (int)holder, comm[0] ? " (" : "", comm,
                 comm[0] ? ")" : "");
    um_fail(err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), NULL,
            "disk %s is locked by %s, which is no guest of this umld", path, who);
    return um_hint(err, "end that one, or give the guest a disk of its own: "
                        "cp --sparse=always, or uml_mkcow");
}

/* Then its lock is the kernel's own. */
static bool kernel_has(const struct guest *itself, const struct use *u)
{
    struct use uses[USES_MAX];
    const struct guest_definition *now = itself->live ? &itself->live->now : NULL;

    for (size_t i = 0; now && i < now->device_count; i++)
        for (size_t n = uses_of(&now->devices[i], uses); n > 0; n--)
            if (same_file(uses[n - 1].path, u->path))
                return true;
    return false;
}

static enum um_code disks_unlocked(const struct guest *g, const struct guest *itself,
                                   struct um_error *err)
{
    struct use uses[USES_MAX];
    pid_t holder = 0;

    for (size_t i = 0; i < g->def.device_count; i++) {
        size_t n = uses_of(&g->def.devices[i], uses);

        for (size_t k = 0; k < n; k++)
            if (!kernel_has(itself, &uses[k]) && locked(&uses[k], &holder))
                return refuse_locked(g, uses[k].path, holder, err);
    }
    return UM_OK;
}

enum um_code guest_disks_free(const struct guest *g, const struct guest *itself,
                              struct um_error *err)
{
    struct search s = {.guest = g, .itself = itself};
    char object[96];

    guest_each(g->umld, look_at, &s);
    if (!s.use)
        return disks_unlocked(g, itself, err);
    um_fail(err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), NULL,
            "disk %s is in use by guest \"%s\"", s.use->path, s.holder->def.name);
    return um_hint(err, "stop that one, or give each guest a disk of its own: "
                        "cp --sparse=always, or uml_mkcow");
}
