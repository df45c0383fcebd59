/*
 * The table of device kinds and what is common to all of them. Each kind's own syntax is in
 * device_ubd.c, device_line.c, device_net.c, device_nic.c and device_plain.c. The surprise: numbers
 * are read with C's base detection, because the kernel does so (`con010` is console 8), and the
 * stored text keeps the number as it was written.
 */
#include "vmcore/guest/device_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum unit_rule {
    UNIT_NEVER,
    UNIT_OPTIONAL, /* without a number: the default for all, index -1 */
    UNIT_ALWAYS,
    UNIT_COLON, /* always, and `:` instead of `=` */
    UNIT_UBD    /* number or letter, flags may follow */
};

static const struct kind_row {
    const char *name;
    enum unit_rule unit;
    int max; /* highest unit */
    device_parse_fn *parse;
} kinds[DEVICE_KIND_COUNT] = {
    [DEVICE_UBD] = {"ubd", UNIT_UBD, DEVICE_UBD_MAX - 1, device_parse_ubd},
    [DEVICE_CON] = {"con", UNIT_OPTIONAL, DEVICE_CON_MAX - 1, device_parse_line},
    [DEVICE_SSL] = {"ssl", UNIT_OPTIONAL, DEVICE_SSL_MAX - 1, device_parse_line},
    [DEVICE_MEM] = {"mem", UNIT_NEVER, 0, device_parse_mem},
    [DEVICE_HOSTFS] = {"hostfs", UNIT_NEVER, 0, device_parse_hostfs},
    [DEVICE_INITRD] = {"initrd", UNIT_NEVER, 0, device_parse_initrd},
    [DEVICE_SHARE] = {"share", UNIT_ALWAYS, DEVICE_SHARE_MAX - 1, device_parse_share},
    [DEVICE_UMID] = {"umid", UNIT_NEVER, 0, device_parse_umid},
    [DEVICE_NET] = {"net", UNIT_ALWAYS, DEVICE_NET_MAX - 1, device_parse_net},
    [DEVICE_VEC] = {"vec", UNIT_COLON, DEVICE_NET_MAX - 1, device_parse_vec},
    [DEVICE_ETH] = {"eth", UNIT_ALWAYS, DEVICE_NET_MAX - 1, device_parse_eth},
};

const char *device_kind_name(enum device_kind kind)
{
    return (unsigned)kind < DEVICE_KIND_COUNT ? kinds[kind].name : "?";
}

enum um_code device_fail(struct device_parser *p, enum um_code code, const char *fmt, ...)
{
    char text[400], word[128], field[32];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(word, sizeof(word), "%s", p->word);
    /* Messages end on terminals. */
    for (char *c = word; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    snprintf(field, sizeof(field), "%.*s", (int)strcspn(word, "=:"), word);
    return um_fail(p->err, code, NULL, field, "\"%s%s\": %s", word,
                   strlen(p->word) >= sizeof(word) ? "…" : "", text);
}

enum um_code device_no_memory(struct device_parser *p)
{
    return device_fail(p, UM_E_NO_RESOURCES, "out of memory");
}

bool device_unit(const char *s, int max, int *ret, const char **ret_end)
{
    unsigned long v;
    char *end;

    if (!isdigit((unsigned char)s[0]))
        return false;
    errno = 0;
    v = strtoul(s, &end, 0);
    *ret_end = end;
    if (errno || v > (unsigned long)max)
        return false;
    *ret = (int)v;
    return true;
}

enum um_code device_path(struct device_parser *p, const char *what, const char *s, size_t len,
                         const char *separators, char **ret)
{
    um_autostr given = strndup(s, len);
    char *path;

    if (!given)
        return device_no_memory(p);
    if (!len)
        return device_fail(p, UM_E_INVALID, "the %s is missing", what);
    if (given[0] == '~' && (given[1] == '/' || !given[1])) {
        device_fail(p, UM_E_INVALID, "the shell did not replace `~` in the %s", what);
        um_hint(p->err, "write $HOME%s", given + 1);
        return UM_E_INVALID;
    }
    if (given[0] != '/' && !p->cwd) {
        return device_fail(p, UM_E_INVALID, "the path of the %s must begin with `/`", what);
    }
    path = given[0] == '/' ? strdup(given) : um_path_absolute(p->cwd, given);
    if (!path)
        return device_no_memory(p);
    for (const char *c = path; *c; c++)
        if (strchr(separators, *c) || isspace((unsigned char)*c) || iscntrl((unsigned char)*c)) {
            device_fail(
                p, UM_E_INVALID,
                "the path of the %s, %.200s, contains `%c`, which UML cannot have in a name", what,
                path, *c);
            um_hint(p->err, "rename it, or use a symbolic link without blanks, `,` and `:`");
            free(path);
            return UM_E_INVALID;
        }
    um_buf_puts(&p->text, path);
    *ret = path;
    return UM_OK;
}

static char separator(const struct kind_row *k)
{
    return k->unit == UNIT_COLON ? ':' : '=';
}

/* Does the word begin like this kind? What follows the name decides: `console=` is not `con`. */
static bool kind_matches(const struct kind_row *k, const char *word)
{
    const char *rest = word + strlen(k->name);

    if (!um_str_starts(word, k->name))
        return false;
    switch (k->unit) {
    case UNIT_NEVER:
        return *rest == '=';
    case UNIT_OPTIONAL:
    case UNIT_ALWAYS:
    case UNIT_COLON:
        if (isdigit((unsigned char)*rest))
            rest += strspn(rest, "0123456789abcdefABCDEFxX");
        else if (k->unit != UNIT_OPTIONAL)
            return false;
        return *rest == '=' || *rest == separator(k) || !*rest;
    case UNIT_UBD:
        return true;
    }
    return false;
}

static const struct kind_row *kind_of(const char *word)
{
    for (size_t i = 0; i < DEVICE_KIND_COUNT; i++)
        if (kind_matches(&kinds[i], word))
            return &kinds[i];
    return NULL;
}

bool device_word_known(const char *word)
{
    return kind_of(word) || device_later_known(word);
}

static enum um_code unknown_device(struct device_parser *p)
{
    device_fail(p, UM_E_INVALID, "unknown device");
    um_hint(p->err, "devices are ubdN= conN= con= sslN= ssl= netN= vecN: ethN= mem= hostfs= "
                    "initrd= shareN= umid=; kernel options go after `--`");
    return UM_E_INVALID;
}

/* The unit number between name and value. *ret_value: what follows (for ubd: flags and `=`). */
static enum um_code parse_unit(struct device_parser *p, const struct kind_row *k, int *ret_index,
                               const char **ret_value)
{
    const char *s = p->word + strlen(k->name);

    *ret_index = -1;
    if (k->unit == UNIT_UBD && *s >= 'a' && *s < 'a' + DEVICE_UBD_MAX) {
        *ret_index = *s++ - 'a';
    } else if (k->unit == UNIT_UBD || (k->unit != UNIT_NEVER && *s != separator(k) && *s)) {
        const char *end = s;

        if (!device_unit(s, k->max, ret_index, &end)) {
            device_fail(p, UM_E_INVALID, "the number of %s must be 0 to %d", k->name, k->max);
            if (k->unit == UNIT_UBD)
                um_hint(p->err, "ubd0 to ubd15, or ubda to ubdp");
            return UM_E_INVALID;
        }
        s = end;
    }
    if (k->unit != UNIT_UBD) {
        if (*s != separator(k))
            return device_fail(p, UM_E_INVALID, "`%c` is missing after %.*s", separator(k),
                               (int)(s - p->word), p->word);
        s++;
    }
    um_buf_append(&p->text, p->word, (size_t)(s - p->word));
    *ret_value = s;
    return UM_OK;
}

static enum um_code check_word(struct device_parser *p)
{
    size_t len = strlen(p->word);

