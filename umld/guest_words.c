/*
 * Words of create and config: `key=value`, and devices. Each is set, shown and taken back by the
 * name before its `=`; a plain key always has a value, and without one of its own the default.
 */
#include "umld/guest.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum um_code bad_word(struct um_error *err, const char *word, const char *allowed)
{
    um_fail(err, UM_E_INVALID, NULL, word, "\"%s\" has a value that cannot be used", word);
    return um_hint(err, "use %s", allowed);
}

static enum um_code no_memory(struct um_error *err, const char *word)
{
    return um_fail(err, UM_E_NO_RESOURCES, NULL, word, "out of memory");
}

static bool parse_switch(const char *value, bool *ret)
{
    *ret = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;
    return *ret || strcmp(value, "off") == 0 || strcmp(value, "no") == 0 ||
           strcmp(value, "false") == 0;
}

/* value "": none. */
static bool replace(char **dst, const char *value)
{
    char *copy = value[0] ? strdup(value) : NULL;

    if (value[0] && !copy)
        return false;
    free(*dst);
    *dst = copy;
    return true;
}

/* What the words behind `--` are shown and taken back as. */
#define CMDLINE "cmdline"

/* ---- plain keys ---- */

static bool set_kernel(struct guest_definition *d, const char *value)
{
    return replace(&d->kernel, value);
}

static void get_kernel(const struct guest_definition *d, struct um_buf *b)
{
    um_buf_puts(b, d->kernel ? d->kernel : "");
}

static bool set_restart(struct guest_definition *d, const char *value)
{
    return guest_restart_from_name(value, &d->restart);
}

static void get_restart(const struct guest_definition *d, struct um_buf *b)
{
    um_buf_puts(b, guest_restart_name(d->restart));
}

static bool set_hang(struct guest_definition *d, const char *value)
{
    return guest_hang_from_name(value, &d->hang);
}

static void get_hang(const struct guest_definition *d, struct um_buf *b)
{
    um_buf_puts(b, guest_hang_name(d->hang));
}

static bool set_ready(struct guest_definition *d, const char *value)
{
    bool pattern = um_str_starts(value, "console:") && value[8];
    enum guest_ready ready = READY_CONSOLE;

    if (!pattern &&
        (!guest_ready_from_name(value, &ready) || (ready == READY_CONSOLE && !d->ready_pattern)))
        return false;
    d->ready = ready;
    return ready == READY_CONSOLE && !pattern
               ? true
               : replace(&d->ready_pattern, pattern ? value + 8 : "");
}

static void get_ready(const struct guest_definition *d, struct um_buf *b)
{
    um_buf_puts(b, guest_ready_name(d->ready));
    if (d->ready == READY_CONSOLE)
        um_buf_printf(b, ":%s", d->ready_pattern);
}

static bool set_owner(struct guest_definition *d, const char *value)
{
    int64_t uid;

    if (!um_parse_int(value, 0, UINT32_MAX - 1, &uid))
        return false;
    d->owner = (uid_t)uid;
    return true;
}

static void get_owner(const struct guest_definition *d, struct um_buf *b)
{
    um_buf_printf(b, "%ju", (uintmax_t)d->owner);
}

static void get_depends(const struct guest_definition *d, struct um_buf *b)
{
    for (size_t i = 0; i < d->depends.n; i++)
        um_buf_printf(b, "%s%s", i ? "," : "", d->depends.v[i]);
}

