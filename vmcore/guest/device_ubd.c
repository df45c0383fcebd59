/*
 * ubd<n><flags>=<file>[,backing[,serial]]; `,` and `:` separate alike, so no name can hold either
 * (UML ubd_kern.c, ubd_setup_common).
 */
#include "vmcore/guest/device_internal.h"

#include <string.h>

#define UBD_FLAG_MAX   6
#define UBD_SEPARATORS ",:"

static const struct {
    char letter;
    unsigned flag;
} flag_letters[] = {
    {'r', UBD_READ_ONLY}, {'s', UBD_SYNC}, {'c', UBD_SHARED}, {'d', UBD_DATA}, {'t', UBD_NO_TRIM},
};

static unsigned flag_of(char letter)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(flag_letters); i++)
        if (flag_letters[i].letter == letter)
            return flag_letters[i].flag;
    return 0;
}

/* Flags up to and with the `=`. *ret_value: what follows it. */
static enum um_code parse_flags(struct device_parser *p, const char *s, unsigned *ret,
                                const char **ret_value)
{
    const char *start = s;

    for (; *s && *s != '='; s++) {
        unsigned flag = flag_of(*s);

        if (!flag) {
            device_fail(p, UM_E_INVALID, "`%c` is no ubd flag", *s);
            um_hint(p->err, "flags between number and `=` are r (read-only), s (synchronous), "
                            "c (shared, no lock), d (plain data, no COW), t (no trim)");
            return UM_E_INVALID;
        }
        *ret |= flag;
    }
    if (!*s)
        return device_fail(p, UM_E_INVALID, "`=` and a file name are missing");
    if (s - start > UBD_FLAG_MAX)
        return device_fail(p, UM_E_INVALID, "more than %d flag letters", UBD_FLAG_MAX);
    s++;
    um_buf_append(&p->text, start, (size_t)(s - start));
    *ret_value = s;
    return UM_OK;
}

/* An optional field after a separator: kept as written when empty. */
static enum um_code parse_backing(struct device_parser *p, const char **s, struct device *d)
{
    size_t len = strcspn(*s, UBD_SEPARATORS);
    enum um_code code = UM_OK;

    if (len)
        code = device_path(p, "backing file", *s, len, UBD_SEPARATORS, &d->ubd.backing);
    *s += len;
    return code;
}

static enum um_code parse_serial(struct device_parser *p, const char *s, struct device *d)
{
    if (strpbrk(s, UBD_SEPARATORS)) {
        device_fail(p, UM_E_INVALID, "too many fields");
        um_hint(p->err, "ubdN=FILE[,BACKING[,SERIAL]]; names cannot contain `,` or `:`");
        return UM_E_INVALID;
    }
    if (*s) {
        d->ubd.serial = strdup(s);
        if (!d->ubd.serial)
            return device_no_memory(p);
        um_buf_puts(&p->text, s);
    }
    return UM_OK;
}

enum um_code device_parse_ubd(struct device_parser *p, const char *value, struct device *d)
{
    enum um_code code = parse_flags(p, value, &d->ubd.flags, &value);
    size_t len;

    if (code)
        return code;
    len = strcspn(value, UBD_SEPARATORS);
    code = device_path(p, "disk image", value, len, UBD_SEPARATORS, &d->ubd.file);
    if (code)
        return code;
    value += len;
    if (*value) {
        um_buf_append(&p->text, value++, 1);
        code = parse_backing(p, &value, d);
    }
    if (!code && *value) {
        um_buf_append(&p->text, value++, 1);
        code = parse_serial(p, value, d);
    }
    if (!code && d->ubd.backing && (d->ubd.flags & UBD_DATA)) {
        device_fail(p, UM_E_INVALID, "flag d (plain data) and a backing file exclude each other");
        um_hint(p->err, "leave one of them out");
        code = UM_E_INVALID;
    }
    return code;
}
