#include "cli/net_words.h"

#include "cli/text.h"
#include "vmcore/base/str.h"

#include <string.h>

struct word_row {
    const char *word, *field;
    bool (*set)(json_t *o, const char *field, const char *value);
    const char *rule; /* what the value must be */
};

static bool set_number(json_t *o, const char *field, const char *value)
{
    int64_t number;

    /* Its limits are the daemon's affair. */
    if (!um_parse_int(value, 0, INT32_MAX, &number))
        return false;
    json_object_set_new(o, field, json_integer(number));
    return true;
}

static bool set_mode(json_t *o, const char *field, const char *value)
{
    json_object_set_new(o, field, json_string(value));
    return strcmp(value, "switch") == 0 || strcmp(value, "hub") == 0;
}

static bool set_switch(json_t *o, const char *field, const char *value)
{
    bool on = strcmp(value, "on") == 0;

    json_object_set_new(o, field, json_boolean(on));
    return on || strcmp(value, "off") == 0;
}

static const struct word_row rows[] = {
    {"mode", "mode", set_mode, "switch or hub"},
    {"mtu", "mtu", set_number, "a number of bytes"},
    {"mac-age", "macAge", set_number, "a number of seconds, 0: for ever"},
    {"mac-guard", "macGuard", set_number, "a number of seconds, 0: none"},
    {"ports", "maxPorts", set_number, "a number"},
    {"storm", "storm", set_number, "a number of broadcasts a second, 0: any"},
    {"loop-guard", "loopGuard", set_switch, "on or off"},
};

static const struct word_row *find(const char *word)
{
    size_t len = strcspn(word, "=");

    for (size_t i = 0; word[len] && i < UM_ARRAY_LEN(rows); i++)
        if (strlen(rows[i].word) == len && strncmp(rows[i].word, word, len) == 0)
            return &rows[i];
    return NULL;
}

enum um_code net_words_add(json_t *o, const char *word, struct um_error *err)
{
    const struct word_row *row = find(word);

    if (!row) {
        um_fail(err, UM_E_USAGE, "umlctl", NULL, "\"%.80s\" is no property of a network", word);
        return um_hint(err, "mode= mtu= mac-age= mac-guard= ports= storm= loop-guard=");
    }
    if (row->set(o, row->field, word + strlen(row->word) + 1))
        return UM_OK;
    um_fail(err, UM_E_USAGE, "umlctl", NULL, "%s= must be %s, not \"%.80s\"", row->word, row->rule,
            word + strlen(row->word) + 1);
    return UM_E_USAGE;
}

void net_words_print(const json_t *definition, struct um_buf *b)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rows); i++) {
        const json_t *value = json_object_get(definition, rows[i].field);

        um_buf_printf(b, "  %-12s ", rows[i].word);
        if (json_is_integer(value))
            um_buf_printf(b, "%lld\n", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            um_buf_puts(b, json_is_true(value) ? "on\n" : "off\n");
        else
            um_buf_printf(b, "%s\n", text_get(definition, rows[i].field, "-"));
    }
}
