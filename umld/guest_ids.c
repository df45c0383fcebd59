#include "umld/guest_ids.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct guest_ids {
    struct um_userns_range range;
    int userns; /* -1: guests are umld's own user */
    char why[640];
};

/* ---- the range ---- */

bool guest_ids_parse(const char *text, struct um_userns_range *ret)
{
    const char *dash = strchr(text, '-');
    char first[16];
    int64_t a, b;

    if (!dash || (size_t)(dash - text) >= sizeof(first))
        return false;
    memcpy(first, text, (size_t)(dash - text));
    first[dash - text] = '\0';
    if (!um_parse_int(first, 1, INT32_MAX, &a) || !um_parse_int(dash + 1, a, INT32_MAX, &b))
        return false;
    *ret = (struct um_userns_range){(uint32_t)a, (uint32_t)(b - a) + 1};
    return true;
}

/* subuid(5): `NAME-OR-UID:FIRST:COUNT`. */
static bool take_row(char *line, const char *user, uid_t uid, struct um_userns_range *ret)
{
    char *first = strchr(line, ':'), *count = first ? strchr(first + 1, ':') : NULL;
    int64_t a, n, number;

    if (!count)
        return false;
    *first++ = *count++ = '\0';
    if (strcmp(line, user) != 0 && (!um_parse_int(line, 0, UINT32_MAX, &number) || number != uid))
        return false;
    if (!um_parse_int(first, 1, INT32_MAX, &a) || !um_parse_int(count, 1, INT32_MAX - a + 1, &n))
        return false;
    *ret = (struct um_userns_range){(uint32_t)a, (uint32_t)n};
    return true;
}

static bool range_of_file(const char *path, const char *user, uid_t uid,
                          struct um_userns_range *ret)
{
    char *text, *save = NULL;
    bool found = false;

    if (um_file_read(path, 1 << 20, &text, NULL, NULL))
        return false;
    for (char *line = strtok_r(text, "\n", &save); line && !found;
         line = strtok_r(NULL, "\n", &save))
        found = take_row(line, user, uid, ret);
    free(text);
    return found;
}

bool guest_ids_of_files(const char *subuid, const char *subgid, const char *user, uid_t uid,
                        struct um_userns_range *ret)
{
    struct um_userns_range u, g;
    uint32_t first, end;

    if (!range_of_file(subuid, user, uid, &u) || !range_of_file(subgid, user, uid, &g))
        return false;
    first = u.first > g.first ? u.first : g.first;
    end = u.first + u.count < g.first + g.count ? u.first + u.count : g.first + g.count;
    if (end <= first)
        return false;
    *ret = (struct um_userns_range){first, end - first};
    return true;
}

static struct um_userns_range choose_range(uid_t uid)
{
    const struct passwd *pw = getpwuid(uid);
    struct um_userns_range range;

    if (guest_ids_of_files("/etc/subuid", "/etc/subgid", pw ? pw->pw_name : "", uid, &range))
        return range;
    return (struct um_userns_range){GUEST_IDS_DEFAULT_FIRST, GUEST_IDS_DEFAULT_COUNT};
}

static bool in_range(const struct um_userns_range *r, uid_t uid)
{
    return uid >= r->first && uid - r->first < r->count;
}

/* Somebody who can log in must not be a guest: files would be shared by accident. */
static enum um_code check_nobody_in(const struct um_userns_range *range, struct um_error *err)
{
    FILE *users = fopen("/etc/passwd", "re");
    enum um_code code = UM_OK;
    struct passwd *pw;

    while (users && !code && (pw = fgetpwent(users))) {
        if (!in_range(range, pw->pw_uid))
            continue;
        um_fail(err, UM_E_BAD_CONFIG, "--guest-uids", NULL, "%u-%u contains user %s (%u)",
                range->first, range->first + range->count - 1, pw->pw_name, (unsigned)pw->pw_uid);
        code = um_hint(err, "give a range of numbers that nobody else uses");
    }
    if (users)
        fclose(users);
    return code;
}

/* ---- the namespace ---- */

static enum um_code make(struct guest_ids *ids, const struct um_userns_range *range, uid_t uid,
                         gid_t gid, struct um_error *err)
{
    enum um_code code = check_nobody_in(range, err);

    if (!code)
        code = um_userns_new(uid, gid, range, &ids->userns, err);
    if (!code)
        ids->range = *range;
    return code;
}

static const char *without_root(const struct umld *umld)
{
    return umld->system ? "umld was not started by root" : "";
}

