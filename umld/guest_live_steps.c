/*
 * The steps of a change. The surprise: a kernel whose mconsole answers may not have its drivers yet
 * (mconsole is there before the rest), so it is first asked whether its init has been executed.
 */
#include "umld/guest_live_steps.h"

#include "umld/failpoint.h"
#include "vmcore/base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_LEFT = 4 << 20 };

struct ticket {
    struct umld *umld;
    int64_t guest;
    uint64_t number;
};

enum live_verdict live_fail(struct live_job *job, enum um_code code, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    um_fail(&job->why, code, NULL, job->plan->items[job->at].name, "%s", text);
    return STEP_FAILED;
}

/* ---- asking ---- */

static struct live_job *job_of(const struct ticket *t, struct guest **ret)
{
    struct guest *g = guest_by_id(t->umld, t->guest);
    struct live_job *job = g && g->live ? g->live->job : NULL;

    *ret = g;
    return job && job->ticket == t->number ? job : NULL;
}

static struct ticket *ticket_new(struct live_job *job)
{
    static uint64_t last;
    struct ticket *t = malloc(sizeof(*t));

    job->ticket = ++last;
    if (t)
        *t = (struct ticket){job->umld, job->guest, job->ticket};
    return t;
}

static void kernel_answered(enum um_code code, int32_t status, const char *text,
                            um_unused size_t len, void *arg)
{
    struct ticket *t = arg;
    struct guest *g;
    struct live_job *job = job_of(t, &g);
    struct live_answer a = {code, status, text};

    free(t);
    if (job && code != UM_E_CANCELLED)
        live_answered(job, &a);
}

static bool tell(struct live_job *job, struct guest *g, unsigned flags, const char *command)
{
    struct ticket *t = ticket_new(job);
    struct um_error err;

    if (t && !guest_mconsole_on(g, MCONSOLE_LANE_CONTROL, command, LIVE_STEP_MS, flags,
                                kernel_answered, t, &err))
        return true;
    free(t);
    return false;
}

/* ---- the steps ---- */

static bool shrinks(const struct live_item *it)
{
    return um_str_starts(it->fresh.spec, "mem=-");
}

/* uml(kernel): process 1 is a thread of the kernel, without a program, until every driver is up. */
static bool boot_wanted(const struct live_job *job, um_unused const struct live_item *it)
{
    return !job->booted;
}

static bool boot_ask(struct live_job *job, struct guest *g, um_unused struct live_item *it)
{
    return tell(job, g, MCONSOLE_PEEK, "proc 1/exe");
}

static enum live_verdict boot_judge(struct live_job *job, um_unused struct live_item *it,
                                    const struct live_answer *a)
{
    /* The file can be opened, though most kernels cannot read it out to us. */
    job->booted = a->status == 0 || strcmp(a->text, "Read of file failed") == 0;
    if (job->booted)
        return STEP_DONE;
    if (um_clock_mono_ns() < job->boot_limit_ns)
        return STEP_AGAIN;
    return live_fail(job, UM_E_UNRESPONSIVE, "its kernel has not executed an init yet");
}

static bool shown(const char *expected, const char *answer)
{
    size_t len = strcspn(answer, ",\n");

    return len == strlen(expected) && strncmp(expected, answer, len) == 0;
}

static bool query_ask(struct live_job *job, struct guest *g, struct live_item *it)
{
    char command[LIVE_COMMAND_MAX];

    snprintf(command, sizeof(command), "config %s", it->name);
    return tell(job, g, 0, command);
}

static bool look_wanted(const struct live_job *job, um_unused const struct live_item *it)
{
    return job->flags & LIVE_SETTLE && !job->undoing;
}

/* After a daemon's death: what was meant has happened, or what was before is put back. */
static enum live_verdict look_judge(um_unused struct live_job *job, struct live_item *it,
                                    const struct live_answer *a)
{
    /* How much memory was given back cannot be asked; giving all of it again is never wrong. */
    if (it->kind == DEVICE_MEM)
        return shrinks(it) ? STEP_TURN : STEP_DONE;
    return a->status == 0 && shown(it->fresh.shown, a->text) ? STEP_ITEM_DONE : STEP_TURN;
}

static bool remove_wanted(const struct live_job *job, const struct live_item *it)
{
    return it->kind == DEVICE_UBD && (it->old.there || job->undoing);
}

static bool guarded(struct live_job *job, struct guest *g, enum mconsole_verdict verdict)
{
    job->removing = verdict == MCONSOLE_SEND;
    return tell(job, g, 0, job->removing ? job->command : job->guard.ask);
}

static bool remove_ask(struct live_job *job, struct guest *g, struct live_item *it)
{
    snprintf(job->command, sizeof(job->command), "remove %s", it->name);
    return guarded(job, g, mconsole_guard_begin(&job->guard, MCONSOLE_REMOVE, job->command));
}

static enum live_verdict refused(struct live_job *job, enum mconsole_verb verb, const char *command,
                                 const struct live_answer *a)
{
    const char *advice = mconsole_advice(verb, command, a->status);

    live_fail(job, a->status == -EBUSY ? UM_E_BUSY : UM_E_GUEST_ERROR,
              "its kernel refuses: %s (%d)",
              a->text[0] ? a->text : strerror(a->status < 0 ? -a->status : EIO), (int)a->status);
    if (advice)
        um_hint(&job->why, "%s", advice);
    return STEP_FAILED;
}