static const struct key_row {
    const char *key;
    const char *standard; /* the default; NULL: there is none */
    const char *allowed;
    bool (*set)(struct guest_definition *d, const char *value); /* NULL: an on/off at offset */
    void (*get)(const struct guest_definition *d, struct um_buf *b);
    size_t offset;
} rows[] = {
    {"kernel", "", "a registered name or an absolute path", set_kernel, get_kernel, 0},
    {"restart", "never", "never, onFailure or always", set_restart, get_restart, 0},
    {"hang", "event", "none, event, restart or kill", set_hang, get_hang, 0},
    {"ready", "notify", "notify, kernel or console:REGEX", set_ready, get_ready, 0},
    {"owner", NULL, "a numeric uid", set_owner, get_owner, 0},
    {"autostart", "off", "on or off", NULL, NULL, offsetof(struct guest_definition, autostart)},
    {"trusted", "off", "on or off", NULL, NULL, offsetof(struct guest_definition, trusted)},
    {"sandbox", "on", "on or off", NULL, NULL, offsetof(struct guest_definition, sandbox)},
    {"pinned", "on", "on or off", NULL, NULL, offsetof(struct guest_definition, pinned)},
    {"depends", "", "names of guests, separated by commas", guest_definition_set_depends,
     get_depends, 0},
};

static const struct key_row *row_of(const char *name, size_t len)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++)
        if (strlen(rows[i].key) == len && strncmp(rows[i].key, name, len) == 0)
            return &rows[i];
    return NULL;
}

static bool row_set(const struct key_row *row, struct guest_definition *d, const char *value)
{
    if (!value[0] && row->standard)
        value = row->standard;
    return row->set ? row->set(d, value) : parse_switch(value, (bool *)((char *)d + row->offset));
}

static void row_get(const struct key_row *row, const struct guest_definition *d, struct um_buf *b)
{
    if (row->get)
        row->get(d, b);
    else
        um_buf_puts(b, *(const bool *)((const char *)d + row->offset) ? "on" : "off");
}

/* ---- words with a prefix ---- */

/* limit:NAME=VALUE */
static enum um_code apply_limit(struct guest_definition *d, const char *word, struct um_error *err)
{
    const char *key = word + strlen("limit:"), *eq = strchr(key, '=');
    char name[16] = "", allowed[96] = "";
    enum guest_limit which;

    if (eq && (size_t)(eq - key) < sizeof(name))
        memcpy(name, key, (size_t)(eq - key));
    if (!eq || !guest_limit_from_name(name, &which)) {
        um_fail(err, UM_E_INVALID, NULL, word, "\"%s\" is no limit umld knows", word);
        return um_hint(err, "use limit:memory=, limit:pids=, limit:cpu= or limit:io=");
    }
    return guest_limit_parse(which, eq + 1, &d->limits.value[which])
               ? UM_OK
               : bad_word(err, word, guest_limit_allowed(which, allowed, sizeof(allowed)));
}

static enum um_code apply_protect(struct guest_definition *d, const char *word,
                                  struct um_error *err)
{
    return guest_definition_set_protect(d, word + strlen("protect:")) ? UM_OK
                                                                      : no_memory(err, word);
}

static enum um_code apply_label(struct guest_definition *d, const char *word, struct um_error *err)
{
    word += strlen("label:");
    if (!strchr(word, '=') || word[0] == '=')
        return bad_word(err, word - strlen("label:"), "label:KEY=VALUE");
    return guest_definition_set_label(d, word) ? UM_OK : no_memory(err, word);
}

static bool unset_label(struct guest_definition *d, const char *name)
{
    return guest_definition_unset_label(d, name + strlen("label:"));
}

static bool unset_protect(struct guest_definition *d, const char *name)
{
    return guest_definition_unset_protect(d, name + strlen("protect:"));
}

static const struct {
    const char *prefix;
    enum um_code (*apply)(struct guest_definition *d, const char *word, struct um_error *err);
    bool (*unset)(struct guest_definition *d, const char *name);
} prefixes[] = {
    {"label:", apply_label, unset_label},
    {"limit:", apply_limit, guest_definition_unset},
    {"protect:", apply_protect, unset_protect},
};

/* ---- all of them ---- */

enum um_code guest_definition_apply(struct guest_definition *d, const char *word, const char *cwd,
                                    struct um_error *err)
{
    const char *eq = strchr(word, '=');
    const struct key_row *row = eq ? row_of(word, (size_t)(eq - word)) : NULL;
    struct device device;
    enum um_code code;

