#include "mconsole/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void bad(struct mconsole_signal *s, const char *problem)
{
    s->kind = MCONSOLE_SIGNAL_BAD;
    s->problem = problem;
}

static void take_ready(struct mconsole_signal *s)
{
    if (strcmp(s->value, "1") != 0)
        bad(s, "READY can only be 1");
}

static void take_status(um_unused struct mconsole_signal *s)
{
    /* Any text will do. */
}

static void take_health(struct mconsole_signal *s)
{
    static const char *const words[] = {"failing", "ok"};

    for (size_t i = 0; i < UM_ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);

        if (!um_str_starts(s->value, words[i]) || (s->value[n] && s->value[n] != ' '))
            continue;
        s->yes = i == 1;
        s->value += n;
        s->value += strspn(s->value, " ");
        return;
    }
    bad(s, "HEALTH is ok or failing, with a text behind it if you like");
}

static void take_want(struct mconsole_signal *s)
{
    s->yes = strcmp(s->value, "reboot") == 0;
    if (!s->yes && strcmp(s->value, "halt") != 0)
        bad(s, "WANT can only be reboot or halt");
}

/* The alphabet of Prometheus, without the colon, which is for those who make rules. */
static size_t name_length(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

    if (!*s || !strchr(first, *s))
        return 0;
    return 1 + strspn(s + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
}

static void take_metric(struct mconsole_signal *s)
{
    size_t n = name_length(s->value);
    const char *number = s->value + n;
    char *end;

    if (n == 0 || (*number && *number != ' ')) {
        bad(s, "the name of a METRIC has letters, digits and _, and no digit in front");
        return;
    }
    if (n > MCONSOLE_METRIC_NAME_MAX) {
        bad(s, "the name of a METRIC has at most 64 characters");
        return;
    }
    memcpy(s->name, s->value, n);
    s->name[n] = '\0';
    number += strspn(number, " ");
    /* strtod() also reads what is no decimal number: hexadecimals, inf, nan. */
    s->number = strtod(number, &end);
    if (!*number || *end || number[strspn(number, "+-.0123456789eE")] || !isfinite(s->number))
        bad(s, "the value of a METRIC is one finite decimal number");
}

static const struct {
    const char *lead;
    enum mconsole_signal_kind kind;
    void (*take)(struct mconsole_signal *s);
} forms[] = {
    {"READY=", MCONSOLE_SIGNAL_READY, take_ready},
    {"STATUS=", MCONSOLE_SIGNAL_STATUS, take_status},
    {"HEALTH=", MCONSOLE_SIGNAL_HEALTH, take_health},
    {"METRIC ", MCONSOLE_SIGNAL_METRIC, take_metric},
    {"WANT=", MCONSOLE_SIGNAL_WANT, take_want},
};

static void parse(struct mconsole_signal *s)
{
    s->value = s->line;
    s->name[0] = '\0';
    s->yes = false;
    s->number = 0;
    s->problem = NULL;
    s->kind = MCONSOLE_SIGNAL_TEXT;
    for (size_t i = 0; i < UM_ARRAY_LEN(forms); i++)
        if (um_str_starts(s->line, forms[i].lead)) {
            s->kind = forms[i].kind;
            s->value = s->line + strlen(forms[i].lead);
            forms[i].take(s);
            return;
        }
}

/* What a shell or a program may write along. */
static size_t without_tail(const char *line, size_t len)
{
    while (len > 0 && (line[len - 1] == '\0' || line[len - 1] == '\r'))
        len--;
    return len;
}

bool mconsole_signal_next(struct mconsole_signals *s, struct mconsole_signal *ret)
{
    while (s->left > 0) {
        const char *line = s->data, *newline = memchr(line, '\n', s->left);
        size_t taken = newline ? (size_t)(newline - line) + 1 : s->left;
        size_t len = without_tail(line, newline ? taken - 1 : taken);

        s->data += taken;
        s->left -= taken;
        if (len > MCONSOLE_DATA_MAX)
            len = MCONSOLE_DATA_MAX;
        if (len == 0)
            continue;
        memcpy(ret->line, line, len);
        ret->line[len] = '\0';
        um_str_make_utf8(ret->line, len);
        parse(ret);
        if (!newline && s->cut)
            bad(ret, "it was cut off: one write holds 512 bytes");
        return true;
    }
    return false;
}
