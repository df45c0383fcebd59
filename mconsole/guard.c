#include "mconsole/guard.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UBD_COUNT = 16 };

/* Answer to the question of g->step; arg: the command's argument. */
typedef enum mconsole_verdict (*judge_fn)(struct mconsole_guard *g, const char *arg, int32_t status,
                                          const char *text, struct um_error *err);
typedef enum mconsole_verdict (*begin_fn)(struct mconsole_guard *g, const char *arg);

static enum mconsole_verdict um_format(2, 3) refuse(struct um_error *err, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    um_fail(err, UM_E_INVALID, NULL, "command", "%s", text);
    um_hint(err, "--force sends it all the same");
    return MCONSOLE_REFUSE;
}

static enum mconsole_verdict um_format(3, 4)
    ask(struct mconsole_guard *g, enum mconsole_verb verb, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(g->ask, sizeof(g->ask), fmt, ap);
    va_end(ap);
    g->ask_verb = verb;
    /* An argument that long is nothing the kernel knows: it will say so. */
    return n < (int)sizeof(g->ask) ? MCONSOLE_ASK : MCONSOLE_SEND;
}

/* ---- remove ubdN: a disk that was never set up crashes every kernel (seen on 6.1 to 7.2) ---- */

/* The kernel's way of reading N: a number with base detection or a letter. -1: it will refuse. */
static int ubd_number(const char *arg)
{
    const char *id = arg + strlen("ubd");
    char *end;
    unsigned long n;

    if (!um_str_starts(arg, "ubd"))
        return -1;
    if (id[0] >= 'a' && id[0] < 'a' + UBD_COUNT && id[1] == '\0')
        return id[0] - 'a';
    if (id[0] < '0' || id[0] > '9')
        return -1;
    n = strtoul(id, &end, 0);
    return *end == '\0' && n < UBD_COUNT ? (int)n : -1;
}

/*
 * Two questions. `config ubdN` names the file of an entry: without one the kernel refuses `remove`
 * itself. One that was set up is also in the list of block devices, whatever its size; the default
 * root_fs that is not there, or a file that was missing at boot, is not.
 */
static enum mconsole_verdict begin_disk(struct mconsole_guard *g, const char *arg)
{
    return ubd_number(arg) < 0 ? MCONSOLE_SEND : ask(g, MCONSOLE_CONFIG, "config %s", arg);
}

static enum mconsole_verdict judge_disk(struct mconsole_guard *g, const char *arg, int32_t status,
                                        const char *text, struct um_error *err)
{
    char name[8];

    snprintf(name, sizeof(name), " ubd%c ", 'a' + ubd_number(arg));
    if (status)
        return refuse(err,
                      "\"remove %s\" is refused: whether that disk was set up cannot be told (%s), "
                      "and removing one that was not crashes the kernel",
                      arg, text);
    if (g->step == 0)
        return text[0] ? ask(g, MCONSOLE_PROC, "proc diskstats") : MCONSOLE_SEND;
    if (strstr(text, name))
        return MCONSOLE_SEND;
    return refuse(err,
                  "\"remove %s\" is refused: that disk was never set up (its file is not there), "
                  "and removing it crashes the kernel",
                  arg);
}

/* ---- stack PID: kernel threads ---- */

/*
 * Most files of /proc/PID cannot be read through mconsole (6.1: `Read of file failed`), but they
 * can be opened or not: a kernel thread has no program, so its exe leads nowhere.
 */
static enum mconsole_verdict begin_stack(struct mconsole_guard *g, const char *arg)
{
    g->peek = true;
    arg += strspn(arg, "0"); /* /proc knows no other spelling */
    return ask(g, MCONSOLE_PROC, "proc %s/exe", arg);
}

/*
 * Then `version`, whose answer is of no interest: it is run behind `proc`, which reads the whole
 * program though nobody listens. On 6.1 a stack cannot be walked from an interrupt that stopped the
 * kernel at work (`Received SIGSEGV in SIGSEGV handler`).
 */
