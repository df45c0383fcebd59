#include "cli/select.h"

#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/str.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

const struct option_row select_options[] = {
    SELECT_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

const struct option_row select_one_options[] = {
    SELECT_ONE_OPTIONS,
    {NULL, 0, NULL, NULL, NULL},
};

static bool has_option(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->option[i].row->name, name) == 0)
            return true;
    return false;
}

bool select_given(const struct args *args)
{
    return args->count > 0 || has_option(args, "all") || has_option(args, "label");
}

bool select_is_plain(const struct args *args, size_t words)
{
    return words == 1 && !strpbrk(args->word[0], ",*?[") && !has_option(args, "all") &&
           !has_option(args, "label");
}

/* KEY, KEY=VALUE, KEY!=VALUE: the length of KEY and where VALUE begins (NULL: none). */
static size_t split_label(const char *label, const char **ret_value, bool *ret_not)
{
    const char *equals = strchr(label, '=');

    *ret_not = equals && equals > label && equals[-1] == '!';
    *ret_value = equals ? equals + 1 : NULL;
    return equals ? (size_t)(equals - label) - *ret_not : strlen(label);
}

static bool label_fits(const char *label, const json_t *labels)
{
    const char *value, *has;
    bool differs;
    size_t len = split_label(label, &value, &differs);

    has = json_string_value(json_object_getn(labels, label, len));
    if (!value)
        return has != NULL;
    return (has && strcmp(has, value) == 0) != differs;
}

bool select_labels_fit(const struct args *args, const json_t *guest)
{
    const json_t *labels = json_object_get(json_object_get(guest, "definition"), "labels");
    const char *label;
    size_t pos = 0;

    while ((label = args_next(args, "label", &pos)))
        if (!label_fits(label, labels))
            return false;
    return true;
}

static enum um_code check_labels(const struct args *args, struct um_error *err)
{
    const char *label, *value;
    size_t pos = 0;
    bool differs;

    while ((label = args_next(args, "label", &pos)))
        if (split_label(label, &value, &differs) == 0)
            return um_fail(err, UM_E_USAGE, NULL, "label",
                           "--label must be KEY, KEY=VALUE or KEY!=VALUE, not \"%s\"", label);
    return UM_OK;
}

bool select_has(const struct selection *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->names[i], name) == 0)
            return true;
    return false;
}

static void add(struct selection *s, const char *name)
{
    char **more;

    if (select_has(s, name))
        return;
    more = realloc(s->names, (s->count + 1) * sizeof(*more));
    if (!more)
        abort();
    s->names = more;
    s->names[s->count] = strdup(name);
    if (!s->names[s->count++])
        abort();
}

/* How many guests fit the pattern and the labels; each is added. */
static size_t add_matching(struct selection *s, const struct args *args, const char *pattern,
                           const json_t *guests)
{
    size_t i, found = 0;
    const json_t *guest;

    json_array_foreach(guests, i, guest)
    {
        const char *name = text_get(json_object_get(guest, "definition"), "name", "");

        if (fnmatch(pattern, name, 0) != 0 || !select_labels_fit(args, guest))
            continue;
        add(s, name);
        found++;
    }
    return found;
}

static enum um_code nothing_fits(const struct args *args, const char *pattern, struct um_error *err)
{
    bool labels = has_option(args, "label");

    um_fail(err, UM_E_NOT_FOUND, NULL, NULL, "no guest fits \"%s\"%s", pattern,
            labels ? " and the labels" : "");
    return um_hint(err, "see: umlctl list");
}

/* guests NULL: they need not be known, every part is a name. */
static enum um_code add_word(struct selection *s, const struct args *args, const char *word,
                             const json_t *guests, struct um_error *err)
{
    enum um_code code = UM_OK;
    char *copy = strdup(word), *rest = copy, *part;

    if (!copy)
        abort();
    while (!code && (part = strsep(&rest, ","))) {
        if (!part[0])
            code = um_fail(err, UM_E_USAGE, NULL, NULL, "\"%s\": a guest's name is missing", word);
        else if (!guests || (!strpbrk(part, "*?[") && !has_option(args, "label")))
            add(s, part);
        else if (!add_matching(s, args, part, guests))
            code = nothing_fits(args, part, err);
    }
    free(copy);
    return code;
}

enum um_code select_guests(struct cli *cli, const struct args *args, size_t words,
                           struct selection *ret, struct client_reply *reply)
{
    bool all = has_option(args, "all"), labels = has_option(args, "label"), look = all || labels;
    struct um_error *err = &reply->error;
    const json_t *guests = NULL;
    enum um_code code;

    *ret = (struct selection){.several = look || words > 1};
    if (words == 0 && !look) {
        um_fail(err, UM_E_USAGE, args->command->name, NULL, "no guest is named");
        return um_hint(err, "name some, or a pattern like 'web*', or use --label or --all");
    }
    if (all && words > 0)
        return um_fail(err, UM_E_USAGE, args->command->name, NULL,
                       "--all and guests by name exclude each other");
    code = labels ? check_labels(args, err) : UM_OK;
    for (size_t i = 0; i < words; i++) {
        ret->several = ret->several || strpbrk(args->word[i], ",*?[");
        look = look || strpbrk(args->word[i], "*?[");
    }
    if (!code && look) {
        code = cli_call(cli, API_GUEST_LIST, NULL, CLI_SHORT_MS, reply);
        guests = json_object_get(reply->params, "guests");
    }
    for (size_t i = 0; !code && i < words; i++)
        code = add_word(ret, args, args->word[i], guests, err);
    if (!code && words == 0 && !add_matching(ret, args, "*", guests))
        code = nothing_fits(args, "*", err);
    return code;
}

void select_done(struct selection *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->names[i]);
    free(s->names);
    *s = (struct selection){.names = NULL};
}
