/*
 * Lines of a console: escape sequences removed, at most UM_LINE_MAX bytes kept. Finds a pattern
 * (what makes a guest ready, what somebody waits for) and remembers the last line, which after a
 * failed start says why.
 */
#ifndef VMCORE_BASE_LINES_H
#define VMCORE_BASE_LINES_H

#include "vmcore/base/pattern.h"

#include <stdbool.h>
#include <stddef.h>

enum { UM_LINE_MAX = 1024 };

enum um_lines_escape {
    UM_ESCAPE_NONE,
    UM_ESCAPE_BEGUN,     /* after ESC */
    UM_ESCAPE_CSI,       /* ESC [ ... up to a byte from @ to ~ */
    UM_ESCAPE_STRING,    /* ESC ] P X ^ _ ... up to BEL or ESC \ */
    UM_ESCAPE_STRING_END /* ESC seen within a string */
};

struct um_lines {
    enum um_lines_escape escape;
    char line[UM_LINE_MAX + 1];
    size_t len;
    bool continued;              /* the line's beginning is already gone: ^ must not match */
    char last[192];              /* last line that was not empty */
    struct um_pattern *pattern;  /* owned; NULL: none */
    char match[UM_LINE_MAX + 1]; /* the line in which it was found first */
};

/* pattern: taken over; NULL: nothing is sought. */
void um_lines_init(struct um_lines *s, struct um_pattern *pattern) um_nonnull(1);
void um_lines_done(struct um_lines *s) um_nonnull(1);
void um_lines_reset(struct um_lines *s) um_nonnull(1);

/*
 * Output of the console. True: the pattern matched a whole line, or the unfinished last one (a
 * prompt has no newline; `$` does not match there). seek false: lines are followed, not matched.
 */
bool um_lines_feed(struct um_lines *s, const char *data, size_t len, bool seek) um_nonnull(1, 2);

#endif
