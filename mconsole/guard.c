#include "mconsole/guard.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UBD_COUNT = 16 };

typedef bool (*ask_fn)(const char *arg, struct mconsole_question *ret);
typedef enum um_code (*judge_fn)(const char *arg, int32_t status, const char *text,
                                 struct um_error *err);

static enum um_code um_format(2, 3) refuse(struct um_error *err, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    um_fail(err, UM_E_INVALID, NULL, "command", "%s", text);
    um_hint(err, "--force sends it all the same");
    return UM_E_INVALID;
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
 * `config ubdN` names a file even for the default root_fs that is not there; a disk that was set up
 * is in the list of block devices, whatever its size.
 */
static bool ask_disks(const char *arg, struct mconsole_question *ret)
{
    *ret = (struct mconsole_question){.verb = MCONSOLE_PROC, .command = "proc diskstats"};
    return ubd_number(arg) >= 0;
}

static enum um_code judge_disks(const char *arg, int32_t status, const char *text,
                                struct um_error *err)
{
    char name[8];

    snprintf(name, sizeof(name), " ubd%c ", 'a' + ubd_number(arg));
    if (status == 0 && strstr(text, name))
        return UM_OK;
    if (status)
        return refuse(err,
                      "\"remove %s\" is refused: whether there is such a disk cannot be told (%s), "
                      "and removing one that was never set up crashes the kernel",
                      arg, text);
    return refuse(err,
                  "\"remove %s\" is refused: the guest has no such disk, and removing one that was "
                  "never set up (a root_fs that is not there) crashes the kernel",
                  arg);
}

/* ---- stack PID: kernel threads ---- */

/*
 * Most files of /proc/PID cannot be read through mconsole (6.1: `Read of file failed`), but they
 * can be opened or not: a kernel thread has no program, so its exe leads nowhere.
 */
static bool ask_program(const char *arg, struct mconsole_question *ret)
{
    arg += strspn(arg, "0"); /* /proc knows no other spelling */
    *ret = (struct mconsole_question){.verb = MCONSOLE_PROC, .peek = true};
    return snprintf(ret->command, sizeof(ret->command), "proc %s/exe", arg) <
           (int)sizeof(ret->command);
}

static enum um_code judge_program(const char *arg, int32_t status, const char *text,
                                  struct um_error *err)
{
    if (status == 0 || strcmp(text, "Read of file failed") == 0)
        return UM_OK;
    return refuse(err,
                  "\"stack %s\" is refused: process %s is a kernel thread or does not exist, and "
                  "the stack of a kernel thread can hang or crash the kernel",
                  arg, arg);
}

/* ---- exec COMMAND: in patched kernels only ---- */

/* An unknown word stalls what is queued behind it in the kernel. */
static bool ask_help(um_unused const char *arg, struct mconsole_question *ret)
{
    *ret = (struct mconsole_question){.verb = MCONSOLE_HELP, .command = "help"};
    return true;
}

static enum um_code judge_help(um_unused const char *arg, int32_t status, const char *text,
                               struct um_error *err)
{
    const char *line = text;

    while (status == 0 && line) {
        line += strspn(line, " \t\n");
        if (um_str_starts(line, "exec "))
            return UM_OK;
        line = strchr(line, '\n');
    }
    return refuse(err, "\"exec\" is refused: this kernel's help does not list it; only patched "
                       "kernels have it");
}

static const struct guard {
    ask_fn ask;
    judge_fn judge;
} guards[MCONSOLE_VERB_COUNT] = {
    [MCONSOLE_REMOVE] = {ask_disks, judge_disks},
    [MCONSOLE_STACK] = {ask_program, judge_program},
    [MCONSOLE_EXEC] = {ask_help, judge_help},
};

/* The argument of a command that mconsole_command_check() built: one blank after the verb. */
static const char *argument_of(const char *command)
{
    const char *blank = strchr(command, ' ');

    return blank ? blank + 1 : "";
}

bool mconsole_guard_asks(enum mconsole_verb verb, const char *command,
                         struct mconsole_question *ret)
{
    return guards[verb].ask && guards[verb].ask(argument_of(command), ret);
}

enum um_code mconsole_guard_judge(enum mconsole_verb verb, const char *command, enum um_code code,
                                  int32_t status, const char *text, struct um_error *err)
{
    /* Without a status it is not the kernel's answer but what is wrong with it. */
    if (code && !(code == UM_E_GUEST_ERROR && status != 0))
        return um_fail(err, code, NULL, NULL, "%s", text);
    return guards[verb].judge(argument_of(command), status, text, err);
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
