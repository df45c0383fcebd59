/*
 * Patterns: POSIX extended regular expressions for text that strangers write, by strangers who
 * choose the pattern. Matching a byte takes at most UM_PATTERN_STEPS steps and no memory. (glibc's
 * regexec(3) has no bound that would do: `(a|b)*a(a|b){20}c` takes 0.3 ms for each byte, and keeps
 * kilobytes of it; and back-references take for ever.)
 *
 * Understood: alternatives, groups, * + ? {m,n}, `.`, brackets with ranges and [:classes:], ^ $, a
 * backslash before anything that is no letter or digit, and \w \W \s \S. Bytes, not characters.
 */
#ifndef VMCORE_BASE_PATTERN_H
#define VMCORE_BASE_PATTERN_H

#include "vmcore/base/error.h"

#include <stddef.h>

enum { UM_PATTERN_MAX = 256, UM_PATTERN_STEPS = 512 };

struct um_pattern;

/*
 * text: 1 to UM_PATTERN_MAX bytes. UM_E_INVALID: what is wrong with it, object and field left to
 * the caller's um_fail() or to the ones given here.
 */
enum um_code um_pattern_new(const char *text, const char *object, const char *field,
                            struct um_pattern **ret, struct um_error *err)
    um_nonnull(1, 4) um_check;
void um_pattern_free(struct um_pattern *p);

/* The line's beginning (or end) is not there: ^ (or $) does not match at that place. */
enum { UM_PATTERN_NO_BEGIN = 1, UM_PATTERN_NO_END = 2 };

/* Is it anywhere in these bytes? */
bool um_pattern_matches(struct um_pattern *p, const char *line, size_t len, unsigned flags)
    um_nonnull(1, 2);

#endif
