/*
 * The program umld: options, going to the background, exit status.
 */
#include "umld/guest_ids.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE_BUFFER = 256 << 10 };

static const struct {
    struct option option;
    const char *argument, *help;
} rows[] = {
    {{"system", no_argument, NULL, 'S'},
     NULL,
     "system mode: /run/umld, /var/lib/umld, socket for all users"},
    {{"user", required_argument, NULL, 'u'}, "NAME", "with --system as root: become this user"},
    {{"guest-uids", required_argument, NULL, 'g'},
     "FIRST-LAST",
     "with --system as root: users that guests are, one each"},
    {{"background", no_argument, NULL, 'b'},
     NULL,
     "return once it is serving; log to STATE/umld.log"},
    {{"run-dir", required_argument, NULL, 'r'}, "DIR", "sockets and locks"},
    {{"state-dir", required_argument, NULL, 's'}, "DIR", "database, logs and images"},
    {{"socket", required_argument, NULL, 'k'}, "PATH", "API socket (default RUN/api)"},
    {{"log-level", required_argument, NULL, 'l'}, "LEVEL", "error, warning, notice, info or debug"},
    {{"check", no_argument, NULL, 'n'},
     NULL,
     "open and check everything, print what is there, end"},
    {{"version", no_argument, NULL, 'V'}, NULL, "print the version"},
    {{"help", no_argument, NULL, 'h'}, NULL, "print this"},
};

static void print_help(FILE *out)
{
    fprintf(out,
            "Usage: umld [OPTION...]\nThe manager of user-mode Linux guests. See umld(8).\n\n");
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        char name[40];

        snprintf(name, sizeof(name), "--%s%s%s", rows[i].option.name, rows[i].argument ? " " : "",
                 rows[i].argument ? rows[i].argument : "");
        fprintf(out, "  -%c, %-18s %s\n", rows[i].option.val, name, rows[i].help);
    }
}

static int complain(const struct um_error *err)
{
    char text[1200];

    fprintf(stderr, "umld: %s\n", um_error_text(err, text, sizeof(text)));
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): whoever complains has an error */
    return um_code_info(err->code)->exit_status;
}

static bool copy_path(char *dst, size_t size, const char *value)
{
    return value && (size_t)snprintf(dst, size, "%s", value) < size;
}

struct words {
    const char *run, *state, *socket, *level, *guest_uids;
};

