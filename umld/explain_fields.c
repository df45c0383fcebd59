/*
 * The fields of explain's sentences: {name} -> text.
 */
#include "umld/explain.h"
#include "vmcore/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *explain_when(int64_t wall_ns, char *buf, size_t size)
{
    char text[UM_CLOCK_TEXT_SIZE];

    um_clock_rfc3339(wall_ns, text);
    snprintf(buf, size, "%.10s %.8sZ", text, text + 11);
    return buf;
}

void explain_put_who(const char *by, struct um_buf *out)
{
    if (!by[0])
        um_buf_puts(out, "somebody");
    else if (strspn(by, "0123456789") == strlen(by))
        um_buf_printf(out, "uid %s", by);
    else
        um_buf_puts(out, by);
}

static void put_when(int64_t wall_ns, struct um_buf *out)
{
    char text[32];

    um_buf_puts(out, wall_ns ? explain_when(wall_ns, text, sizeof(text)) : "a time not known");
}

static void put_duration(int64_t ns, struct um_buf *out)
{
    int64_t s = ns > 0 ? ns / UM_SEC_NS : 0;

    if (s < 120)
        um_buf_printf(out, "%" PRId64 " s", s);
    else if (s < 7200)
        um_buf_printf(out, "%" PRId64 " min", s / 60);
    else
        um_buf_printf(out, "%" PRId64 " h", s / 3600);
}

static void put_name(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->g->def.name);
}

static void put_by(const struct explain *e, struct um_buf *out)
{
    explain_put_who(e->facts[FACT_ASKED].why, out);
}

static void put_verb(const struct explain *e, struct um_buf *out)
{
    const char *verb = e->facts[FACT_ASKED].what;

    um_buf_printf(out, "%s", verb[0] ? verb : "it");
}

static void put_asked_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_ASKED].time_ns, out);
}

static void put_start_by(const struct explain *e, struct um_buf *out)
{
    explain_put_who(e->facts[FACT_STARTED].why, out);
}

static void put_start_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_STARTED].time_ns, out);
}

static void put_entered_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_ENTERED].time_ns, out);
}

static void put_in_state(const struct explain *e, struct um_buf *out)
{
    put_duration(e->now_ns - e->facts[FACT_ENTERED].time_ns, out);
}

static void put_daemon_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_DAEMON].time_ns, out);
}

static void put_panic(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->facts[FACT_PANIC].why);
}

static void put_hang_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_HANG].time_ns, out);
}

static void put_hang(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->facts[FACT_HANG].why);
}

static void put_hang_policy(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, guest_hang_name(e->g->def.hang));
}

static void put_health(const struct explain *e, struct um_buf *out)
{
    const char *text = e->g->signals.health_text;

    um_buf_printf(out, "%s%s", text ? ": " : "", text ? text : "");
}

static void put_want_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->facts[FACT_WANT].time_ns, out);
}

static void put_ended_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->end_count ? e->ends[0].time_ns : e->g->exit_ns, out);
}

static void put_cause(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->end_count ? e->ends[0].why : e->g->cause ? e->g->cause : "cause not known");
}

static void put_note(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->g->cause ? e->g->cause : "");
}

static void put_first_at(const struct explain *e, struct um_buf *out)
{
    put_when(e->end_count ? e->ends[e->end_count - 1].time_ns : 0, out);
}

static void put_first_cause(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->end_count ? e->ends[e->end_count - 1].why : "cause not known");
}

static void put_failures(const struct explain *e, struct um_buf *out)
{
    um_buf_printf(out, "%u", e->g->failures);
}

static void put_max(um_unused const struct explain *e, struct um_buf *out)
{
    um_buf_printf(out, "%d", POLICY_FAILURES_MAX);
}

static void put_restart(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, guest_restart_name(e->g->def.restart));
}

static void put_boot(const struct explain *e, struct um_buf *out)
{
    um_buf_printf(out, "%" PRIu64, e->g->boot);
}

/* Of the limit that the state has. */
static void put_left(const struct explain *e, struct um_buf *out)
{
    put_duration(um_timer_left_ns(e->g->limit), out);
}

static void put_places(const struct explain *e, struct um_buf *out)
{
    um_buf_printf(out, "%d", guest_boot_places(e->g->umld));
}

static void put_booting(const struct explain *e, struct um_buf *out)
{
    um_buf_printf(out, "%d", e->g->umld->booting);
}

static void put_up_for(const struct explain *e, struct um_buf *out)
{
    put_duration(e->now_ns - (e->g->up_ns ? e->g->up_ns : e->g->start_ns), out);
}

static void put_ready_for(const struct explain *e, struct um_buf *out)
{
    put_duration(e->now_ns - (e->g->ready_ns ? e->g->ready_ns : e->g->start_ns), out);
}

static void put_pattern(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->g->def.ready_pattern ? e->g->def.ready_pattern : "");
}

static void put_doing(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->g->doing ? e->g->doing : "");
}

/* Between two rungs nothing is being done. */
static void put_stopping(const struct explain *e, struct um_buf *out)
{
    um_buf_puts(out, e->g->doing ? e->g->doing : "it is shutting down");
}

static void put_line(const struct explain *e, struct um_buf *out)
{
    if (e->line[0])
        um_buf_printf(out, "; its console last said: %s", e->line);
}

static const struct {
    const char *name;
    void (*put)(const struct explain *e, struct um_buf *out);
} fields[] = {
    {"name", put_name},
    {"doing", put_doing},
    {"stopping", put_stopping},
    {"by", put_by},
    {"verb", put_verb},
    {"asked-at", put_asked_at},
    {"start-by", put_start_by},
    {"start-at", put_start_at},
    {"entered-at", put_entered_at},
    {"in-state", put_in_state},
    {"daemon-at", put_daemon_at},
    {"panic", put_panic},
    {"hang-at", put_hang_at},
    {"hang", put_hang},
    {"hang-policy", put_hang_policy},
    {"health", put_health},
    {"want-at", put_want_at},
    {"ended-at", put_ended_at},
    {"cause", put_cause},
    {"note", put_note},
    {"first-at", put_first_at},
    {"first-cause", put_first_cause},
    {"failures", put_failures},
    {"max", put_max},
    {"restart", put_restart},
    {"boot", put_boot},
    {"left", put_left},
    {"places", put_places},
    {"booting", put_booting},
    {"up-for", put_up_for},
    {"ready-for", put_ready_for},
    {"pattern", put_pattern},
    {"line", put_line},
};

/* At a `{`: the field's length with its braces, 0 if it is none. */
static size_t put_field(const struct explain *e, const char *text, struct um_buf *out)
{
    size_t len = strcspn(text, "}");

    for (size_t i = 0; text[len] && i < UM_ARRAY_LEN(fields); i++)
        if (strlen(fields[i].name) == len - 1 && strncmp(fields[i].name, text + 1, len - 1) == 0) {
            fields[i].put(e, out);
            return len + 1;
        }
    return 0;
}

void explain_expand(const struct explain *e, const char *text, struct um_buf *out)
{
    while (*text) {
        size_t len = *text == '{' ? put_field(e, text, out) : 0;

        if (!len)
            um_buf_append(out, text, 1);
        text += len ? len : 1;
    }
}
