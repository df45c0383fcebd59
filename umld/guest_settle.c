#include "umld/guest_settle.h"

#include "vmcore/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Twice: a file system writes its last blocks just after it says that it is read-only. */
enum { POLL_MS = 30, LOOKS = 2 };

struct guest_settle {
    struct umld *umld;
    int64_t id;
    uint64_t number; /* which of all: an answer to an earlier one is none of this */
    enum guest_state state;
    int64_t until_ns; /* monotonic */
    unsigned looks;   /* that found nothing writable, in a row */
    struct um_timer *timer;
    settle_done_fn done;
};

/* What an mconsole request carries: the settling may be over when it is answered. */
struct settle_call {
    struct umld *umld;
    int64_t id;
    uint64_t number;
};

void guest_settle_end(struct guest *g)
{
    if (!g->settle)
        return;
    um_timer_free(g->settle->timer);
    free(g->settle);
    g->settle = NULL;
}

static void finish(struct guest *g, enum um_code code)
{
    settle_done_fn done = g->settle->done;
    bool there = g->state == g->settle->state;

    guest_settle_end(g);
    if (there)
        done(g, code);
}

/* Frees the call. NULL: nobody waits for this answer any more. */
static struct guest *asker(struct settle_call *call)
{
    struct guest *g = guest_by_id(call->umld, call->id);
    bool ours = g && g->settle && g->settle->number == call->number;

    free(call);
    return ours ? g : NULL;
}

static bool ask(struct guest *g, enum mconsole_verb verb, const char *command,
                mconsole_done_fn answered)
{
    struct settle_call *call = malloc(sizeof(*call));
    struct um_error err;

    if (!call)
        return false;
    *call = (struct settle_call){g->umld, g->id, g->settle->number};
    if (guest_mconsole(g, verb, command, MCONSOLE_TIMEOUT_MS, MCONSOLE_FIRST, answered, call,
                       &err) == UM_OK)
        return true;
    free(call);
    return false;
}

/* proc(5), /proc/mounts: device, place, type, options. Is a disk still written to? */
static bool disks_writable(const char *mounts)
{
    for (const char *line = mounts; line && *line; line = strchr(line, '\n')) {
        char options[3] = "";

        line += *line == '\n';
        if (sscanf(line, "/dev/%*s %*s %*s %2s", options) == 1 && strcmp(options, "rw") == 0)
            return true;
    }
    return false;
}

static void mounts_answered(enum um_code code, um_unused int32_t status, const char *text,
                            um_unused size_t len, void *arg)
{
    struct guest *g = asker(arg);

    if (!g || code == UM_E_CANCELLED)
        return;
    g->settle->looks = !code && disks_writable(text) ? 0 : g->settle->looks + 1;
    if (code || g->settle->looks == LOOKS)
        finish(g, code);
    else
        um_timer_arm(g->settle->timer, POLL_MS * UM_MS_NS);
}

/* The next look, or the end of the time. */
static void look(void *arg)
{
    struct guest *g =
        guest_by_id(((struct guest_settle *)arg)->umld, ((struct guest_settle *)arg)->id);
    int64_t left = g ? g->settle->until_ns - um_clock_mono_ns() : 0;

    if (!g)
        return;
    if (left <= 0)
        finish(g, UM_E_TIMEOUT);
    else if (ask(g, MCONSOLE_PROC, "proc mounts", mounts_answered))
        um_timer_arm(g->settle->timer, left);
    else
        finish(g, UM_E_NO_RESOURCES);
}

static void remount_answered(enum um_code code, um_unused int32_t status,
                             um_unused const char *text, um_unused size_t len, void *arg)
{
    struct guest *g = asker(arg);

    if (!g || code == UM_E_CANCELLED)
        return;
    if (code)
        finish(g, code);
    else
        um_timer_arm(g->settle->timer, 0);
}

void guest_settle(struct guest *g, int64_t limit_ms, settle_done_fn done)
{
    struct guest_settle *s;

    guest_settle_end(g);
    s = calloc(1, sizeof(*s));
    if (s)
        s->timer = um_timer_new(g->umld->loop, look, s);
    if (!s || !s->timer) {
        free(s);
        return; /* the limit of the state sees to it */
    }
    s->umld = g->umld;
    s->id = g->id;
    s->number = ++g->umld->settlings;
    s->state = g->state;
    s->until_ns = um_clock_mono_ns() + limit_ms * UM_MS_NS;
    s->done = done;
    g->settle = s;
    /* Not sent: nothing is waited for, and the look says so. */
    if (!ask(g, MCONSOLE_SYSRQ, "sysrq u", remount_answered))
        s->until_ns = 0;
    um_timer_arm(s->timer, s->until_ns ? limit_ms * UM_MS_NS : 0);
}