    if (row)
        return row_set(row, d, eq + 1) ? UM_OK : bad_word(err, word, row->allowed);
    for (size_t i = 0; i < UM_ARRAY_LEN(prefixes); i++)
        if (um_str_starts(word, prefixes[i].prefix))
            return prefixes[i].apply(d, word, err);
    code = device_parse(word, cwd, &device, err);
    if (code)
        return code;
    if (guest_definition_set(d, &device))
        return UM_OK;
    device_done(&device);
    return no_memory(err, word);
}

bool guest_definition_unapply(struct guest_definition *d, const char *name)
{
    const struct key_row *row = row_of(name, strlen(name));

    if (row)
        return row->standard && row_set(row, d, row->standard);
    if (strcmp(name, CMDLINE) == 0) {
        bool any = d->cmdline.n > 0;

        um_strv_done(&d->cmdline);
        return any;
    }
    for (size_t i = 0; i < UM_ARRAY_LEN(prefixes); i++)
        if (um_str_starts(name, prefixes[i].prefix))
            return prefixes[i].unset(d, name);
    return guest_definition_unset(d, name);
}

/* ---- shown ---- */

static void add_word(json_t *list, const char *only, const char *name, const char *word)
{
    if (!only || strcmp(only, name) == 0)
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s}", "device", name, "value", word, "where", "stored"));
}

static void add_rows(const struct guest_definition *d, const char *only, json_t *list)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        struct um_buf word = UM_BUF_INIT;
        const char *value;

        um_buf_printf(&word, "%s=", rows[i].key);
        row_get(&rows[i], d, &word);
        value = word.data ? word.data + strlen(rows[i].key) + 1 : "";
        if (only || (rows[i].standard && strcmp(value, rows[i].standard) != 0))
            add_word(list, only, rows[i].key, word.data);
        um_buf_done(&word);
    }
}

/* Entries `key=value` as `PREFIX:key=value`. */
static void add_entries(const struct um_strv *l, const char *prefix, const char *only, json_t *list)
{
    for (size_t i = 0; i < l->n; i++) {
        um_autostr word = NULL;
        um_autostr name = NULL;

        if (asprintf(&word, "%s%s", prefix, l->v[i]) < 0)
            word = NULL;
        name = word ? strndup(word, strcspn(word, "=")) : NULL;
        if (name)
            add_word(list, only, name, word);
    }
}

static void add_limits(const struct guest_definition *d, const char *only, json_t *list)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        enum guest_limit limit = (enum guest_limit)i;
        char text[32], name[32], word[64];

        if (!d->limits.value[i])
            continue;
        snprintf(name, sizeof(name), "limit:%.20s", guest_limit_name(limit));
        snprintf(word, sizeof(word), "%s=%s", name,
                 guest_limit_format(limit, d->limits.value[i], text, sizeof(text)));
        add_word(list, only, name, word);
    }
}

/* As they are typed: `-- quiet root=/dev/ubdb`; no word has a blank in it. */
static void add_cmdline(const struct guest_definition *d, const char *only, json_t *list)
{
    struct um_buf b = UM_BUF_INIT;

    um_buf_puts(&b, "--");
    for (size_t i = 0; i < d->cmdline.n; i++)
        um_buf_printf(&b, " %s", d->cmdline.v[i]);
    if (d->cmdline.n && b.data)
        add_word(list, only, CMDLINE, b.data);
    um_buf_done(&b);
}

void guest_definition_words(const struct guest_definition *d, const char *only, json_t *list)
{
    const struct device *asked = only ? guest_definition_find(d, only) : NULL;
    char name[32];

    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        if (!only || v == asked)
            add_word(list, NULL, device_name(v, name, sizeof(name)), v->text);
    }
    add_rows(d, only, list);
    add_entries(&d->labels, "label:", only, list);
    add_entries(&d->protect, "protect:", only, list);
    add_limits(d, only, list);
    add_cmdline(d, only, list);
}
