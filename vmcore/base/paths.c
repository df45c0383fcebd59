#include "vmcore/base/paths.h"

#include "vmcore/base/str.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *env_or_null(const char *name)
{
    const char *v = getenv(name);

    return v && v[0] ? v : NULL;
}

static void default_run_dir(char *ret, size_t size)
{
    const char *xdg = env_or_null("XDG_RUNTIME_DIR");
    char user[64];
    struct stat st;

    snprintf(user, sizeof(user), "/run/user/%u", (unsigned)getuid());
    if (xdg)
        snprintf(ret, size, "%s/umld", xdg);
    else if (stat(user, &st) == 0 && st.st_uid == getuid())
        snprintf(ret, size, "%s/umld", user);
    else
        snprintf(ret, size, "/tmp/umld-%u", (unsigned)getuid());
}

static enum um_code default_state_dir(char *ret, size_t size, struct um_error *err)
{
    const char *xdg = env_or_null("XDG_STATE_HOME"), *home = env_or_null("HOME");

    if (xdg) {
        snprintf(ret, size, "%s/umld", xdg);
        return UM_OK;
    }
    if (!home) {
        struct passwd *pw = getpwuid(getuid());

        home = pw ? pw->pw_dir : NULL;
    }
    if (!home) {
        um_fail(err, UM_E_BAD_CONFIG, "state directory", NULL, "the user has no home directory");
        return um_hint(err, "set UMLD_STATE_DIR or XDG_STATE_HOME");
    }
    snprintf(ret, size, "%s/.local/state/umld", home);
    return UM_OK;
}

/* Programs change directory and pass these paths on: they must mean the same everywhere. */
static enum um_code make_absolute(char *path, size_t size, const char *what, struct um_error *err)
{
    char cwd[PATH_MAX];
    um_autostr full = NULL;

    if (!getcwd(cwd, sizeof(cwd)))
        return um_fail_errno(err, errno, what, "cannot find the current directory");
    full = um_path_absolute(cwd, path);
    if (!full)
        return um_fail_errno(err, ENOMEM, what, "cannot be named");
    if (strlen(full) >= size)
        return um_fail(err, UM_E_BAD_CONFIG, what, NULL, "%s is longer than %zu bytes", full,
                       size - 1);
    snprintf(path, size, "%s", full);
    return UM_OK;
}

enum um_code um_paths_default(bool system, struct um_paths *ret, struct um_error *err)
{
    const char *run = env_or_null("UMLD_RUN_DIR"), *state = env_or_null("UMLD_STATE_DIR");
    enum um_code code = UM_OK;
    char buf[PATH_MAX];

    if (run)
        snprintf(buf, sizeof(buf), "%s", run);
    else if (system)
        snprintf(buf, sizeof(buf), "/run/umld");
    else
        default_run_dir(buf, sizeof(buf));
    code = make_absolute(buf, sizeof(buf), "run directory", err);
    if (code)
        return code;
    if (strlen(buf) > UM_RUN_DIR_MAX) {
        um_fail(err, UM_E_BAD_CONFIG, "run directory", NULL,
                "%s is %zu bytes long, the limit is %d", buf, strlen(buf), UM_RUN_DIR_MAX);
        return um_hint(
            err, "set UMLD_RUN_DIR to a shorter path: guests' socket paths must fit 107 bytes");
    }
    snprintf(ret->run_dir, sizeof(ret->run_dir), "%s", buf);
    snprintf(ret->socket, sizeof(ret->socket), "%s/api", ret->run_dir);
    if (state)
        snprintf(buf, sizeof(buf), "%s", state);
    else if (system)
        snprintf(buf, sizeof(buf), "/var/lib/umld");
    else
        code = default_state_dir(buf, sizeof(buf), err);
    if (!code)
        code = make_absolute(buf, sizeof(ret->state_dir), "state directory", err);
    if (!code)
        memcpy(ret->state_dir, buf, strlen(buf) + 1);
    return code;
}

enum um_code um_paths_libexec(const char *name, char *ret, size_t size, struct um_error *err)
{
    const char *env = env_or_null("UMLD_LIBEXEC");
    char exe[PATH_MAX], dir[PATH_MAX + 32], real[PATH_MAX];
    ssize_t n;

    if (env) {
        snprintf(ret, size, "%s/%s", env, name);
        if (access(ret, R_OK) == 0)
            return UM_OK;
    }
    n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n < 0)
        return um_fail_errno(err, errno, name, "cannot find this program's own path");
    exe[n] = '\0';
    *strrchr(exe, '/') = '\0';
    snprintf(dir, sizeof(dir), "%s/../libexec/umld", exe);
    if (realpath(dir, real)) {
        snprintf(ret, size, "%s/%s", real, name);
        if (access(ret, R_OK) == 0)
            return UM_OK;
    }
    um_fail(err, UM_E_MISSING_SOFTWARE, name, NULL, "not found in %s%s%s", dir,
            env ? " nor in " : "", env ? env : "");
    return um_hint(err, "run meson install, or set UMLD_LIBEXEC to the directory it is in");
}

/* First executable name in the directories of list (separated by colons). */
static bool find_program(const char *list, const char *name, char *ret, size_t size)
{
    um_autostr copy = strdup(list);
    char *save = NULL;

    for (char *dir = copy ? strtok_r(copy, ":", &save) : NULL; dir;
         dir = strtok_r(NULL, ":", &save)) {
        snprintf(ret, size, "%s/%s", dir, name);
        if (ret[0] == '/' && access(ret, X_OK) == 0)
            return true;
    }
    return false;
}

enum um_code um_paths_program(const char *name, const char *package, char *ret, size_t size,
                              struct um_error *err)
{
    const char *path = env_or_null("PATH");

    /* Ordinary users of Debian have no sbin in PATH, where mke2fs is. */
    if (find_program(path ? path : "/usr/local/bin:/usr/bin:/bin", name, ret, size) ||
        find_program("/usr/local/sbin:/usr/sbin:/sbin", name, ret, size))
        return UM_OK;
    um_fail(err, UM_E_MISSING_SOFTWARE, name, NULL, "program not found on PATH");
    return um_hint(err, "apt-get install %s", package);
}
