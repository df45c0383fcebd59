#include "mconsole/direct.h"

#include "mconsole/guard.h"
#include "mconsole/lane.h"
#include "mconsole/main_process.h"
#include "mconsole/turn.h"
#include "mconsole/ubd_path.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mconsole_direct {
    bool force;
    int timeout_ms;
    struct um_loop *loop;
    struct mconsole_lane *lane; /* NULL: no target yet */
    struct mconsole_target target;
    struct mconsole_answer *answer; /* being waited for */
};

struct mconsole_direct *mconsole_direct_new(bool force, int timeout_ms)
{
    struct mconsole_direct *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->force = force;
    d->timeout_ms = timeout_ms;
    d->loop = um_loop_new();
    if (d->loop)
        return d;
    free(d);
    return NULL;
}

void mconsole_direct_free(struct mconsole_direct *d)
{
    if (!d)
        return;
    mconsole_lane_free(d->lane);
    um_loop_free(d->loop);
    free(d);
}

enum um_code mconsole_direct_switch(struct mconsole_direct *d, const char *word,
                                    struct um_error *err)
{
    struct mconsole_target target;
    struct mconsole_lane *lane;
    char prefix[24];
    enum um_code code = mconsole_find(word, &target, err);

    if (code)
        return code;
    /* Another client's names are not ours to sweep. */
    snprintf(prefix, sizeof(prefix), "m%dx", (int)getpid());
    lane = mconsole_lane_new(d->loop, target.dir[0] ? target.dir : NULL, prefix, target.socket);
    if (!lane)
        return um_fail(err, UM_E_NO_RESOURCES, target.name, NULL, "out of memory");
    mconsole_lane_free(d->lane);
    d->lane = lane;
    d->target = target;
    return UM_OK;
}

const char *mconsole_direct_name(const struct mconsole_direct *d)
{
    return d->target.name;
}

/* ---- one exchange ---- */

static void take_answer(enum um_code code, int32_t status, const char *text, size_t len, void *arg)
{
    struct mconsole_direct *d = arg;
    struct mconsole_answer *a = d->answer;

    a->code = code;
    a->status = status;
    um_buf_append(&a->text, text, len);
    if (code && !(code == UM_E_GUEST_ERROR && status != 0))
        um_fail(&a->error, code, d->target.name, NULL, "%s", text);
    um_loop_stop(d->loop);
}

static void fail(struct mconsole_direct *d, struct mconsole_answer *ret, const struct um_error *err)
{
    ret->code = err->code;
    ret->error = *err;
    snprintf(ret->error.object, sizeof(ret->error.object), "%.95s", d->target.name);
}

static int left_ms(int64_t deadline_ns)
{
    int64_t left = (deadline_ns - um_clock_mono_ns() + UM_MS_NS - 1) / UM_MS_NS;

    return left < 1 ? 1 : (left > INT_MAX ? INT_MAX : (int)left);
}

static int64_t deadline_of(const struct mconsole_direct *d, int verb_ms)
{
    return um_clock_mono_ns() + (d->timeout_ms ? d->timeout_ms : verb_ms) * UM_MS_NS;
}

/* fd -1: none. */
static void exchange(struct mconsole_direct *d, const char *command, int fd, unsigned flags,
                     int64_t deadline_ns, struct mconsole_answer *ret)
{
    struct um_error err;
    enum um_code code;

    d->answer = ret;
    if (fd >= 0)
        code =
            mconsole_lane_send_fd(d->lane, command, fd, left_ms(deadline_ns), take_answer, d, &err);
    else
        code =
            mconsole_lane_send(d->lane, command, left_ms(deadline_ns), flags, take_answer, d, &err);
    if (code)
        fail(d, ret, &err);
    else
        um_loop_run(d->loop);
}

static void look_for_stale(struct mconsole_direct *d, struct mconsole_answer *ret)
{
    if (ret->code == UM_E_NOT_RUNNING && mconsole_target_clean(&d->target))
        um_fail(&ret->error, UM_E_NOT_RUNNING, d->target.name, NULL,
                "its kernel has died; what it left behind was removed (%s)", d->target.socket);
}

/* ---- commands ---- */

