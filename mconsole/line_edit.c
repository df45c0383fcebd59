/*
 * ^C is a character while a line is edited (the terminal's INTR is off then): libedit reads on
 * after an interrupted system call, so a signal could not end the line.
 */
#include "mconsole/line_edit.h"

#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define BLANKS " \t"

struct line_edit {
    EditLine *editor;
    History *history;
    line_edit_words_fn words;
    void *arg;
    const char *prompt;
    bool given_up;
    char *line; /* last one returned */
};

static struct line_edit *self_of(EditLine *editor)
{
    struct line_edit *e = NULL;

    el_get(editor, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_of(EditLine *editor)
{
    return (char *)(uintptr_t)self_of(editor)->prompt;
}

static unsigned char give_up(EditLine *editor, um_unused wint_t ch)
{
    self_of(editor)->given_up = true;
    return CC_NEWLINE;
}

/* ---- completion ---- */

static size_t common_length(const struct um_strv *words)
{
    size_t n = strlen(words->v[0]);

    for (size_t i = 1; i < words->n; i++) {
        size_t k = 0;

        while (k < n && words->v[i][k] == words->v[0][k])
            k++;
        n = k;
    }
    return n;
}

static void keep_fitting(struct um_strv *all, const char *typed, struct um_strv *ret)
{
    for (size_t i = 0; i < all->n; i++)
        if (um_str_starts(all->v[i], typed) && !um_strv_contains(ret, all->v[i]) &&
            !um_strv_add(ret, all->v[i]))
            break; /* out of memory: fewer words */
}

static unsigned char insert_or_list(EditLine *editor, const struct um_strv *words, size_t typed)
{
    char rest[256];
    size_t common = words->n > 0 ? common_length(words) : 0;

    if (words->n == 0)
        return CC_ERROR;
    if (words->n == 1 || common > typed) {
        snprintf(rest, sizeof(rest), "%.*s%s", (int)(common - typed), words->v[0] + typed,
                 words->n == 1 ? " " : "");
        return el_insertstr(editor, rest) < 0 ? CC_ERROR : CC_REFRESH;
    }
    putchar('\n');
    for (size_t i = 0; i < words->n; i++)
        printf("%s%s", words->v[i], i + 1 < words->n ? "  " : "\n");
    return CC_REDISPLAY;
}

static unsigned char complete(EditLine *editor, um_unused wint_t ch)
{
    struct line_edit *e = self_of(editor);
    const LineInfo *info = el_line(editor);
    struct um_strv all = {0}, fitting = {0};
    char *before = strndup(info->buffer, (size_t)(info->cursor - info->buffer));
    unsigned char result = CC_ERROR;

    if (before) {
        const char *typed = before + strlen(before);

        while (typed > before && !strchr(BLANKS, typed[-1]))
            typed--;
        e->words(before, &all, e->arg);
        keep_fitting(&all, typed, &fitting);
        result = insert_or_list(editor, &fitting, strlen(typed));
    }
    um_strv_done(&all);
    um_strv_done(&fitting);
    free(before);
    return result;
}

/* ---- interface ---- */

static void set_up(struct line_edit *e)
{
    HistEvent event;

    el_set(e->editor, EL_CLIENTDATA, e);
    el_set(e->editor, EL_PROMPT, prompt_of);
    el_set(e->editor, EL_EDITOR, "emacs");
    el_set(e->editor, EL_SIGNAL, 1); /* the terminal is given back before a signal ends us */
    el_set(e->editor, EL_SETTY, "-d", "-intr", NULL);
    /* Wide, because the narrow variant leaks copies of these names. */
    el_wset(e->editor, EL_ADDFN, L"mconsole-give-up", L"give up this line", give_up);
    el_wset(e->editor, EL_ADDFN, L"mconsole-complete", L"complete the word", complete);
    el_set(e->editor, EL_BIND, "^C", "mconsole-give-up", NULL);
    el_set(e->editor, EL_BIND, "^I", "mconsole-complete", NULL);
    el_set(e->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    history(e->history, &event, H_SETSIZE, LINE_EDIT_HISTORY);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->editor, EL_HIST, history, e->history);
    el_source(e->editor, NULL); /* ~/.editrc */
}

struct line_edit *line_edit_new(const char *program, line_edit_words_fn words, void *arg)
{
    struct line_edit *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    setlocale(LC_CTYPE, ""); /* what is one character */
    e->words = words;
    e->arg = arg;
    e->history = history_init();
    e->editor = e->history ? el_init(program, stdin, stdout, stderr) : NULL;
    if (!e->editor) {
        line_edit_free(e);
        return NULL;
    }
    set_up(e);
    return e;
}

void line_edit_free(struct line_edit *e)
{
    if (!e)
        return;
    if (e->editor)
        el_end(e->editor);
    if (e->history)
        history_end(e->history);
    free(e->line);
    free(e);
}

enum line_edit_result line_edit_read(struct line_edit *e, const char *prompt, const char **ret_line)
{
    const char *line;
    int n = 0;

    e->prompt = prompt;
    e->given_up = false;
    el_set(e->editor, EL_PREP_TERM, 1); /* before the prompt: what follows it must find us ready */
    line = el_gets(e->editor, &n);
    if (e->given_up) {
        puts("^C"); /* as the terminal itself would have */
        return LINE_EDIT_GIVEN_UP;
    }
    if (!line || n <= 0)
        return LINE_EDIT_END;
    free(e->line);
    e->line = strdup(line);
    if (!e->line)
        return LINE_EDIT_END;
    e->line[strcspn(e->line, "\n")] = '\0';
    *ret_line = e->line;
    return LINE_EDIT_LINE;
}

void line_edit_remember(struct line_edit *e, const char *line)
{
    HistEvent event;

    history(e->history, &event, H_ENTER, line);
}
