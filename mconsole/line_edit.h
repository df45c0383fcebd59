/*
 * Line editing on a terminal by libedit, which nobody but line_edit.c sees.
 */
#ifndef MCONSOLE_LINE_EDIT_H
#define MCONSOLE_LINE_EDIT_H

#include "vmcore/base/str.h"

struct line_edit;

/*
 * Append every word that may stand where the last word of before (what is left of the cursor)
 * begins; those that do not fit what was typed are left out by the editor.
 */
typedef void (*line_edit_words_fn)(const char *before, struct um_strv *ret, void *arg);

enum line_edit_result { LINE_EDIT_LINE, LINE_EDIT_GIVEN_UP, LINE_EDIT_END };

enum { LINE_EDIT_HISTORY = 500 }; /* lines kept */

/* On standard input and output, which are terminals. NULL: they cannot be used. */
struct line_edit *line_edit_new(const char *program, line_edit_words_fn words, void *arg)
    um_nonnull(1, 2) um_check;
void line_edit_free(struct line_edit *e); /* the terminal is as it was */

/*
 * The next line, without its line feed: *ret_line is valid until the next call. LINE_EDIT_GIVEN_UP:
 * ^C. LINE_EDIT_END: ^D, or the terminal is gone.
 */
enum line_edit_result line_edit_read(struct line_edit *e, const char *prompt, const char **ret_line)
    um_nonnull(1, 2, 3) um_check;

/* To be found by the arrow keys and ^R. */
void line_edit_remember(struct line_edit *e, const char *line) um_nonnull(1, 2);

#endif
