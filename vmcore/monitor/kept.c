/*
 * The last thing the guest said of each kind (STATUS, HEALTH, each METRIC, WANT), kept for umld: a
 * daemon that comes back, or that a flood kept from hearing everything, gets it again. It belongs
 * to one boot of the kernel.
 */
#include "vmcore/monitor/monitor.h"

#include <stdlib.h>
#include <string.h>

static bool is_kept(enum mconsole_signal_kind kind)
{
    return kind == MCONSOLE_SIGNAL_STATUS || kind == MCONSOLE_SIGNAL_HEALTH ||
           kind == MCONSOLE_SIGNAL_METRIC || kind == MCONSOLE_SIGNAL_WANT;
}

static struct mon_kept_line *find(struct mon_kept *k, const struct mconsole_signal *s)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->lines[i].kind == s->kind && strcmp(k->lines[i].name, s->name) == 0)
            return &k->lines[i];
    return NULL;
}

static struct mon_kept_line *add(struct mon_kept *k, const struct mconsole_signal *s)
{
    struct mon_kept_line *line;

    if (k->count == MON_KEPT_MAX ||
        (s->kind == MCONSOLE_SIGNAL_METRIC && k->metric_count == MCONSOLE_METRICS_MAX))
        return NULL;
    if (!k->lines && !(k->lines = calloc(MON_KEPT_MAX, sizeof(*k->lines))))
        return NULL;
    line = &k->lines[k->count];
    line->kind = s->kind;
    line->name = strdup(s->name);
    if (!line->name)
        return NULL;
    k->count++;
    k->metric_count += s->kind == MCONSOLE_SIGNAL_METRIC;
    return line;
}

void mon_kept_take(struct mon_kept *k, const struct mconsole_signal *s)
{
    struct mon_kept_line *line;
    char *text;

    if (!is_kept(s->kind))
        return;
    line = find(k, s);
    if (!line)
        line = add(k, s);
    text = line ? strdup(s->line) : NULL;
    if (!text)
        return;
    free(line->text);
    line->text = text;
}

bool mon_kept_part(const struct mon_kept *k, size_t *at, struct um_buf *ret)
{
    size_t room = MON_MESSAGE_MAX - sizeof(struct mon_header) - sizeof(struct mon_notify);

    for (; *at < k->count; (*at)++) {
        const char *text = k->lines[*at].text;

        if (!text) /* there was no memory for it */
            continue;
        if (ret->len + strlen(text) + 1 > room)
            return true;
        um_buf_puts(ret, text);
        um_buf_puts(ret, "\n");
    }
    return ret->len > 0 && !ret->failed;
}

void mon_kept_clear(struct mon_kept *k)
{
    for (size_t i = 0; i < k->count; i++) {
        free(k->lines[i].name);
        free(k->lines[i].text);
    }
    free(k->lines);
    *k = (struct mon_kept){.lines = NULL};
}
