/*
 * The interactive mconsole shell: line editing, history and completion on a terminal, plain lines
 * of standard input otherwise. It knows commands of its own (`help` lists them); everything else
 * goes to the guest's kernel. How one speaks with a kernel, and how answers are shown, is the
 * front's business: umlctl goes through umld, uml_mconsole to the kernel's socket.
 */
#ifndef MCONSOLE_SHELL_H
#define MCONSOLE_SHELL_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

#include <stdint.h>

/*
 * What came of one command. code: UM_OK (status 0), UM_E_GUEST_ERROR (the kernel's error: status,
 * text and perhaps advice), or what else is wrong, in error.
 */
struct mconsole_answer {
    enum um_code code;
    int32_t status;
    struct um_buf text; /* any bytes */
    struct um_error error;
    const char *advice; /* what to do in the guest, or NULL; set by the shell */
};

#define MCONSOLE_ANSWER_INIT                                                                       \
    (struct mconsole_answer)                                                                       \
    {                                                                                              \
        .code = UM_OK                                                                              \
    }

void mconsole_answer_done(struct mconsole_answer *a) um_nonnull(1);

/* Its text for a terminal, without control characters and NULs; the caller frees it. Aborts when
 * out of memory. */
char *mconsole_answer_clean(const struct mconsole_answer *a) um_nonnull(1) um_check;

/* The front. front is mconsole_shell.front; lists are appended to, and may stay empty. */
struct mconsole_front {
    /* One line for the kernel; *ret begins as MCONSOLE_ANSWER_INIT. */
    void (*ask)(void *front, const char *line, struct mconsole_answer *ret);
    /* Tell the user; the exit status this would be. */
    int (*show)(void *front, const struct mconsole_answer *a);
    /* Text of the shell itself, a line or more. */
    void (*say)(void *front, const char *text);
    /* Guest of the commands from now on. On failure it stays the old one. */
    enum um_code (*switch_to)(void *front, const char *guest, struct um_error *err);
    const char *(*name)(void *front);
    /* SIGINT to the kernel's main process, found in a way that cannot hit another. */
    enum um_code (*interrupt)(void *front, struct um_error *err);
    /* `umlfs FD` of patched kernels: line goes with the descriptor. NULL: there is no such command.
     */
    void (*ask_with_fd)(void *front, const char *line, int fd, struct mconsole_answer *ret);
    /* For completion. */
    void (*devices)(void *front, struct um_strv *ret);
    void (*guests)(void *front, struct um_strv *ret);
};

struct mconsole_shell {
    const struct mconsole_front *ops;
    void *front;
    const char *program;                      /* for the line editor's own configuration */
    const char *prompt_before, *prompt_after; /* around the guest's name */
    bool compatible; /* as uml_mconsole always was: own commands match by prefix */
    bool leave;      /* `quit` was given */
};

/* One command. Returns the exit status. */
int mconsole_shell_line(struct mconsole_shell *s, const char *line) um_nonnull(1, 2);

/*
 * Commands of standard input until its end or `quit`; returns the status of the last one. On a
 * terminal ^C gives up the line, ^D on an empty one ends. Answers are never paged.
 */
int mconsole_shell_run(struct mconsole_shell *s) um_nonnull(1);

#endif
