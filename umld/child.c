#include "umld/child.h"

#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    struct umld *umld;
    struct child *next;
    pid_t pid;
    int pidfd, out;
    struct um_watch *pid_watch, *out_watch;
    struct um_timer *limit;
    struct um_buf output, line;
    size_t output_max;
    bool expired, exited;
    int wait_status;
    child_line_fn on_line;
    child_done_fn done;
    void *arg;
};

static void child_free(struct child *c)
{
    struct child **link = &c->umld->children;

    while (*link && *link != c)
        link = &(*link)->next;
    if (*link)
        *link = c->next;
    um_watch_free(c->pid_watch);
    um_watch_free(c->out_watch);
    um_timer_free(c->limit);
    um_fd_close(&c->pidfd);
    um_fd_close(&c->out);
    um_buf_done(&c->output);
    um_buf_done(&c->line);
    free(c);
}

static void close_output(struct child *c)
{
    /* The watch first: the descriptor's number may be somebody else's at once. */
    um_watch_free(c->out_watch);
    c->out_watch = NULL;
    um_fd_close(&c->out);
}

enum { CANCEL_GRACE_MS = 2000 }; /* what a cancelled one gets to clean up */

/* The exit and the end of the output arrive in either order. */
static void finish_if_over(struct child *c)
{
    if (!c->exited || c->out >= 0)
        return;
    c->done(c->umld, c->expired ? -1 : c->wait_status, c->output.data ? c->output.data : "",
            c->arg);
    child_free(c);
}

static void take_lines(struct child *c, const char *data, size_t len)
{
    char *end;

    if (!c->on_line || c->line.len > 4096)
        return;
    um_buf_append(&c->line, data, len);
    while (c->line.data && (end = memchr(c->line.data, '\n', c->line.len))) {
        *end = '\0';
        c->on_line(c->umld, c->line.data, c->arg);
        um_buf_consume(&c->line, (size_t)(end - c->line.data) + 1);
    }
}

static void on_output(int fd, um_unused unsigned ready, void *arg)
{
    struct child *c = arg;
    char data[8192];
    ssize_t n = read(fd, data, sizeof(data));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        if (c->output.len + (size_t)n <= c->output_max)
            um_buf_append(&c->output, data, (size_t)n);
        take_lines(c, data, (size_t)n);
        return;
    }
    close_output(c);
    finish_if_over(c);
}

static void on_exit_seen(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct child *c = arg;

    if (waitpid(c->pid, &c->wait_status, WNOHANG) != c->pid)
        return;
    c->exited = true;
    um_watch_set(c->pid_watch, 0);
    /* A grandchild that kept the pipe does not keep us: what is there is read, no more. */
    if (c->expired)
        close_output(c);
    finish_if_over(c);
}

/* Its session is its own, so its number is its group's; not reaped, it is nobody else's. */
static void signal_group(struct child *c, int signo)
{
    if (!c->exited)
        kill(-c->pid, signo);
}

static void on_limit(void *arg)
{
    struct child *c = arg;

    c->expired = true;
    signal_group(c, SIGKILL);
    if (c->exited) {
        close_output(c);
        finish_if_over(c);
    }
}

void child_cancel(struct child *c)
{
    signal_group(c, SIGTERM);
    um_timer_arm(c->limit, CANCEL_GRACE_MS * UM_MS_NS);
}

void children_end(struct umld *umld)
{
    while (umld->children) {
        struct child *c = umld->children;

        signal_group(c, SIGKILL);
        if (!c->exited)
            waitpid(c->pid, NULL, 0);
        c->done(umld, -1, "", c->arg);
        child_free(c);
    }
}

static bool watch_child(struct child *c, int64_t limit_ms)
{
    c->pid_watch = um_watch_new(c->umld->loop, c->pidfd, UM_READ, on_exit_seen, c);
    c->out_watch = um_watch_new(c->umld->loop, c->out, UM_READ, on_output, c);
    c->limit = um_timer_new(c->umld->loop, on_limit, c);
    if (!c->pid_watch || !c->out_watch || !c->limit)
        return false;
    um_timer_arm(c->limit, limit_ms * UM_MS_NS);
    return true;
}

enum um_code child_run(struct umld *umld, const struct child_spec *spec, struct child **ret,
                       struct um_error *err)
{
    struct child *c = calloc(1, sizeof(*c));
    um_autofd out = -1, in = -1;
    struct um_fd_map fds[2];
    enum um_code code;
    int p[2];

    if (!c || pipe2(p, O_CLOEXEC) < 0) {
        code = um_fail_errno(err, errno, spec->argv[0], "cannot start");
        free(c);
        return code;
    }
    in = p[0];
    out = p[1];
    *c = (struct child){.umld = umld,
                        .pidfd = -1,
                        .out = -1,
                        .output_max = spec->output_max,
                        .on_line = spec->line,
                        .done = spec->done,
                        .arg = spec->arg};
    fds[0] = (struct um_fd_map){out, 1};
    fds[1] = (struct um_fd_map){out, 2};
    code = um_spawn(&(struct um_spawn){.argv = (char *const *)(uintptr_t)spec->argv,
                                       .fds = fds,
                                       .fd_count = 2,
                                       .new_session = true,
                                       .death_signal = SIGKILL},
                    &c->pid, &c->pidfd, err);
    if (code) {
        child_free(c);
        return code;
    }
    c->out = in;
    in = -1;
    c->next = umld->children;
    umld->children = c;
    if (!um_fd_set_nonblock(c->out, true) || !watch_child(c, spec->limit_ms)) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        child_free(c);
        return um_fail(err, UM_E_NO_RESOURCES, spec->argv[0], NULL, "out of memory");
    }
    *ret = c;
    return UM_OK;
}
