#include "vmcore/guest/limits.h"

#include "vmcore/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_SIZE, KIND_COUNT, KIND_PERCENT };

static const struct {
    const char *name;
    enum kind kind;
    uint64_t min, max;
} rows[LIMIT_COUNT] = {
    /* Below the least memory of a kernel none starts. */
    [LIMIT_MEMORY] = {"memory", KIND_SIZE, UINT64_C(24) << 20, UINT64_C(1) << 40},
    /* bubblewrap, umlinit, the kernel with its helpers, and room for an init. */
    [LIMIT_PIDS] = {"pids", KIND_COUNT, 16, 4 << 20},
    [LIMIT_CPU] = {"cpu", KIND_PERCENT, 1, 100000},
    [LIMIT_IO] = {"io", KIND_SIZE, 64 << 10, UINT64_C(1) << 40},
};

const char *guest_limit_name(enum guest_limit which)
{
    return (unsigned)which < LIMIT_COUNT ? rows[which].name : "?";
}

bool guest_limit_from_name(const char *name, enum guest_limit *ret)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        *ret = (enum guest_limit)i;
        return true;
    }
    return false;
}

static bool parse_percent(const char *text, int64_t *ret)
{
    char digits[16];
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == '%')
        len--;
    if (len >= sizeof(digits))
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return um_parse_int(digits, 0, INT64_MAX, ret);
}

bool guest_limit_parse(enum guest_limit which, const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    int64_t number = 0;
    bool ok;

    if (strcmp(text, "none") == 0) {
        *ret = 0;
        return true;
    }
    switch (rows[which].kind) {
    case KIND_SIZE:
        ok = um_parse_size(text, &value);
        break;
    case KIND_PERCENT:
        ok = parse_percent(text, &number);
        value = (uint64_t)number;
        break;
    default:
        ok = um_parse_int(text, 0, INT64_MAX, &number);
        value = (uint64_t)number;
        break;
    }
    if (!ok || value < rows[which].min || value > rows[which].max)
        return false;
    *ret = value;
    return true;
}

const char *guest_limit_format(enum guest_limit which, uint64_t value, char *buf, size_t size)
{
    if (value == 0)
        snprintf(buf, size, "none");
    else if (rows[which].kind == KIND_SIZE)
        um_format_size(value, buf, size);
    else
        snprintf(buf, size, "%" PRIu64 "%s", value, rows[which].kind == KIND_PERCENT ? "%" : "");
    return buf;
}

const char *guest_limit_allowed(enum guest_limit which, char *buf, size_t size)
{
    static const char *const kinds[] = {
        [KIND_SIZE] = "a size",
        [KIND_COUNT] = "a number",
        [KIND_PERCENT] = "a percentage of one CPU",
    };
    char low[24], high[24];

    guest_limit_format(which, rows[which].min, low, sizeof(low));
    guest_limit_format(which, rows[which].max, high, sizeof(high));
    snprintf(buf, size, "%s from %s to %s, or none", kinds[rows[which].kind], low, high);
    return buf;
}
