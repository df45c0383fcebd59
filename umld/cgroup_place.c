/*
 * Where guests' control groups can be made (cgroup.h says why there).
 */
#include "umld/cgroup_private.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

static const struct {
    const char *v1, *v2;
} controllers[LIMIT_COUNT] = {
    [LIMIT_MEMORY] = {"memory", "memory"},
    [LIMIT_PIDS] = {"pids", "pids"},
    [LIMIT_CPU] = {"cpu", "cpu"},
    [LIMIT_IO] = {"blkio", "io"},
};

static bool in_list(const char *list, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (const char *end = list + len; list < end;) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        size_t part = (size_t)((comma ? comma : end) - list);

        if (part == n && memcmp(list, word, n) == 0)
            return true;
        list += part + 1;
    }
    return false;
}

/* cgroups(7): lines `ID:CONTROLLERS:PATH`; version 2 has an empty list. NULL: not there. */
static char *own_path(const char *text, const char *controller)
{
    while (text && *text) {
        const char *list = strchr(text, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        size_t len = path ? (size_t)(path - list) - 1 : 0;

        if (path && (controller ? in_list(list + 1, len, controller) : len == 0))
            return strndup(path + 1, strcspn(path + 1, "\n"));
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return NULL;
}

struct mount {
    char root[PATH_MAX], point[PATH_MAX];
};

/* proc(5): `id parent dev ROOT POINT options ... - TYPE source SUPER`. */
static bool parse_mount(const char *line, const char *controller, struct mount *ret)
{
    char type[32], super[512];
    const char *dash = strstr(line, " - ");

    return dash && sscanf(line, "%*s %*s %*s %4095s %4095s", ret->root, ret->point) == 2 &&
           sscanf(dash + 3, "%31s %*s %511s", type, super) == 2 &&
           strcmp(type, controller ? "cgroup" : "cgroup2") == 0 &&
           (!controller || in_list(super, strlen(super), controller));
}

static bool find_mount(const char *text, const char *controller, struct mount *ret)
{
    bool found = false;

    while (text && *text && !found) {
        size_t len = strcspn(text, "\n");
        um_autostr line = strndup(text, len);

        found = line && parse_mount(line, controller, ret);
        text += len + (text[len] == '\n');
    }
    return found;
}

/* Our own group as a directory; controller NULL: of version 2. */
static char *own_dir(const char *groups, const char *mounts, const char *controller)
{
    um_autostr path = own_path(groups, controller);
    const char *inner = path;
    struct mount m;
    char *dir = NULL;

    if (!path || !find_mount(mounts, controller, &m) || um_str_starts(path, "/.."))
        return NULL;
    if (strcmp(m.root, "/") != 0) {
        if (!um_str_starts(path, m.root))
            return NULL; /* the mount does not show our part of the tree */
        inner += strlen(m.root);
    }
    if (asprintf(&dir, "%s%s", m.point, strcmp(inner, "/") == 0 ? "" : inner) < 0)
        return NULL;
    return dir;
}

static void find_v2(struct cgroups *c, const char *groups, const char *mounts)
{
    um_autostr own = own_dir(groups, mounts, NULL);
    struct mount m;
    char *slash;

    if (!own || !find_mount(mounts, NULL, &m))
        return;
    slash = strrchr(own, '/');
    if (strlen(own) > strlen(m.point) && slash)
        *slash = '\0'; /* beside our own group; the root's members are not in the way */
    c->places[PLACE_V2].v2 = true;
    if (asprintf(&c->places[PLACE_V2].dir, "%s/%s", own, c->name) < 0)
        c->places[PLACE_V2].dir = NULL;
}

static bool has_controller(const char *top, const char *controller)
{
    char path[PATH_MAX + 32], *text, *save = NULL;
    bool found = false;

    snprintf(path, sizeof(path), "%s/cgroup.controllers", top);
    if (um_file_read(path, 4096, &text, NULL, NULL))
        return false;
    for (char *word = strtok_r(text, " \n", &save); word && !found;
         word = strtok_r(NULL, " \n", &save))
        found = strcmp(word, controller) == 0;
    free(text);
    return found;
}

/* The directory that holds place p. */
static char *top_of(const struct place *p)
{
    return strndup(p->dir, (size_t)(strrchr(p->dir, '/') - p->dir));
}

/* Controllers may be mounted together. */
static int first_of(const struct cgroups *c, enum guest_limit which)
{
    int i = 0;

    while (!c->places[i].dir || strcmp(c->places[i].dir, c->places[which].dir) != 0)
        i++;
    return i;
}

static void unusable(struct cgroups *c, enum guest_limit which, const char *dir, int errnum)
{
    c->at[which] = -1;
    snprintf(c->text[which], sizeof(c->text[which]), "%s: %s", dir, strerror(errnum));
}

/* Not our own, as most groups are for who is not root: nothing needs to be tried. */
static void expect(struct cgroups *c, enum guest_limit which, const char *dir)
{
    um_autostr top = top_of(&c->places[c->at[which]]);

    snprintf(c->text[which], sizeof(c->text[which]), "%s", dir);
    if (top && access(top, W_OK) < 0)
        unusable(c, which, top, errno);
}

static void find_place(struct cgroups *c, enum guest_limit which, const char *groups,
                       const char *mounts)
{
    struct place *p = &c->places[which], *unified = &c->places[PLACE_V2];
    um_autostr own = own_dir(groups, mounts, controllers[which].v1);
    um_autostr top = unified->dir ? top_of(unified) : NULL;

    if (own && asprintf(&p->dir, "%s/%s", own, c->name) < 0)
        p->dir = NULL;
    if (p->dir)
        c->at[which] = first_of(c, which);
    else if (top && has_controller(top, controllers[which].v2))
        c->at[which] = PLACE_V2;
    if (c->at[which] < 0)
        snprintf(c->text[which], sizeof(c->text[which]),
                 "the host has no control group for it here");
    else
        expect(c, which, c->places[c->at[which]].dir);
}

struct cgroups *cgroups_new(const char *proc, const char *name)
{
    struct cgroups *c = calloc(1, sizeof(*c));
    char path[PATH_MAX];
    um_autostr groups = NULL;
    um_autostr mounts = NULL;

    if (!c || !(c->name = strdup(name))) {
        free(c);
        return NULL;
    }
    c->gate = -1;
    snprintf(path, sizeof(path), "%s/cgroup", proc);
    if (um_file_read(path, TEXT_MAX, &groups, NULL, NULL))
        groups = NULL;
    snprintf(path, sizeof(path), "%s/mountinfo", proc);
    if (um_file_read(path, TEXT_MAX, &mounts, NULL, NULL))
        mounts = NULL;
    find_v2(c, groups, mounts);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        c->at[i] = -1;
        find_place(c, (enum guest_limit)i, groups, mounts);
    }
    return c;
}

/* ---- the groups that hold those of the guests ---- */

static int make_place(const struct place *p, uid_t uid, gid_t gid)
{
    if (mkdir(p->dir, 0755) < 0 && errno != EEXIST)
        return errno;
    return chown(p->dir, uid, gid) < 0 ? errno : 0;
}

static int open_gate(struct cgroups *c, const char *dir, uid_t uid, gid_t gid)
{
    static const char *const theirs[] = {"cgroup.procs", "cgroup.subtree_control"};
    char path[PATH_MAX];

    for (size_t i = 0; i < UM_ARRAY_LEN(theirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, theirs[i]);
        if (chown(path, uid, gid) < 0)
            return errno;
    }
    snprintf(path, sizeof(path), "%s/gate", dir);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return errno;
    snprintf(path, sizeof(path), "%s/gate/cgroup.procs", dir);
    c->gate = open(path, O_WRONLY | O_CLOEXEC);
    return c->gate < 0 ? errno : 0;
}

/* cgroups(7), version 2: a controller is there if it is switched on in every group above. */
static int switch_on(const struct place *p, const char *controller)
{
    um_autostr top = top_of(p);
    char word[32];

    if (!top)
        return ENOMEM;
    snprintf(word, sizeof(word), "+%s", controller);
    /* It may be on without our right to say so: only the lower one counts. */
    (void)cgroup_write(top, "cgroup.subtree_control", word);
    return cgroup_write(p->dir, "cgroup.subtree_control", word);
}

static void prepare_v2(struct cgroups *c, uid_t uid, gid_t gid)
{
    struct place *p = &c->places[PLACE_V2];
    int errnum = make_place(p, uid, gid);

    if (errnum == 0)
        errnum = open_gate(c, p->dir, uid, gid);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        int missing = errnum;

        if (c->at[i] != PLACE_V2)
            continue;
        if (!missing)
            missing = switch_on(p, controllers[i].v2);
        if (missing)
            unusable(c, (enum guest_limit)i, p->dir, missing);
    }
    p->ready = true;
}