static enum mconsole_verdict judge_stack(struct mconsole_guard *g, const char *arg, int32_t status,
                                         const char *text, struct um_error *err)
{
    if (g->step > 0)
        return MCONSOLE_SEND;
    g->peek = false;
    if (status == 0 || strcmp(text, "Read of file failed") == 0)
        return ask(g, MCONSOLE_VERSION_CMD, "version");
    return refuse(err,
                  "\"stack %s\" is refused: process %s is a kernel thread or does not exist, and "
                  "the stack of a kernel thread can hang or crash the kernel",
                  arg, arg);
}

/* ---- exec COMMAND: in patched kernels only ---- */

/* Asked, because an unknown word stalls what is queued behind it in the kernel. */
static enum mconsole_verdict begin_exec(struct mconsole_guard *g, um_unused const char *arg)
{
    return ask(g, MCONSOLE_HELP, "help");
}

static enum mconsole_verdict judge_exec(um_unused struct mconsole_guard *g,
                                        um_unused const char *arg, int32_t status, const char *text,
                                        struct um_error *err)
{
    const char *line = text;

    while (status == 0 && line) {
        line += strspn(line, " \t\n");
        if (um_str_starts(line, "exec "))
            return MCONSOLE_SEND;
        line = strchr(line, '\n');
    }
    return refuse(err, "\"exec\" is refused: this kernel's help does not list it; only patched "
                       "kernels have it");
}

static const struct {
    begin_fn begin;
    judge_fn judge;
} guards[MCONSOLE_VERB_COUNT] = {
    [MCONSOLE_REMOVE] = {begin_disk, judge_disk},
    [MCONSOLE_STACK] = {begin_stack, judge_stack},
    [MCONSOLE_EXEC] = {begin_exec, judge_exec},
};

/* The argument of a command that mconsole_command_check() built: one blank after the verb. */
static const char *argument_of(const char *command)
{
    const char *blank = strchr(command, ' ');

    return blank ? blank + 1 : "";
}

enum mconsole_verdict mconsole_guard_begin(struct mconsole_guard *g, enum mconsole_verb verb,
                                           const char *command)
{
    *g = (struct mconsole_guard){.verb = verb, .command = command};
    return guards[verb].begin ? guards[verb].begin(g, argument_of(command)) : MCONSOLE_SEND;
}

enum mconsole_verdict mconsole_guard_next(struct mconsole_guard *g, enum um_code code,
                                          int32_t status, const char *text, struct um_error *err)
{
    enum mconsole_verdict verdict;

    /* Without a status it is not the kernel's answer but what is wrong with it. */
    if (code && !(code == UM_E_GUEST_ERROR && status != 0)) {
        um_fail(err, code, NULL, NULL, "%s", text);
        return MCONSOLE_REFUSE;
    }
    verdict = guards[g->verb].judge(g, argument_of(g->command), status, text, err);
    g->step++;
    return verdict;
}

/* ---- errors that are about what goes on in the guest ---- */

static const struct advice {
    enum mconsole_verb verb;
    const char *device;
    int32_t status;
    const char *text;
} advices[] = {
    {MCONSOLE_REMOVE, "eth", -EBUSY,
     "take the interface down in the guest first: ip link set DEV down"},
    {MCONSOLE_REMOVE, "vec", -EBUSY,
     "take the interface down in the guest first: ip link set DEV down"},
    {MCONSOLE_REMOVE, "ubd", -EBUSY, "unmount the disk in the guest first (or swapoff)"},
    {MCONSOLE_REMOVE, "con", -EINVAL,
     "end what uses the console in the guest first (getty, login)"},
    {MCONSOLE_REMOVE, "ssl", -EINVAL, "end what uses the line in the guest first (getty, login)"},
    {MCONSOLE_CONFIG, "ubd", -EBUSY, "the disk is set up already: remove it first"},
};

const char *mconsole_advice(enum mconsole_verb verb, const char *command, int32_t status)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(advices); i++)
        if (advices[i].verb == verb && advices[i].status == status &&
            um_str_starts(argument_of(command), advices[i].device))
            return advices[i].text;
    return NULL;
}
