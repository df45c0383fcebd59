/*
 * Words of the HOWTO and of the design that this version knows but cannot do yet: managed disks,
 * `ubd=sync`. They are refused by name, so that nobody believes a guest has what it has not.
 */
#include "vmcore/guest/device_internal.h"

#include <ctype.h>
#include <string.h>

static const struct later_row {
    const char *name;
    const char *works; /* what works instead */
} later[] = {
    {"disk", "give the image itself: ubdN=FILE or ubdN=COW,BACKING"},
};

static const struct later_row *later_of(const char *word)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(later); i++) {
        const char *rest = word + strlen(later[i].name);

        if (!um_str_starts(word, later[i].name) || !isdigit((unsigned char)*rest))
            continue;
        rest += strspn(rest, "0123456789");
        if (*rest == '=' || *rest == ':' || !*rest)
            return &later[i];
    }
    return NULL;
}

bool device_later_known(const char *word)
{
    return later_of(word) || um_str_starts(word, "ubd=");
}

static enum um_code ubd_without_number(struct device_parser *p)
{
    if (strcmp(p->word, "ubd=sync") == 0) {
        device_fail(p, UM_E_UNSUPPORTED, "not in this version yet");
        um_hint(p->err, "give each disk flag s: ubd0s=FILE");
        return UM_E_UNSUPPORTED;
    }
    device_fail(p, UM_E_INVALID, "the number of the disk is missing");
    um_hint(p->err, "ubd0=FILE");
    return UM_E_INVALID;
}

enum um_code device_later_fail(struct device_parser *p)
{
    const struct later_row *row = later_of(p->word);

    if (!row)
        return ubd_without_number(p);
    device_fail(p, UM_E_UNSUPPORTED, "%sN is not in this version yet", row->name);
    um_hint(p->err, "%s", row->works);
    return UM_E_UNSUPPORTED;
}