static enum um_code guard(struct mconsole_direct *d, enum mconsole_verb verb, const char *command,
                          int64_t deadline_ns, struct um_error *err)
{
    struct mconsole_guard g;
    enum mconsole_verdict verdict =
        d->force ? MCONSOLE_SEND : mconsole_guard_begin(&g, verb, command);

    while (verdict == MCONSOLE_ASK) {
        struct mconsole_answer a = MCONSOLE_ANSWER_INIT;

        exchange(d, g.ask, -1, g.peek ? MCONSOLE_PEEK : 0, deadline_ns, &a);
        verdict = mconsole_guard_next(&g, a.code, a.status,
                                      a.text.data ? a.text.data : a.error.message, err);
        mconsole_answer_done(&a);
    }
    return verdict == MCONSOLE_REFUSE ? err->code : UM_OK;
}

static enum um_code prepare(struct mconsole_direct *d, const char *line, struct um_buf *ret,
                            enum mconsole_verb *ret_verb, struct um_error *err)
{
    enum um_code code = mconsole_command_check(line, d->force, ret, ret_verb, err);
    um_autostr cwd = NULL;

    /* What a guest of umld sees of the host is not what we see. */
    if (code || d->target.dir[0])
        return code;
    cwd = getcwd(NULL, 0);
    if (!cwd)
        return um_fail_errno(err, errno, NULL, "cannot find the current directory");
    return mconsole_absolute_ubd(ret->data, cwd, ret, err);
}

void mconsole_direct_ask(struct mconsole_direct *d, const char *line, struct mconsole_answer *ret)
{
    struct um_buf command = UM_BUF_INIT;
    enum mconsole_verb verb;
    struct um_error err;
    enum um_code code = prepare(d, line, &command, &verb, &err);
    um_autofd turn = -1;
    int64_t deadline_ns;

    if (code) {
        fail(d, ret, &err);
        um_buf_done(&command);
        return;
    }
    deadline_ns = deadline_of(d, mconsole_verb_info(verb)->timeout_ms);
    code = mconsole_turn_take(d->target.socket, left_ms(deadline_ns), &turn, &err);
    if (code == UM_OK)
        code = guard(d, verb, command.data, deadline_ns, &err);
    if (code)
        fail(d, ret, &err);
    else
        exchange(d, command.data, -1, 0, deadline_ns, ret);
    look_for_stale(d, ret);
    um_buf_done(&command);
}

void mconsole_direct_ask_with_fd(struct mconsole_direct *d, const char *line, int fd,
                                 struct mconsole_answer *ret)
{
    int64_t deadline_ns = deadline_of(d, MCONSOLE_TIMEOUT_MS);
    um_autofd turn = -1;
    struct um_error err;

    if (mconsole_turn_take(d->target.socket, left_ms(deadline_ns), &turn, &err))
        fail(d, ret, &err);
    else
        exchange(d, line, fd, 0, deadline_ns, ret);
    look_for_stale(d, ret);
}

enum um_code mconsole_direct_interrupt(struct mconsole_direct *d, struct um_error *err)
{
    um_autofd pidfd = -1;
    enum um_code code = mconsole_main_pidfd(d->target.socket, &pidfd, err);

    if (code && d->target.dir[0])
        return um_hint(err, "umld knows its process: umlctl mconsole %s int", d->target.name);
    if (code)
        return code;
    if (!um_pidfd_signal(pidfd, SIGINT))
        return um_fail_errno(err, errno, d->target.name, "cannot signal the kernel");
    return UM_OK;
}

/* `ubd0r=/x` is ubd0, `con=null` no device. False: not one, or no memory for it. */
static bool add_device(const char *word, struct um_strv *ret)
{
    static const char *const drivers[] = {"con", "ssl", "ubd", "eth", "vec"};

    for (size_t i = 0; i < UM_ARRAY_LEN(drivers); i++) {
        size_t name = strlen(drivers[i]);
        size_t digits = strspn(word + name, "0123456789");

        if (um_str_starts(word, drivers[i]) && digits > 0 && strpbrk(word, "=:"))
            return um_strv_addf(ret, "%.*s", (int)(name + digits), word);
    }
    return false;
}

void mconsole_direct_devices(struct mconsole_direct *d, struct um_strv *ret)
{
    struct mconsole_answer a = MCONSOLE_ANSWER_INIT;
    char *save = NULL;

    mconsole_direct_ask(d, "proc cmdline", &a);
    if (a.code == UM_OK && a.text.data)
        for (char *w = strtok_r(a.text.data, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
            (void)!add_device(w, ret);
    (void)!um_strv_add(ret, "mem");
    mconsole_answer_done(&a);
}