/* -1: go on; otherwise the exit status. */
static int parse(int argc, char **argv, struct umld_options *o, struct words *w)
{
    struct option options[UM_ARRAY_LEN(rows) + 1];
    int c;

    memset(options, 0, sizeof(options));
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        options[i] = rows[i].option;
    while ((c = getopt_long(argc, argv, "Su:g:br:s:k:l:nVh", options, NULL)) != -1) {
        switch (c) {
        case 'S':
            o->system = true;
            break;
        case 'u':
            o->user = optarg;
            break;
        case 'g':
            w->guest_uids = optarg;
            break;
        case 'b':
            o->background = true;
            break;
        case 'r':
            w->run = optarg;
            break;
        case 's':
            w->state = optarg;
            break;
        case 'k':
            w->socket = optarg;
            break;
        case 'l':
            w->level = optarg;
            break;
        case 'n':
            o->check_only = true;
            break;
        case 'V':
            printf("umld %s\n", UMLD_VERSION);
            return 0;
        case 'h':
            print_help(stdout);
            return 0;
        default:
            print_help(stderr);
            return 2;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "umld: \"%s\" is not an option\n", argv[optind]);
    return 2;
}

static enum um_code settle(struct umld_options *o, const struct words *w, struct um_error *err)
{
    enum um_log_level level;
    char *absolute;
    enum um_code code;

    if (w->run)
        setenv("UMLD_RUN_DIR", w->run, 1);
    if (w->state) {
        absolute = um_path_absolute(getcwd((char[4096]){0}, 4096), w->state);
        if (absolute)
            setenv("UMLD_STATE_DIR", absolute, 1);
        free(absolute);
    }
    if (w->guest_uids && !guest_ids_parse(w->guest_uids, &o->guest_uids)) {
        um_fail(err, UM_E_USAGE, "--guest-uids", NULL, "\"%s\" is no range of users",
                w->guest_uids);
        return um_hint(err, "for example 200000-265535");
    }
    code = um_paths_default(o->system, &o->paths, err);
    if (!code && w->socket && !copy_path(o->paths.socket, sizeof(o->paths.socket), w->socket))
        code = um_fail(err, UM_E_INVALID, "--socket", NULL, "the path is too long");
    if (!code && w->level) {
        if (um_log_level_from_name(w->level, &level)) {
            um_log_set_level(level);
            o->log_level_given = true;
        } else {
            um_fail(err, UM_E_USAGE, "--log-level", NULL, "\"%s\" is no level", w->level);
            code = um_hint(err, "use error, warning, notice, info or debug");
        }
    }
    return code;
}

/* In the parent: the daemon reports over the pipe: nothing (it serves) or its complaint and status.
 */
static int await_child(pid_t pid, int fd)
{
    char text[2048];
    int status = 0;
    ssize_t n;

    while ((n = read(fd, text, sizeof(text))) > 0 || (n < 0 && errno == EINTR)) {
        bool serving = n > 0 && text[n - 1] == '\0';

        n -= serving; /* what it logged before is for the caller */
        if (serving && (n == 0 || um_fd_write_all(STDERR_FILENO, text, (size_t)n)))
            return 0;
        if (n > 0 && !um_fd_write_all(STDERR_FILENO, text, (size_t)n))
            break;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool detach_streams(const char *state_dir)
{
    char path[700];
    um_autofd null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;

    snprintf(path, sizeof(path), "%s/umld.log", state_dir);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return null_fd >= 0 && log >= 0 && dup2(null_fd, 0) >= 0 && dup2(null_fd, 1) >= 0 &&
           dup2(log, 2) >= 0;
}

static int run_background(const struct umld_options *o)
{
    struct um_error err;
    struct umld *umld;
    int p[2];
    pid_t pid;

    if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        um_fail_errno(&err, errno, "umld", "cannot go to the background");
        return complain(&err);
    }
    if (pid > 0) {
        close(p[1]);
        return await_child(pid, p[0]);
    }
    close(p[0]);
    setsid();
    dup2(p[1], STDERR_FILENO);
    if (chdir("/") < 0 || umld_start(o, &umld, &err))
        _exit(complain(&err));
    if (!detach_streams(o->paths.state_dir) || write(p[1], "", 1) != 1)
        _exit(1);
    close(p[1]);
    umld_run(umld);
    umld_free(umld);
    return 0;
}

int umld_main(int argc, char **argv)
{
    struct umld_options options = {.system = false};
    struct words words = {.run = NULL};
    struct um_error err;
    struct umld *umld;
    char range[32];
    int status;

    um_log_init("umld");
    /* Large buffers (a list of all guests) go back to the system when they are freed; without this
     * glibc would keep as much as the largest ever was. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
    mallopt(M_TRIM_THRESHOLD, LARGE_BUFFER);
    status = parse(argc, argv, &options, &words);
    if (status >= 0)
        return status;
    if (settle(&options, &words, &err))
        return complain(&err);
    if (options.background)
        return run_background(&options);
    if (umld_start(&options, &umld, &err))
        return complain(&err);
    if (options.check_only)
        printf("run directory   %s\nstate directory %s\nsocket          %s\nguest uids      %s\n"
               "all is well\n",
               options.paths.run_dir, options.paths.state_dir, options.paths.socket,
               guest_ids_any(umld) ? guest_ids_text(umld, range, sizeof(range)) : "umld's own");
    else
        umld_run(umld);
    umld_free(umld);
    return 0;
}
