#include "vmcore/base/lines.h"

#include <stdio.h>
#include <string.h>

void um_lines_init(struct um_lines *s, struct um_pattern *pattern)
{
    memset(s, 0, sizeof(*s));
    s->pattern = pattern;
}

void um_lines_done(struct um_lines *s)
{
    um_pattern_free(s->pattern);
    s->pattern = NULL;
}

void um_lines_reset(struct um_lines *s)
{
    s->escape = UM_ESCAPE_NONE;
    s->len = 0;
    s->continued = false;
}

static bool matches(struct um_lines *s, bool whole)
{
    unsigned flags = (s->continued ? UM_PATTERN_NO_BEGIN : 0u) | (whole ? 0u : UM_PATTERN_NO_END);

    if (!s->pattern || !um_pattern_matches(s->pattern, s->line, s->len, flags))
        return false;
    if (!s->match[0])
        snprintf(s->match, sizeof(s->match), "%.*s", (int)s->len, s->line);
    return true;
}

static bool end_line(struct um_lines *s, bool seek, bool newline)
{
    bool found = seek && matches(s, newline);

    s->line[s->len] = '\0';
    if (s->len > 0)
        snprintf(s->last, sizeof(s->last), "%.*s", (int)sizeof(s->last) - 1, s->line);
    s->len = 0;
    s->continued = !newline;
    return found;
}

/* Bytes of escape sequences give false. (ECMA-48: CSI ends at 0x40..0x7e, strings at BEL or ST.) */
static bool is_text(struct um_lines *s, unsigned char c)
{
    switch (s->escape) {
    case UM_ESCAPE_NONE:
        if (c != 0x1b)
            return true;
        s->escape = UM_ESCAPE_BEGUN;
        return false;
    case UM_ESCAPE_BEGUN:
        if (c == '[')
            s->escape = UM_ESCAPE_CSI;
        else if (strchr("]PX^_", c) && c)
            s->escape = UM_ESCAPE_STRING;
        else if (c < 0x20 || c > 0x2f) /* 0x20..0x2f: intermediate, one more follows */
            s->escape = UM_ESCAPE_NONE;
        return false;
    case UM_ESCAPE_CSI:
        if (c == '\n' || (c >= 0x40 && c <= 0x7e))
            s->escape = UM_ESCAPE_NONE;
        return c == '\n';
    case UM_ESCAPE_STRING:
        if (c == 0x1b)
            s->escape = UM_ESCAPE_STRING_END;
        else if (c == 0x07 || c == '\n') /* no title has a newline: a stray ESC ] ends here */
            s->escape = UM_ESCAPE_NONE;
        return c == '\n';
    case UM_ESCAPE_STRING_END:
        s->escape = UM_ESCAPE_NONE;
        return c == '\n';
    }
    return true;
}

bool um_lines_feed(struct um_lines *s, const char *data, size_t len, bool seek)
{
    bool found = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (!is_text(s, c))
            continue;
        if (c == '\n')
            found = end_line(s, seek && !found, true) || found;
        else if (c >= 0x20 || c == '\t')
            s->line[s->len++] = data[i];
        if (s->len == UM_LINE_MAX)
            found = end_line(s, seek && !found, false) || found;
    }
    return found || (seek && s->len > 0 && matches(s, false));
}
