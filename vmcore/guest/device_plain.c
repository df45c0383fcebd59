/*
 * The kinds with simple values: mem=, hostfs=, initrd=, shareN=, umid=.
 */
#include "vmcore/guest/device_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum um_code device_parse_mem(struct device_parser *p, const char *value, struct device *d)
{
    /* The kernel reads `010M` as octal (memparse); nobody who writes it means that. */
    bool octal = value[0] == '0' && isalnum((unsigned char)value[1]);

    if (octal || !um_parse_size(value, &d->mem)) {
        device_fail(p, UM_E_INVALID, "\"%.40s\" is no size", value);
        um_hint(p->err, "a number with K, M or G: mem=128M");
        return UM_E_INVALID;
    }
    um_buf_puts(&p->text, value);
    return UM_OK;
}

enum um_code device_parse_hostfs(struct device_parser *p, const char *value, struct device *d)
{
    size_t len = strcspn(value, ",");
    enum um_code code = device_path(p, "directory", value, len, ",:", &d->hostfs.dir);

    if (code || !value[len])
        return code;
    if (strcmp(value + len, ",append") != 0) {
        device_fail(p, UM_E_INVALID, "unknown hostfs option \"%.40s\"", value + len + 1);
        um_hint(p->err, "the only option is append: hostfs=DIR,append");
        return UM_E_INVALID;
    }
    d->hostfs.append = true;
    um_buf_puts(&p->text, value + len);
    return UM_OK;
}

enum um_code device_parse_initrd(struct device_parser *p, const char *value, struct device *d)
{
    return device_path(p, "initrd", value, strlen(value), "", &d->initrd);
}

/* PATH inside the sandbox, when the field is not the `ro` at the end. */
static enum um_code parse_share_path(struct device_parser *p, const char **s, struct device *d)
{
    size_t len = strcspn(*s, ":");

    if (len == 2 && strncmp(*s, "ro", 2) == 0 && !(*s)[2])
        return UM_OK;
    if ((*s)[0] != '/') {
        device_fail(p, UM_E_INVALID,
                    "\"%.*s\" is neither `ro` nor an absolute path inside the guest",
                    (int)(len < 80 ? len : 80), *s);
        um_hint(p->err, "shareN=HOSTDIR[:PATH][:ro]");
        return UM_E_INVALID;
    }
    d->share.path = strndup(*s, len);
    um_buf_append(&p->text, *s, len);
    *s += len;
    return d->share.path ? UM_OK : device_no_memory(p);
}

enum um_code device_parse_share(struct device_parser *p, const char *value, struct device *d)
{
    size_t len = strcspn(value, ":");
    enum um_code code = device_path(p, "directory", value, len, ":,", &d->share.dir);

    if (code)
        return code;
    value += len;
    if (*value) {
        um_buf_append(&p->text, value++, 1);
        code = parse_share_path(p, &value, d);
        if (!code && d->share.path && *value)
            um_buf_append(&p->text, value++, 1);
        else if (!code && d->share.path)
            return UM_OK;
    } else {
        d->share.path = strdup(d->share.dir);
        return d->share.path ? UM_OK : device_no_memory(p);
    }
    if (code)
        return code;
    if (strcmp(value, "ro") != 0) {
        device_fail(p, UM_E_INVALID, "\"%.40s\" is not `ro`", value);
        um_hint(p->err, "shareN=HOSTDIR[:PATH][:ro]");
        return UM_E_INVALID;
    }
    d->share.read_only = true;
    um_buf_puts(&p->text, value);
    if (!d->share.path)
        d->share.path = strdup(d->share.dir);
    return d->share.path ? UM_OK : device_no_memory(p);
}

enum um_code device_parse_umid(struct device_parser *p, const char *value, struct device *d)
{
    /* `.` and `..` make the kernel delete foreign files (reference §1.8); the rule for names
     * excludes them. */
    if (!um_name_valid(value)) {
        device_fail(p, UM_E_INVALID, "\"%.80s\" is no name", value);
        um_hint(p->err, UM_NAME_RULE);
        return UM_E_INVALID;
    }
    d->umid = strdup(value);
    um_buf_puts(&p->text, value);
    return d->umid ? UM_OK : device_no_memory(p);
}