static enum live_verdict remove_judge(struct live_job *job, um_unused struct live_item *it,
                                      const struct live_answer *a)
{
    struct guest *g = guest_by_id(job->umld, job->guest);
    enum mconsole_verdict verdict;

    if (job->removing) /* -ENODEV: as it should be */
        return a->status == 0 || a->status == -ENODEV
                   ? STEP_DONE
                   : refused(job, MCONSOLE_REMOVE, job->command, a);
    verdict = mconsole_guard_next(&job->guard, a->code, a->status, a->text, &job->why);
    if (verdict == MCONSOLE_REFUSE)
        return live_fail(job, UM_E_GUEST_ERROR,
                         "it was never set up in its kernel (its file was not "
                         "there), so it cannot be removed");
    return g && guarded(job, g, verdict) ? STEP_AGAIN
                                         : live_fail(job, UM_E_BUSY, "its kernel cannot be asked");
}

static bool config_wanted(um_unused const struct live_job *job, const struct live_item *it)
{
    return it->kind != DEVICE_UBD || it->fresh.there;
}

static bool config_ask(struct live_job *job, struct guest *g, struct live_item *it)
{
    struct um_error err;

    if (snprintf(job->command, sizeof(job->command), "config %s", it->fresh.spec) >=
        LIVE_COMMAND_MAX)
        return false;
    failpoint_guest("device-file", g);
    if (it->kind == DEVICE_UBD && live_files_show(g, &it->fresh.device, &err)) {
        live_fail(job, err.code, "%s", err.message);
        um_hint(&job->why, "%s", err.hint);
        return false;
    }
    failpoint_guest("device", g);
    return tell(job, g, 0, job->command);
}

static enum live_verdict config_judge(struct live_job *job, struct live_item *it,
                                      const struct live_answer *a)
{
    bool line = it->kind == DEVICE_CON || it->kind == DEVICE_SSL;

    /* uml(kernel): a line that is none already, told so again */
    if (a->status == 0 || (line && strstr(a->text, "configured as 'none'")))
        return STEP_DONE;
    return refused(job, line ? MCONSOLE_REMOVE : MCONSOLE_CONFIG, job->command, a);
}

static bool show_wanted(um_unused const struct live_job *job, const struct live_item *it)
{
    return it->kind != DEVICE_MEM; /* its answer is an address */
}

static enum live_verdict show_judge(struct live_job *job, struct live_item *it,
                                    const struct live_answer *a)
{
    if (a->status == 0 && shown(it->fresh.shown, a->text))
        return STEP_DONE;
    return live_fail(job, UM_E_GUEST_ERROR,
                     "its kernel took it, but says now that it is \"%.100s\"", a->text);
}

/* uml(kernel): `mem=-N` takes what is free, and stops without a word where nothing is. */
static bool free_wanted(const struct live_job *job, const struct live_item *it)
{
    return it->kind == DEVICE_MEM && shrinks(it) && !job->undoing;
}

static bool free_ask(struct live_job *job, struct guest *g, um_unused struct live_item *it)
{
    return tell(job, g, 0, "proc meminfo");
}

static int64_t wanted_bytes(const struct live_item *it)
{
    int64_t bytes = 0;

    return um_parse_int(it->fresh.spec + strlen("mem=-"), 0, INT64_MAX, &bytes) ? bytes : 0;
}

static bool free_bytes(const struct live_answer *a, int64_t *ret)
{
    const char *line = a->status ? NULL : strstr(a->text, "MemFree:");
    long long kb;

    if (!line || sscanf(line, "MemFree: %lld kB", &kb) != 1)
        return false;
    *ret = kb * 1024;
    return true;
}

static enum live_verdict free_judge(struct live_job *job, struct live_item *it,
                                    const struct live_answer *a)
{
    int64_t wanted = wanted_bytes(it);

    if (!free_bytes(a, &job->free_before))
        return live_fail(job, UM_E_GUEST_ERROR, "how much of its memory is free cannot be told");
    if (job->free_before >= wanted + MEMORY_LEFT)
        return STEP_DONE;
    live_fail(job, UM_E_BUSY,
              "only %lld MB of its memory are free, %lld MB are to go and %d MB to stay",
              (long long)(job->free_before >> 20), (long long)(wanted >> 20), MEMORY_LEFT >> 20);
    um_hint(&job->why, "end programs in the guest, or there: echo 3 >/proc/sys/vm/drop_caches");
    return STEP_FAILED;
}

/* Half, since others take and free memory meanwhile. */
static enum live_verdict freed_judge(struct live_job *job, struct live_item *it,
                                     const struct live_answer *a)
{
    int64_t wanted = wanted_bytes(it), left;

    if (free_bytes(a, &left) && job->free_before - left >= wanted / 2)
        return STEP_DONE;
    return live_fail(job, UM_E_GUEST_ERROR, "its kernel gave less than half of that memory");
}

const struct live_step live_steps[] = {
    {boot_wanted, boot_ask, boot_judge, false},
    {look_wanted, query_ask, look_judge, false},
    [LIVE_STEP_REMOVE] = {remove_wanted, remove_ask, remove_judge, true},
    {free_wanted, free_ask, free_judge, false},
    {config_wanted, config_ask, config_judge, true},
    {show_wanted, query_ask, show_judge, false},
    {free_wanted, free_ask, freed_judge, false},
};
const size_t live_step_count = UM_ARRAY_LEN(live_steps);
