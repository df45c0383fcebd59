/*
 * Lines of a console: escape sequences removed, at most MON_LINE_MAX bytes kept. Finds the pattern
 * that makes a guest ready and remembers the last line, which after a failed start says why.
 */
#ifndef VMCORE_MONITOR_LINES_H
#define VMCORE_MONITOR_LINES_H

#include "vmcore/base/macros.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

enum { MON_LINE_MAX = 1024 };

enum mon_lines_escape {
    MON_ESCAPE_NONE,
    MON_ESCAPE_BEGUN,     /* after ESC */
    MON_ESCAPE_CSI,       /* ESC [ ... up to a byte from @ to ~ */
    MON_ESCAPE_STRING,    /* ESC ] P X ^ _ ... up to BEL or ESC \ */
    MON_ESCAPE_STRING_END /* ESC seen within a string */
};

struct mon_lines {
    enum mon_lines_escape escape;
    char line[MON_LINE_MAX + 1];
    size_t len;
    bool continued; /* the line's beginning is already gone: ^ must not match */
    char last[192]; /* last line that was not empty */
    regex_t pattern;
    bool has_pattern;
};

/* pattern: POSIX extended, or NULL. False: it does not compile. */
bool mon_lines_init(struct mon_lines *s, const char *pattern) um_nonnull(1) um_check;
void mon_lines_done(struct mon_lines *s) um_nonnull(1);
void mon_lines_reset(struct mon_lines *s) um_nonnull(1);

/*
 * Output of the console. True: the pattern matched a whole line, or the unfinished last one (a
 * prompt has no newline; `$` does not match there). seek false: lines are followed, not matched.
 */
bool mon_lines_feed(struct mon_lines *s, const char *data, size_t len, bool seek) um_nonnull(1, 2);

#endif
