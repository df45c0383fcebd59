#include "vmcore/monitor/lines.h"

#include <stdio.h>
#include <string.h>

bool mon_lines_init(struct mon_lines *s, const char *pattern)
{
    memset(s, 0, sizeof(*s));
    if (pattern && regcomp(&s->pattern, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    s->has_pattern = pattern != NULL;
    return true;
}

void mon_lines_done(struct mon_lines *s)
{
    if (s->has_pattern)
        regfree(&s->pattern);
    s->has_pattern = false;
}

void mon_lines_reset(struct mon_lines *s)
{
    s->escape = MON_ESCAPE_NONE;
    s->len = 0;
    s->continued = false;
}

static bool matches(struct mon_lines *s, bool whole)
{
    int flags = (s->continued ? REG_NOTBOL : 0) | (whole ? 0 : REG_NOTEOL);

    if (!s->has_pattern)
        return false;
    s->line[s->len] = '\0';
    return regexec(&s->pattern, s->line, 0, NULL, flags) == 0;
}

static bool end_line(struct mon_lines *s, bool seek, bool newline)
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
static bool is_text(struct mon_lines *s, unsigned char c)
{
    switch (s->escape) {
    case MON_ESCAPE_NONE:
        if (c != 0x1b)
            return true;
        s->escape = MON_ESCAPE_BEGUN;
        return false;
    case MON_ESCAPE_BEGUN:
        if (c == '[')
            s->escape = MON_ESCAPE_CSI;
        else if (strchr("]PX^_", c) && c)
            s->escape = MON_ESCAPE_STRING;
        else if (c < 0x20 || c > 0x2f) /* 0x20..0x2f: intermediate, one more follows */
            s->escape = MON_ESCAPE_NONE;
        return false;
    case MON_ESCAPE_CSI:
        if (c == '\n' || (c >= 0x40 && c <= 0x7e))
            s->escape = MON_ESCAPE_NONE;
        return c == '\n';
    case MON_ESCAPE_STRING:
        if (c == 0x1b)
            s->escape = MON_ESCAPE_STRING_END;
        else if (c == 0x07 || c == '\n') /* no title has a newline: a stray ESC ] ends here */
            s->escape = MON_ESCAPE_NONE;
        return c == '\n';
    case MON_ESCAPE_STRING_END:
        s->escape = MON_ESCAPE_NONE;
        return c == '\n';
    }
    return true;
}

bool mon_lines_feed(struct mon_lines *s, const char *data, size_t len, bool seek)
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
        if (s->len == MON_LINE_MAX)
            found = end_line(s, seek && !found, false) || found;
    }
    return found || (seek && s->len > 0 && matches(s, false));
}
