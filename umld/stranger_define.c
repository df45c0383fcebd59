/*
 * What a stranger was started with, as a definition: so that umld can start it again when it has
 * ended. Word by word, and a word that umld could not start a guest with is left out and becomes
 * the reason why it will not.
 */
#include "umld/guest.h"
#include "umld/stranger.h"
#include "vmcore/base/fd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 65536 };

/* What umld says itself on every command line. */
static const char *const own_words[] = {"umid=", "uml_dir=", "mconsole="};

static bool is_own(const char *word)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(own_words); i++)
        if (um_str_starts(word, own_words[i]))
            return true;
    return false;
}

static void um_format(2, 3) cannot(struct stranger *s, const char *fmt, ...)
{
    va_list ap;

    if (s->why_not)
        return;
    va_start(ap, fmt);
    if (vasprintf(&s->why_not, fmt, ap) < 0)
        s->why_not = NULL;
    va_end(ap);
}

static bool link_of(pid_t pid, const char *name, char ret[PATH_MAX])
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    n = readlink(path, ret, PATH_MAX - 1);
    if (n <= 0)
        return false;
    ret[n] = '\0';
    return true;
}

static enum um_code try_word(struct guest_definition *d, const char *word, const char *cwd,
                             struct um_error *err)
{
    if (device_word_known(word))
        return guest_definition_apply(d, word, cwd, err);
    return um_strv_add(&d->cmdline, word)
               ? UM_OK
               : um_fail(err, UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
}

/* d with the word, if that is something umld can start; else d stays as it is. */
static bool add_word(struct stranger *s, struct guest_definition *d, const char *word,
                     const char *cwd)
{
    struct guest_definition with = GUEST_DEFINITION_INIT;
    struct um_error err[4];
    size_t count = 0;

    if (!guest_definition_copy(d, &with))
        return false;
    if (try_word(&with, word, cwd, &err[0]))
        count = 1;
    else
        guest_definition_check(&with, err, UM_ARRAY_LEN(err), &count);
    if (count) {
        cannot(s, "%.200s: %s", word, err[0].message);
        guest_definition_done(&with);
        return true;
    }
    guest_definition_done(d);
    *d = with;
    return true;
}

static bool add_words(struct stranger *s, struct guest_definition *d, const char *args, size_t len,
                      const char *cwd)
{
    /* The first is the program; a `--` is for the guest's init, and passed on like any word. */
    for (size_t i = strlen(args) + 1; i < len; i += strlen(args + i) + 1)
        if (args[i] && !is_own(args + i) && !add_word(s, d, args + i, cwd))
            return false;
    return true;
}

static bool set_kernel(struct stranger *s, struct guest_definition *d)
{
    char exe[PATH_MAX];

    if (!link_of(s->pid, "exe", exe))
        return true;
    if (access(exe, X_OK) < 0)
        cannot(s, "its kernel %.300s is not there any more", exe);
    d->kernel = strdup(exe);
    return d->kernel;
}

enum um_code stranger_define(struct stranger *s, const char *name, struct guest_definition *ret,
                             struct um_error *err)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;
    char path[64], cwd[PATH_MAX] = "/", *args = NULL;
    enum um_code code;
    size_t len = 0;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)s->pid);
    code = um_file_read(path, ARGUMENTS_MAX, &args, &len, err);
    if (code || !len) {
        free(args);
        return um_fail(err, UM_E_NOT_RUNNING, s->socket, "socket",
                       "the arguments of process %d cannot be read", (int)s->pid);
    }
    if (!link_of(s->pid, "cwd", cwd))
        cannot(s, "its working directory is not known");
    d.ready = READY_KERNEL; /* its notifications are not ours */
    d.owner = s->uid;
    d.name = strdup(name);
    if (!d.name || !set_kernel(s, &d) || !add_words(s, &d, args, len, cwd))
        code = um_fail(err, UM_E_NO_RESOURCES, name, NULL, "out of memory");
    free(args);
    if (code)
        guest_definition_done(&d);
    else
        *ret = d;
    return code;
}
