/*
 * Patterns and the consoles they are sought on: the first line is the pattern, the rest what a
 * guest writes. A line that is found must be found however the text arrives, and glob(7)-like names
 * may not crash either.
 */
#include "vmcore/base/lines.h"
#include "vmcore/base/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool found(const char *pattern, const char *text, size_t len, size_t piece)
{
    struct um_pattern *p;
    struct um_lines lines;
    struct um_error err;
    bool result = false;

    if (um_pattern_new(pattern, "fuzz", "pattern", &p, &err)) {
        if (err.code == UM_OK || !err.message[0])
            abort();
        return false;
    }
    um_lines_init(&lines, p);
    for (size_t at = 0; at < len; at += piece)
        result =
            um_lines_feed(&lines, text + at, len - at < piece ? len - at : piece, true) || result;
    if (result && strlen(lines.match) > UM_LINE_MAX)
        abort();
    um_lines_done(&lines);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = memchr(data, '\n', size);
    char pattern[UM_PATTERN_MAX + 2] = "", *text;
    size_t len = end ? (size_t)(end - (const char *)data) : size, rest;

    if (len >= sizeof(pattern) || size > 65536)
        return 0;
    memcpy(pattern, data, len);
    rest = end ? size - len - 1 : 0;
    text = malloc(rest + 2);
    if (!text)
        return 0;
    memcpy(text, data + size - rest, rest);
    text[rest] = '\n'; /* prompts match early in small pieces, lines in all of them */
    text[rest + 1] = '\0';
    if (found(pattern, text, rest + 1, rest + 1) && !found(pattern, text, rest + 1, 7))
        abort();
    (void)um_str_glob(pattern, text);
    free(text);
    return 0;
}
