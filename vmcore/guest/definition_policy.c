/*
 * The words about a guest among others: which must be ready before it starts (`depends`), what must
 * not be done to it (`protect`), and its labels. Whether the named guests exist is for umld to say.
 */
#include "vmcore/guest/definition_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPENDS_MAX 64
#define REASON_MAX  200

static const char *const protect_verbs[] = {"stop", "remove"};

bool guest_definition_set_depends(struct guest_definition *d, const char *names)
{
    struct um_strv list = {NULL, 0};
    um_autostr copy = strdup(names);
    char *save = NULL;
    bool ok = copy != NULL;

    for (char *name = ok ? strtok_r(copy, ",", &save) : NULL; ok && name;
         name = strtok_r(NULL, ",", &save))
        ok = um_strv_add(&list, name);
    if (!ok) {
        um_strv_done(&list);
        return false;
    }
    um_strv_done(&d->depends);
    d->depends = list;
    return true;
}

static bool is_about(const char *entry, const char *verb, size_t len)
{
    return strncmp(entry, verb, len) == 0 && entry[len] == '=';
}

/* Entries `key=value`: the one of this key goes. False: there was none. */
static bool lift(struct um_strv *l, const char *key, size_t len)
{
    size_t before = l->n, kept = 0;

    for (size_t i = 0; i < before; i++)
        if (is_about(l->v[i], key, len))
            free(l->v[i]);
        else
            l->v[kept++] = l->v[i];
    if (l->v)
        l->v[kept] = NULL;
    l->n = kept;
    return kept < before;
}

bool guest_definition_set_protect(struct guest_definition *d, const char *word)
{
    const char *eq = strchr(word, '=');

    lift(&d->protect, word, eq ? (size_t)(eq - word) : strlen(word));
    return !eq || !eq[1] || um_strv_add(&d->protect, word);
}

bool guest_definition_unset_protect(struct guest_definition *d, const char *verb)
{
    return lift(&d->protect, verb, strlen(verb));
}

bool guest_definition_set_label(struct guest_definition *d, const char *word)
{
    lift(&d->labels, word, strcspn(word, "="));
    return um_strv_add(&d->labels, word);
}

bool guest_definition_unset_label(struct guest_definition *d, const char *key)
{
    return lift(&d->labels, key, strlen(key));
}

const char *guest_definition_protected(const struct guest_definition *d, const char *verb)
{
    size_t len = strlen(verb);

    for (size_t i = 0; i < d->protect.n; i++)
        if (is_about(d->protect.v[i], verb, len))
            return d->protect.v[i] + len + 1;
    return NULL;
}

static void check_depends(struct problems *p, const struct guest_definition *d)
{
    const struct um_strv *l = &d->depends;

    if (l->n > DEPENDS_MAX)
        problem_add(p, UM_E_INVALID, "depends", "it depends on %zu guests, the limit is %d", l->n,
                    DEPENDS_MAX);
    for (size_t i = 0; i < l->n; i++) {
        if (!um_name_valid(l->v[i]))
            um_hint(problem_add(p, UM_E_INVALID, "depends", "\"%.80s\" is no name for a guest",
                                l->v[i]),
                    "separate names by commas: depends=db,dns");
        else if (d->name && strcmp(l->v[i], d->name) == 0)
            problem_add(p, UM_E_INVALID, "depends", "it depends on itself");
        for (size_t j = 0; j < i; j++)
            if (strcmp(l->v[i], l->v[j]) == 0)
                problem_add(p, UM_E_INVALID, "depends", "\"%.80s\" is named twice", l->v[i]);
    }
}

static bool known_verb(const char *entry)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(protect_verbs); i++)
        if (is_about(entry, protect_verbs[i], strlen(protect_verbs[i])))
            return true;
    return false;
}

static void check_protect(struct problems *p, const struct guest_definition *d)
{
    for (size_t i = 0; i < d->protect.n; i++) {
        const char *entry = d->protect.v[i], *reason = strchr(entry, '=');
        bool bad = !reason || !reason[1] || strlen(reason) > REASON_MAX;

        if (!known_verb(entry))
            um_hint(problem_add(p, UM_E_INVALID, "protect", "it cannot be protected from \"%.40s\"",
                                entry),
                    "use protect:stop=REASON or protect:remove=REASON");
        for (const char *c = reason; c && *c; c++)
            bad = bad || iscntrl((unsigned char)*c);
        if (bad)
            problem_add(p, UM_E_INVALID, "protect",
                        "a reason has 1 to %d bytes and no control characters", REASON_MAX - 1);
    }
}

void check_policies(struct problems *p, const struct guest_definition *d)
{
    check_depends(p, d);
    check_protect(p, d);
}
