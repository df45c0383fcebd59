#include "mconsole/find.h"

#include "mconsole/main_process.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLACES_MAX = 5, LISTED_MAX = 1000 };

/* One place: socket and, for umld's guests, dir are formed of prefix, word and these. */
struct place {
    char prefix[PATH_MAX]; /* with its slash; empty: the word is the path */
    const char *socket;    /* behind the word */
    const char *dir;       /* the same for the directory clients bind in; NULL: none */
};

static size_t places_of(struct place ret[PLACES_MAX])
{
    const char *home = getenv("HOME");
    struct um_paths user, host;
    size_t n = 0;

    if (home && home[0]) {
        ret[n] = (struct place){.socket = "/mconsole"};
        snprintf(ret[n++].prefix, PATH_MAX, "%s/.uml/", home);
    }
    ret[n++] = (struct place){.prefix = "/tmp/uml/", .socket = "/mconsole"};
    ret[n++] = (struct place){.socket = ""};
    if (um_paths_default(false, &user, NULL) == UM_OK) {
        ret[n] = (struct place){.socket = "/in/uml/mconsole", .dir = "/in"};
        snprintf(ret[n++].prefix, PATH_MAX, "%s/g/", user.run_dir);
    }
    if (um_paths_default(true, &host, NULL) == UM_OK) {
        ret[n] = (struct place){.socket = "/in/uml/mconsole", .dir = "/in"};
        snprintf(ret[n++].prefix, PATH_MAX, "%s/g/", host.run_dir);
    }
    return n;
}

/* False: too long to be one. */
static bool path_at(const struct place *p, const char *word, const char *end, char ret[PATH_MAX])
{
    return snprintf(ret, PATH_MAX, "%s%s%s", p->prefix, word, end) < PATH_MAX;
}

static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* `…/web/mconsole` is web; another socket is called by its own name. */
static void name_of_path(const char *path, char ret[NAME_MAX + 1])
{
    char copy[PATH_MAX];
    char *last;

    snprintf(copy, sizeof(copy), "%s", path);
    last = strrchr(copy, '/');
    if (last && last > copy && strcmp(last, "/mconsole") == 0) {
        *last = '\0';
        last = strrchr(copy, '/');
    }
    snprintf(ret, NAME_MAX + 1, "%.*s", NAME_MAX, last ? last + 1 : copy);
}

static bool try_place(const struct place *p, const char *word, struct mconsole_target *ret)
{
    struct mconsole_target t = {.dir = ""};

    if (!path_at(p, word, p->socket, t.socket) || !is_socket(t.socket) ||
        (p->dir && (!um_name_valid(word) || !path_at(p, word, p->dir, t.dir))))
        return false;
    if (p->prefix[0])
        snprintf(t.name, sizeof(t.name), "%.*s", NAME_MAX, word);
    else
        name_of_path(t.socket, t.name);
    *ret = t;
    return true;
}

static enum um_code not_found(const struct place *places, size_t count, const char *word,
                              struct um_error *err)
{
    struct um_buf looked = UM_BUF_INIT;

    for (size_t i = 0; i < count; i++)
        um_buf_printf(&looked, "%s%s%s%s", i ? ", " : "", places[i].prefix, word, places[i].socket);
    um_fail(err, UM_E_NOT_FOUND, NULL, NULL, "no UML \"%s\": none of these is a socket: %s", word,
            looked.data ? looked.data : "");
    um_buf_done(&looked);
    return um_hint(err, "guests of umld: umlctl list, umlctl mconsole GUEST");
}

enum um_code mconsole_find(const char *word, struct mconsole_target *ret, struct um_error *err)
{
    struct place places[PLACES_MAX];
    size_t count = places_of(places);

    for (size_t i = 0; word[0] && i < count; i++)
        if (try_place(&places[i], word, ret))
            return UM_OK;
    return not_found(places, count, word, err);
}

static void list_place(const struct place *p, struct um_strv *ret)
{
    DIR *d = p->prefix[0] ? opendir(p->prefix) : NULL;
    struct dirent *entry;

    while (d && ret->n < LISTED_MAX && (entry = readdir(d))) {
        struct mconsole_target t;

        if (entry->d_name[0] != '.' && try_place(p, entry->d_name, &t) && !um_strv_add(ret, t.name))
            break;
    }
    if (d)
        closedir(d);
}

void mconsole_find_all(struct um_strv *ret)
{
    struct place places[PLACES_MAX];
    size_t count = places_of(places);

    for (size_t i = 0; i < count; i++)
        list_place(&places[i], ret);
}

bool mconsole_target_clean(const struct mconsole_target *target)
{
    char dir[PATH_MAX];
    char *last;
    struct stat held, there;
    um_autofd fd = -1;
    pid_t pid;

    snprintf(dir, sizeof(dir), "%s", target->socket);
    last = strrchr(dir, '/');
    if (target->dir[0] || !last || strcmp(last, "/mconsole") != 0)
        return false;
    *last = '\0';
    if (mconsole_pid_of(target->socket, &pid, NULL) || kill(pid, 0) == 0 || errno != ESRCH)
        return false;
    /* A kernel that boots now makes the directory anew: this descriptor is the old one. */
    fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || unlinkat(fd, "mconsole", 0) < 0 || unlinkat(fd, "pid", 0) < 0)
        return false;
    if (fstat(fd, &held) == 0 && stat(dir, &there) == 0 && held.st_ino == there.st_ino)
        (void)rmdir(dir); /* not empty: somebody else's files */
    return true;
}