enum um_code guest_ids_open(struct umld *umld, const struct um_userns_range *asked, uid_t uid,
                            gid_t gid, struct um_error *err)
{
    struct guest_ids *ids = calloc(1, sizeof(*ids));
    struct um_userns_range range;
    struct um_error why;

    if (!ids)
        return um_fail(err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
    ids->userns = -1;
    umld->ids = ids;
    if (asked->count && !(umld->system && geteuid() == 0)) {
        um_fail(err, UM_E_BAD_CONFIG, "--guest-uids", NULL,
                "guests can be other users only in system mode, and when root starts umld");
        return um_hint(err, "umld --system [--user NAME], as root; or leave the option out");
    }
    if (asked->count)
        return make(ids, asked, uid, gid, err);
    range = choose_range(uid);
    if (!umld->system || geteuid() != 0)
        snprintf(ids->why, sizeof(ids->why), "%s", without_root(umld));
    else if (make(ids, &range, uid, gid, &why))
        snprintf(ids->why, sizeof(ids->why), "%s", why.message);
    if (ids->why[0])
        um_log(UM_LOG_WARNING,
               "all guests run as umld's own user: %s. One that breaks out of its kernel and its "
               "sandbox reaches the others (umlctl doctor)",
               ids->why);
    return UM_OK;
}

void guest_ids_close(struct umld *umld)
{
    if (!umld->ids)
        return;
    um_fd_close(&umld->ids->userns);
    free(umld->ids);
    umld->ids = NULL;
}

bool guest_ids_any(const struct umld *umld)
{
    return umld->ids && umld->ids->userns >= 0;
}

const char *guest_ids_why(const struct umld *umld)
{
    return umld->ids ? umld->ids->why : "";
}

const char *guest_ids_text(const struct umld *umld, char *buf, size_t size)
{
    const struct um_userns_range *r = &umld->ids->range;

    snprintf(buf, size, "%u-%u", r->first, r->first + r->count - 1);
    return buf;
}

bool guest_ids_ours(const struct umld *umld, uid_t uid)
{
    return uid == geteuid() || (guest_ids_any(umld) && in_range(&umld->ids->range, uid));
}

int guest_ids_userns(const struct umld *umld)
{
    return umld->ids->userns;
}

int guest_ids_run(const struct umld *umld, int (*fn)(void *arg), void *arg)
{
    int status = 0, errnum;
    pid_t pid = fork();

    if (pid < 0)
        return errno;
    if (pid == 0) {
        alarm(GUEST_IDS_RUN_S);
        errnum = guest_ids_any(umld) ? um_userns_enter(umld->ids->userns) : 0;
        _exit(errnum ? errnum : fn(arg));
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
}

/* ---- who has which ---- */

/* A guest of any kind, internal ones included, that is not g. */
static bool is_given(const struct guest *g, uid_t uid)
{
    struct umld *umld = g->umld;

    for (int i = 0; i < guest_count(umld); i++)
        if (guest_list(umld, i) != g && guest_list(umld, i)->uid == uid)
            return true;
    return guest_internal_uid(umld, g, uid);
}

/*
 * Numbers follow the guests' ids, which are never used again: what a removed guest left behind
 * belongs to nobody for as long as possible. Kernel probes come from the other end.
 */
static bool choose(struct guest *g, const struct um_userns_range *r)
{
    uint32_t start = g->id ? (uint32_t)((uint64_t)g->id % r->count) : r->count - 1;

    for (uint32_t i = 0; i < r->count; i++) {
        uid_t uid = r->first + (g->id ? (start + i) % r->count : start - i);

        if (is_given(g, uid))
            continue;
        g->uid = uid;
        guest_touch(g);
        return true;
    }
    return false;
}

enum um_code guest_ids_give(struct guest *g, struct um_error *err)
{
    const struct um_userns_range *r;
    char object[96];

    if (!guest_ids_any(g->umld)) {
        g->uid = 0;
        return UM_OK;
    }
    r = &g->umld->ids->range;
    if (g->uid && in_range(r, g->uid))
        return UM_OK;
    if (g->uid)
        um_log(UM_LOG_WARNING,
               "guest %s: its uid %u is not in the range of guest uids: it gets another, and what "
               "it wrote to shares stays with the old one",
               g->def.name, (unsigned)g->uid);
    if (choose(g, r))
        return UM_OK;
    um_fail(err, UM_E_NO_RESOURCES, guest_object(g, object, sizeof(object)), NULL,
            "all %u guest uids are given", r->count);
    return um_hint(err,
                   "remove guests, or start umld with a larger range: --guest-uids FIRST-LAST");
}
