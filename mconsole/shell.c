#include "mconsole/shell.h"

#include "mconsole/guard.h"
#include "mconsole/history.h"
#include "mconsole/line_edit.h"
#include "mconsole/shell_commands.h"
#include "mconsole/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \t"

void mconsole_answer_done(struct mconsole_answer *a)
{
    um_buf_done(&a->text);
}

char *mconsole_answer_clean(const struct mconsole_answer *a)
{
    um_autostr text = malloc(a->text.len + 1);
    char *clean = malloc(a->text.len + 1);

    if (!text || !clean)
        abort();
    for (size_t i = 0; i < a->text.len; i++)
        text[i] = a->text.data[i] ? a->text.data[i] : '?';
    text[a->text.len] = '\0';
    um_str_clean(text, clean, a->text.len + 1);
    return clean;
}

static void advise(const char *line, struct mconsole_answer *a)
{
    struct um_buf command = UM_BUF_INIT;
    enum mconsole_verb verb;

    if (a->code == UM_E_GUEST_ERROR &&
        mconsole_command_check(line, true, &command, &verb, NULL) == UM_OK)
        a->advice = mconsole_advice(verb, command.data, a->status);
    um_buf_done(&command);
}

int mconsole_shell_line(struct mconsole_shell *s, const char *line)
{
    struct mconsole_answer a = MCONSOLE_ANSWER_INIT;
    const struct shell_command *c;
    const char *arg;
    int status;

    line += strspn(line, BLANKS);
    c = shell_command_of(s, line, &arg);
    if (c)
        return c->run(s, line, arg);
    s->ops->ask(s->front, line, &a);
    advise(line, &a);
    status = s->ops->show(s->front, &a);
    mconsole_answer_done(&a);
    return status;
}

/* False: nothing is left of it. */
static bool trim(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && strchr(BLANKS "\r\n", line[len - 1]))
        line[--len] = '\0';
    return line[strspn(line, BLANKS)] != '\0';
}

/* *status stays what it was for `quit`. */
static void run_line(struct mconsole_shell *s, const char *line, int *status)
{
    int result = mconsole_shell_line(s, line);

    fflush(stdout);
    if (!s->leave)
        *status = result;
}

/* ---- not on a terminal ---- */

static int run_plain(struct mconsole_shell *s)
{
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    while (!s->leave && getline(&line, &size, stdin) >= 0)
        if (trim(line)) /* the old client sent empty lines to the kernel */
            run_line(s, line, &status);
    free(line);
    return status;
}

/* ---- on a terminal ---- */

static bool add(struct um_strv *words, const char *word)
{
    return um_strv_add(words, word); /* out of memory: fewer words to choose from */
}

static void first_words(const struct mconsole_shell *s, struct um_strv *ret)
{
    const struct shell_command *c;

    for (size_t i = 0; (c = shell_command(s, i)); i++)
        if (!add(ret, c->name))
            return;
    for (int v = 0; v < MCONSOLE_VERB_COUNT; v++)
        if (!add(ret, mconsole_verb_info((enum mconsole_verb)v)->name))
            return;
}

/* Words for the place behind before: commands, then what the command takes. */
static void words_for(const char *before, struct um_strv *ret, void *arg)
{
    static const enum mconsole_verb with_devices[] = {MCONSOLE_CONFIG, MCONSOLE_REMOVE};
    const struct mconsole_shell *s = arg;
    const char *word = before + strspn(before, BLANKS), *rest;
    size_t len = strcspn(word, BLANKS);
    const struct shell_command *c;

    if (word[len] == '\0') {
        first_words(s, ret);
        return;
    }
    rest = word + len + strspn(word + len, BLANKS);
    if (rest[strcspn(rest, BLANKS)])
        return;
    c = shell_command_of(s, word, &rest);
    if (c && c->words == SHELL_WORDS_GUESTS)
        s->ops->guests(s->front, ret);
    for (size_t i = 0; !c && i < UM_ARRAY_LEN(with_devices); i++) {
        const char *name = mconsole_verb_info(with_devices[i])->name;

        if (strlen(name) == len && memcmp(name, word, len) == 0)
            s->ops->devices(s->front, ret);
    }
}

struct session {
    struct line_edit *edit;
    char history[640]; /* path, or empty: no history is kept */
};

static void open_history(struct session *session)
{
    struct um_strv lines = {0};
    struct um_error err;
    char text[1200];

    if (mconsole_history_open(LINE_EDIT_HISTORY, session->history, sizeof(session->history), &lines,
                              &err)) {
        fprintf(stderr, "%s\n", um_error_text(&err, text, sizeof(text)));
        session->history[0] = '\0';
    }
    for (size_t i = 0; i < lines.n; i++)
        line_edit_remember(session->edit, lines.v[i]);
    um_strv_done(&lines);
}

static void remember(struct session *session, const char *line)
{
    line_edit_remember(session->edit, line);
    if (session->history[0])
        mconsole_history_add(session->history, line);
}

static int run_session(struct mconsole_shell *s, struct session *session)
{
    char prompt[160];
    int status = 0;

    while (!s->leave) {
        enum line_edit_result read;
        const char *line;
        char *copy;

        snprintf(prompt, sizeof(prompt), "%s%s%s", s->prompt_before, s->ops->name(s->front),
                 s->prompt_after);
        read = line_edit_read(session->edit, prompt, &line);
        if (read == LINE_EDIT_END) {
            putchar('\n');
            break;
        }
        if (read == LINE_EDIT_GIVEN_UP)
            continue;
        copy = strdup(line);
        if (copy && trim(copy)) {
            remember(session, copy);
            run_line(s, copy, &status);
        }
        free(copy);
    }
    return status;
}

int mconsole_shell_run(struct mconsole_shell *s)
{
    struct session session = {.edit = NULL};
    int status;

    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        session.edit = line_edit_new(s->program, words_for, s);
    if (!session.edit)
        return run_plain(s);
    open_history(&session);
    status = run_session(s, &session);
    line_edit_free(session.edit);
    return status;
}