void cgroups_prepare(struct cgroups *c, uid_t uid, gid_t gid)
{
    bool v2 = false;

    for (int i = 0; i < LIMIT_COUNT; i++) {
        struct place *p = &c->places[i];
        int errnum = 0;

        v2 = v2 || c->at[i] == PLACE_V2;
        if (c->at[i] != i || p->ready)
            continue;
        errnum = make_place(p, uid, gid);
        if (errnum)
            unusable(c, (enum guest_limit)i, p->dir, errnum);
        p->ready = true;
    }
    if (v2 && !c->places[PLACE_V2].ready)
        prepare_v2(c, uid, gid);
}

void cgroups_free(struct cgroups *c)
{
    char path[PATH_MAX];

    if (!c)
        return;
    um_fd_close(&c->gate);
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        struct place *p = &c->places[i];

        if (p->ready && p->v2) {
            snprintf(path, sizeof(path), "%s/gate", p->dir);
            rmdir(path);
        }
        if (p->ready)
            rmdir(p->dir);
        free(p->dir);
    }
    free(c->name);
    free(c);
}

bool cgroups_hold(const struct cgroups *c, enum guest_limit which, const char **ret_text)
{
    *ret_text = c->text[which];
    return c->at[which] >= 0;
}

bool cgroups_any(const struct cgroups *c)
{
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (c->at[i] >= 0)
            return true;
    return false;
}

int cgroups_gate(const struct cgroups *c)
{
    return c->gate;
}
