#include "cli/words.h"

#include "vmcore/base/str.h"

#include <pwd.h>
#include <string.h>

typedef enum um_code (*word_fn)(json_t *definition, const char *key, const char *value,
                                struct um_error *err);

void words_append(json_t *definition, const char *key, const char *value)
{
    json_t *list = json_object_get(definition, key);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(definition, key, list);
    }
    json_array_append_new(list, json_string(value));
}

static enum um_code set_text(json_t *definition, const char *key, const char *value,
                             struct um_error *err)
{
    json_object_set_new(definition, key, json_string(value));
    return UM_OK;
}

static enum um_code set_list(json_t *definition, const char *key, const char *value,
                             um_unused struct um_error *err)
{
    json_object_set_new(definition, key, json_array());
    while (*value) {
        size_t len = strcspn(value, ",");

        json_array_append_new(json_object_get(definition, key), json_stringn(value, len));
        value += len + (value[len] == ',');
    }
    return UM_OK;
}

static enum um_code set_bool(json_t *definition, const char *key, const char *value,
                             struct um_error *err)
{
    static const char *const yes[] = {"yes", "on", "true", "1"};
    static const char *const no[] = {"no", "off", "false", "0"};

    for (size_t i = 0; i < UM_ARRAY_LEN(yes); i++) {
        if (strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
            continue;
        json_object_set_new(definition, key, json_boolean(strcmp(value, yes[i]) == 0));
        return UM_OK;
    }
    return um_fail(err, UM_E_USAGE, NULL, key, "%s= must be yes or no, not \"%s\"", key, value);
}

/* The words a key may have. */
static const struct {
    const char *key;
    const char *words[4], *list;
} choices[] = {
    {"restart", {"never", "onFailure", "always"}, "never, onFailure or always"},
    {"hang", {"none", "event", "restart", "kill"}, "none, event, restart or kill"},
};

static enum um_code set_choice(json_t *definition, const char *key, const char *value,
                               struct um_error *err)
{
    size_t i = 0;

    while (strcmp(choices[i].key, key) != 0)
        i++;
    for (size_t k = 0; k < UM_ARRAY_LEN(choices[i].words) && choices[i].words[k]; k++)
        if (strcmp(value, choices[i].words[k]) == 0)
            return set_text(definition, key, value, err);
    return um_fail(err, UM_E_USAGE, NULL, key, "%s= must be %s, not \"%s\"", key, choices[i].list,
                   value);
}

static enum um_code set_ready(json_t *definition, const char *key, const char *value,
                              struct um_error *err)
{
    static const char console[] = "console:";

    if (strcmp(value, "notify") == 0 || strcmp(value, "kernel") == 0)
        return set_text(definition, key, value, err);
    if (um_str_starts(value, console) && value[sizeof(console) - 1]) {
        json_object_set_new(definition, "ready", json_string("console"));
        json_object_set_new(definition, "readyPattern", json_string(value + sizeof(console) - 1));
        return UM_OK;
    }
    return um_fail(err, UM_E_USAGE, NULL, key,
                   "ready= must be notify, kernel or console:REGEX, not \"%s\"", value);
}

bool words_uid(const char *user, int64_t *ret)
{
    const struct passwd *pw;

    if (um_parse_int(user, 0, UINT32_MAX - 1, ret))
        return true;
    pw = getpwnam(user);
    if (pw)
        *ret = (int64_t)pw->pw_uid;
    return pw != NULL;
}

static enum um_code set_owner(json_t *definition, const char *key, const char *value,
                              struct um_error *err)
{
    int64_t uid;

    if (!words_uid(value, &uid))
        return um_fail(err, UM_E_USAGE, NULL, key, "owner= names no user: \"%s\"", value);
    json_object_set_new(definition, key, json_integer(uid));
    return UM_OK;
}

static const struct {
    const char *key;
    word_fn set;
} plain_keys[] = {
    {"kernel", set_text},    {"restart", set_choice}, {"hang", set_choice},  {"ready", set_ready},
    {"autostart", set_bool}, {"trusted", set_bool},   {"sandbox", set_bool}, {"pinned", set_bool},
    {"owner", set_owner},    {"depends", set_list},
};

/* Words that are members of an object; what a limit may be is the daemon's to say. */
static const struct prefix {
    const char *prefix, *key, *complaint;
} prefixes[] = {
    {"label:", "labels", "a label needs a name: label:KEY=VALUE"},
    {"limit:", "limits", "a limit needs a name: limit:memory=256M"},
    {"protect:", "protect", "say from what: protect:stop=REASON"},
};

static enum um_code set_member(json_t *definition, const struct prefix *p, const char *word,
                               struct um_error *err)
{
    json_t *members = json_object_get(definition, p->key);
    const char *equals = strchr(word, '=');

    if (!equals || equals == word)
        return um_fail(err, UM_E_USAGE, NULL, p->prefix, "%s", p->complaint);
    if (!json_is_object(members)) {
        members = json_object();
        json_object_set_new(definition, p->key, members);
    }
    json_object_setn_new(members, word, (size_t)(equals - word), json_string(equals + 1));
    return UM_OK;
}

static enum um_code apply_one(json_t *definition, const char *word, struct um_error *err)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : 0;

    if (!equals || equals == word) {
        um_fail(err, UM_E_USAGE, NULL, word, "\"%s\" is not of the form KEY=VALUE", word);
        return um_hint(err, "words for the kernel's command line go after --");
    }
    for (size_t i = 0; i < UM_ARRAY_LEN(prefixes); i++)
        if (um_str_starts(word, prefixes[i].prefix))
            return set_member(definition, &prefixes[i], word + strlen(prefixes[i].prefix), err);
    for (size_t i = 0; i < UM_ARRAY_LEN(plain_keys); i++)
        if (strlen(plain_keys[i].key) == len && strncmp(plain_keys[i].key, word, len) == 0)
            return plain_keys[i].set(definition, plain_keys[i].key, equals + 1, err);
    words_append(definition, "devices", word);
    return UM_OK;
}

bool words_is_device(const char *name)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(prefixes); i++)
        if (um_str_starts(name, prefixes[i].prefix))
            return false;
    for (size_t i = 0; i < UM_ARRAY_LEN(plain_keys); i++)
        if (strcmp(plain_keys[i].key, name) == 0)
            return false;
    return true;
}

enum um_code words_apply(json_t *definition, char *const *words, size_t count, struct um_error *err)
{
    enum um_code code = UM_OK;

    for (size_t i = 0; i < count && !code; i++)
        code = apply_one(definition, words[i], err);
    return code;
}

void words_cmdline(json_t *definition, char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words_append(definition, "cmdline", words[i]);
}
