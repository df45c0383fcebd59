#include "umld/guest_signals.h"

#include "mconsole/signals.h"
#include "umld/events.h"
#include "umld/guest.h"
#include "umld/json_text.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One guest must not push everybody else's history out of the event store: a burst, then a rate.
 */
enum { EVENT_BURST = 100, EVENTS_PER_SECOND = 10 };

/* A guest that wishes to be rebooted at each boot is braked to that. */
#define WISH_EVERY_NS (10 * UM_SEC_NS)

static const char *const health_names[HEALTH_COUNT] = {
    [HEALTH_OK] = "ok", [HEALTH_FAILING] = "failing"};

const char *guest_health_name(enum guest_health h)
{
    return (unsigned)h < HEALTH_COUNT ? health_names[h] : NULL;
}

bool guest_health_from_name(const char *name, enum guest_health *ret)
{
    for (int i = HEALTH_OK; i < HEALTH_COUNT; i++)
        if (strcmp(health_names[i], name) == 0) {
            *ret = (enum guest_health)i;
            return true;
        }
    return false;
}

bool guest_health_is(const struct guest *g, enum guest_health h)
{
    return g->signals.health == h && guest_state_info(g->state)->has_process;
}

/* ---- what becomes an event ---- */

void guest_signals_lost(struct guest *g, uint64_t count)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, count);
    if (g->id)
        events_emit(g->umld, "guest.notify-lost", g->def.name, "count", text, NULL);
}

static bool take_token(struct guest_signals *s)
{
    int64_t now = um_clock_mono_ns(), gained = (now - s->filled_ns) * EVENTS_PER_SECOND / UM_SEC_NS;

    if (gained > 0) {
        gained += s->left;
        s->left = gained > EVENT_BURST ? EVENT_BURST : (unsigned)gained;
        s->filled_ns = now;
    }
    if (s->left == 0)
        return false;
    s->left--;
    return true;
}

static void tell_news(struct guest *g);

static void tell_later(void *arg)
{
    struct guest *g = arg;

    if (g->signals.untold)
        guest_signals_lost(g, g->signals.untold);
    g->signals.untold = 0;
    tell_news(g);
}

static void arm_tell(struct guest *g)
{
    struct guest_signals *s = &g->signals;

    if (!s->tell)
        s->tell = um_timer_new(g->umld->loop, tell_later, g);
    if (s->tell && !um_timer_armed(s->tell))
        um_timer_arm(s->tell, UM_SEC_NS);
}

/* May one more event be made of what this guest sends? False: it was counted. */
static bool may_tell(struct guest *g)
{
    if (take_token(&g->signals))
        return true;
    g->signals.dropped++;
    g->signals.untold++;
    arm_tell(g);
    return false;
}

/* News is what holds now: it can wait, and what it was in between is not missed. */
static void tell_news(struct guest *g)
{
    struct guest_signals *s = &g->signals;
    char boot[24];

    snprintf(boot, sizeof(boot), "%" PRIu64, g->boot);
    if (s->health_news && take_token(s)) {
        events_emit(g->umld, "guest.health", g->def.name, "boot", boot, "health",
                    guest_health_name(s->health), "text", s->health_text, NULL);
        s->health_news = false;
    }
    if (s->status_news && take_token(s)) {
        events_emit(g->umld, "guest.status", g->def.name, "boot", boot, "text", g->status, NULL);
        s->status_news = false;
    }
    if (s->health_news || s->status_news)
        arm_tell(g);
}

/* ---- the lines ---- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static void set_text(char **dst, const char *value)
{
    free(*dst);
    *dst = value[0] ? strdup(value) : NULL;
}

static void take_nothing(um_unused struct guest *g, um_unused const struct mconsole_signal *s)
{
    /* READY is umlmon's: it may be a pattern or the kernel that counts instead. */
}

static void take_status(struct guest *g, const struct mconsole_signal *s)
{
    if (same_text(g->status, s->value))
        return;
    set_text(&g->status, s->value);
    g->signals.status_news = true;
    guest_look(g); /* somebody may wait for it */
}

static void take_health(struct guest *g, const struct mconsole_signal *line)
{
    struct guest_signals *s = &g->signals;
    enum guest_health now = line->yes ? HEALTH_OK : HEALTH_FAILING;

    if (now == s->health && same_text(s->health_text, line->value))
        return;
    if (now != s->health)
        um_log(now == HEALTH_OK ? UM_LOG_INFO : UM_LOG_WARNING, "guest %s: health: %s%s%s",
               g->def.name, guest_health_name(now), line->value[0] ? ": " : "", line->value);
    s->health = now;
    set_text(&s->health_text, line->value);
    s->health_news = true;
    guest_touch(g);
}

static void refuse(struct guest *g, const char *line, const char *problem)
{
    g->signals.bad++;
    if (g->signals.bad_told || !may_tell(g))
        return;
    g->signals.bad_told = true;
    events_emit(g->umld, "guest.signal-bad", g->def.name, "text", line, "problem", problem, NULL);
}

static void take_metric(struct guest *g, const struct mconsole_signal *line)
{
    struct guest_signals *s = &g->signals;
    struct guest_metric *m = s->metrics, *end = m + s->metric_count;

    while (m != end && strcmp(m->name, line->name) != 0)
        m++;
    if (m == end) {
        char *name;

        if (s->metric_count == MCONSOLE_METRICS_MAX) {
            refuse(g, line->line, "a guest has at most 64 metrics");
            return;
        }
        if (!s->metrics && !(s->metrics = calloc(MCONSOLE_METRICS_MAX, sizeof(*s->metrics))))
            return;
        if (!(name = strdup(line->name)))
            return;
        m = &s->metrics[s->metric_count++];
        m->name = name;
    }
    m->value = line->number;
}