    if (len > DEVICE_WORD_MAX)
        return device_fail(p, UM_E_INVALID, "the word has %zu bytes, the limit is %d", len,
                           DEVICE_WORD_MAX);
    for (const char *c = p->word; *c; c++)
        if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c))
            return device_fail(p, UM_E_INVALID,
                               "blanks and control characters are not possible: the kernel would "
                               "see several words");
    return UM_OK;
}

static enum um_code parse_known(struct device_parser *p, const struct kind_row *k, struct device *d)
{
    const char *value = NULL;
    enum um_code code;

    d->kind = (enum device_kind)(k - kinds);
    code = parse_unit(p, k, &d->index, &value);
    if (!code)
        code = k->parse(p, value, d);
    if (code)
        return code;
    if (p->text.len > DEVICE_WORD_MAX)
        return device_fail(p, UM_E_INVALID, "with absolute paths it has %zu bytes, the limit is %d",
                           p->text.len, DEVICE_WORD_MAX);
    d->text = um_buf_take(&p->text);
    return d->text ? UM_OK : device_no_memory(p);
}

enum um_code device_parse(const char *word, const char *cwd, struct device *ret,
                          struct um_error *err)
{
    struct device_parser p = {.word = word, .cwd = cwd, .err = err, .text = UM_BUF_INIT};
    const struct kind_row *k = kind_of(word);
    struct device d = {.index = -1};
    enum um_code code = check_word(&p);

    if (!code && device_later_known(word))
        code = device_later_fail(&p);
    else if (!code)
        code = k ? parse_known(&p, k, &d) : unknown_device(&p);
    um_buf_done(&p.text);
    if (code)
        device_done(&d);
    else
        *ret = d;
    return code;
}

void device_done_chan(struct device_chan *c)
{
    free(c->path);
    c->path = NULL;
}

void device_done(struct device *d)
{
    if (!d)
        return;
    switch (d->kind) {
    case DEVICE_UBD:
        free(d->ubd.file);
        free(d->ubd.backing);
        free(d->ubd.serial);
        free(d->ubd.origin);
        break;
    case DEVICE_CON:
    case DEVICE_SSL:
        device_done_chan(&d->line.in);
        device_done_chan(&d->line.out);
        break;
    case DEVICE_HOSTFS:
        free(d->hostfs.dir);
        break;
    case DEVICE_INITRD:
        free(d->initrd);
        break;
    case DEVICE_SHARE:
        free(d->share.dir);
        free(d->share.path);
        break;
    case DEVICE_UMID:
        free(d->umid);
        break;
    case DEVICE_NET:
        device_net_free(d->net);
        break;
    case DEVICE_VEC:
    case DEVICE_ETH:
        free(d->nic.transport);
        break;
    case DEVICE_MEM:
    case DEVICE_KIND_COUNT:
        break;
    }
    free(d->text);
    memset(d, 0, sizeof(*d));
}

bool device_copy(const struct device *from, struct device *ret)
{
    /* The text holds everything and its paths are absolute, so parsing it again cannot fail for
     * any reason but memory. */
    if (device_parse(from->text, NULL, ret, NULL))
        return false;
    if (from->kind != DEVICE_UBD || !from->ubd.origin)
        return true;
    ret->ubd.origin = strdup(from->ubd.origin);
    if (!ret->ubd.origin)
        device_done(ret);
    return ret->text;
}

const char *device_name(const struct device *d, char *buf, size_t size)
{
    if (d->index < 0)
        snprintf(buf, size, "%s", device_kind_name(d->kind));
    else
        snprintf(buf, size, "%s%d", device_kind_name(d->kind), d->index);
    return buf;
}