static void take_bad(struct guest *g, const struct mconsole_signal *line)
{
    refuse(g, line->line, line->problem);
}

static void follow_wish(void *arg)
{
    struct guest *g = arg;
    struct guest_signals *s = &g->signals;
    int64_t now = um_clock_mono_ns();

    if (!s->wants)
        return;
    if (now < s->next_wish_ns) {
        if (!s->wish)
            s->wish = um_timer_new(g->umld->loop, follow_wish, g);
        if (s->wish)
            um_timer_arm(s->wish, s->next_wish_ns - now);
        return;
    }
    s->wants = false;
    s->next_wish_ns = now + WISH_EVERY_NS;
    guest_post(g, s->wants_reboot ? GUEST_M_WANT_REBOOT : GUEST_M_WANT_HALT);
}

static void take_want(struct guest *g, const struct mconsole_signal *line)
{
    /* Under way already: this may be umlmon's memory of it. */
    if (line->yes && strcmp(g->asked, "reboot") == 0)
        return;
    g->signals.wants = true;
    g->signals.wants_reboot = line->yes;
    follow_wish(g);
}

static void (*const takers[])(struct guest *g, const struct mconsole_signal *line) = {
    [MCONSOLE_SIGNAL_TEXT] = take_nothing,  [MCONSOLE_SIGNAL_READY] = take_nothing,
    [MCONSOLE_SIGNAL_STATUS] = take_status, [MCONSOLE_SIGNAL_HEALTH] = take_health,
    [MCONSOLE_SIGNAL_METRIC] = take_metric, [MCONSOLE_SIGNAL_WANT] = take_want,
    [MCONSOLE_SIGNAL_BAD] = take_bad,
};

void guest_signals_take(struct guest *g, const char *data, size_t len, bool kept)
{
    struct mconsole_signals lines = MCONSOLE_SIGNALS(data, len);
    enum guest_health before = g->signals.health;
    struct um_buf text = UM_BUF_INIT;
    struct mconsole_signal line;

    if (kept)
        lines.cut = false; /* umlmon's messages are longer than a kernel's */
    while (mconsole_signal_next(&lines, &line)) {
        takers[line.kind](g, &line);
        if (line.kind == MCONSOLE_SIGNAL_TEXT)
            um_buf_printf(&text, "%s%s", text.len ? "\n" : "", line.line);
    }
    if (text.len && !text.failed && may_tell(g))
        events_emit(g->umld, "guest.notify", g->def.name, "text", text.data, NULL);
    um_buf_done(&text);
    tell_news(g);
    if (g->signals.health != before)
        guest_waiters_check(g);
}

/* ---- its life ---- */

void guest_signals_reset(struct guest *g)
{
    struct guest_signals *s = &g->signals;

    for (size_t i = 0; i < s->metric_count; i++)
        free(s->metrics[i].name);
    free(s->metrics);
    free(s->health_text);
    free(g->status);
    g->status = s->health_text = NULL;
    s->metrics = NULL;
    s->metric_count = 0;
    s->health = HEALTH_UNKNOWN;
    s->bad = 0;
    s->bad_told = s->status_news = s->health_news = s->wants = false;
    guest_touch(g);
}

void guest_signals_done(struct guest *g)
{
    struct guest_signals *s = &g->signals;

    for (size_t i = 0; i < s->metric_count; i++)
        free(s->metrics[i].name);
    free(s->metrics);
    free(s->health_text);
    um_timer_free(s->tell);
    um_timer_free(s->wish);
    *s = (struct guest_signals){.health = HEALTH_UNKNOWN};
}

const char *guest_health_text(const struct guest *g, char *buf, size_t size)
{
    const struct guest_signals *s = &g->signals;

    snprintf(buf, size, "%s%s%s", s->health == HEALTH_UNKNOWN ? "" : health_names[s->health],
             s->health_text ? " " : "", s->health_text ? s->health_text : "");
    return buf;
}

void guest_health_load(struct guest *g, const char *text)
{
    size_t n = strcspn(text, " ");
    char name[16];

    snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, text);
    if (guest_health_from_name(name, &g->signals.health) && text[n])
        set_text(&g->signals.health_text, text + n + 1);
}

uint64_t guest_signals_dropped(const struct guest *g)
{
    return g->signals.dropped + monitor_dropped(g);
}

void guest_signals_json(const struct guest *g, struct um_buf *b)
{
    const struct guest_signals *s = &g->signals;

    json_text_set_string(b, "health", guest_health_name(s->health));
    json_text_set_string(b, "healthText", s->health_text);
    if (s->metric_count) {
        json_text_key(b, "metrics", strlen("metrics"));
        json_text_open(b, '{');
        for (size_t i = 0; i < s->metric_count; i++) {
            json_text_key(b, s->metrics[i].name, strlen(s->metrics[i].name));
            json_text_real(b, s->metrics[i].value);
        }
        json_text_close(b, '}');
    }
    json_text_set_int(b, "notifyDropped", (int64_t)guest_signals_dropped(g));
    json_text_set_int(b, "notifyBad", s->bad);
}
