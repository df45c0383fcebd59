#include "umld/db.h"
#include "umld/events.h"
#include "umld/failpoint.h"
#include "umld/guest_ids.h"
#include "umld/guest_live.h"
#include "umld/guest_order.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct guests {
    struct umld *umld;
    struct guest *by_name[BUCKETS];
    struct guest **list; /* in the order of creation; internal ones are not here */
    int count, room;
    struct guest *internal; /* by next_name */
    struct guest *active;
};

static unsigned bucket_of(const char *name)
{
    unsigned h = 5381;

    for (; *name; name++)
        h = h * 33 + (unsigned char)*name;
    return h % BUCKETS;
}

struct guests *guests_new(struct umld *umld)
{
    struct guests *guests = calloc(1, sizeof(*guests));

    if (guests)
        guests->umld = umld;
    return guests;
}

static void guest_free(struct guest *g)
{
    guest_waiters_drop(g);
    guest_live_end(g);
    monitor_close(g);
    guest_lanes_close(g);
    guest_plan_free(g);
    um_timer_free(g->limit);
    um_timer_free(g->step);
    guest_signals_done(g);
    guest_watch_done(g);
    stranger_free(g->stranger);
    guest_definition_done(&g->def);
    free(g->kernel_path);
    free(g->cause);
    free(g->doing);
    free(g->status);
    free((char *)(uintptr_t)g->end.text);
    free(g);
}

static void remove_directories(const struct guest *g)
{
    char path[GUEST_PATH_SIZE];

    guest_files_take_back(g);
    guest_cgroup_remove(g->umld, guest_path(g, GUEST_PATH_DIR, path));
    guest_tree_remove(g->umld, path);
    um_remove_tree(guest_path(g, GUEST_PATH_STATE, path));
}

/* Internal guests do not outlive the daemon: nobody would know them. */
static void end_internal(struct guests *guests)
{
    while (guests->internal) {
        struct guest *g = guests->internal;

        guests->internal = g->next_name;
        monitor_end_now(g);
        remove_directories(g);
        g->end.kind =
            POLICY_END_SPAWN; /* its end says nothing about what it was made to find out */
        if (g->on_end)
            g->on_end(g, g->internal_arg);
        guest_free(g);
    }
}

void guests_free(struct guests *guests)
{
    if (!guests)
        return;
    end_internal(guests);
    /* What answers a cut-off command looks its guest up: all must still be there. */
    stranger_asks_end(guests->umld);
    for (int i = 0; i < guests->count; i++)
        guest_lanes_close(guests->list[i]);
    for (int i = 0; i < guests->count; i++)
        guest_free(guests->list[i]);
    free(guests->list);
    free(guests);
}

struct guest *guest_find(struct umld *umld, const char *name)
{
    for (struct guest *g = umld->guests->by_name[bucket_of(name)]; g; g = g->next_name)
        if (!g->removed && strcmp(g->def.name, name) == 0)
            return g;
    return NULL;
}

struct guest *guest_by_id(struct umld *umld, int64_t id)
{
    const struct guests *guests = umld->guests;
    int low = 0, high = guests->count;

    /* Ids rise in the order of creation, so the list is sorted by them. */
    while (low < high) {
        int middle = (low + high) / 2;

        if (guests->list[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < guests->count && guests->list[low]->id == id && !guests->list[low]->removed
               ? guests->list[low]
               : NULL;
}

int guest_count(const struct umld *umld)
{
    return umld->guests->count;
}

struct guest *guest_list(const struct umld *umld, int index)
{
    return umld->guests->list[index];
}

bool guest_internal_uid(const struct umld *umld, const struct guest *g, uid_t uid)
{
    for (const struct guest *other = umld->guests->internal; other; other = other->next_name)
        if (other != g && other->uid == uid)
            return true;
    return false;
}

void guest_each(struct umld *umld, guest_each_fn fn, void *arg)
{
    for (int i = 0; i < umld->guests->count; i++)
        if (!umld->guests->list[i]->removed)
            fn(umld->guests->list[i], arg);
}

static void activate(struct guest *g)
{
    struct guests *guests = g->umld->guests;

    if (g->active)
        return;
    g->active = true;
    g->next_active = guests->active;
    guests->active = g;
}

void guest_touch(struct guest *g)
{
    g->dirty = true;
    activate(g);
}

void guest_effect(struct guest *g, unsigned effects)
{
    g->effects |= effects;
    activate(g);
}

void guest_look(struct guest *g)
{
    g->look = true;
    activate(g);
}

void guest_post(struct guest *g, enum guest_event event)
{
    if (g->removed)
        return;
    /* A hostile kernel can say M_ as often as it likes; the rest must find room all the same. */
    bool told = event >= GUEST_M_UP && event <= GUEST_M_RESUMED;

    if (g->inbox_count >= (told ? GUEST_INBOX_TOLD_MAX : GUEST_INBOX_MAX)) {
        um_log(UM_LOG_ERROR, "guest %s: inbox full, %s dropped", g->def.name,
               guest_event_name(event));
        return;
    }
    g->inbox[g->inbox_count++] = (unsigned char)event;
    activate(g);
}

void guest_expire(struct guest *g)
{
    g->expired_in = g->state;
    /* What umld did not start does not end because umld, or its monitor, was slow. */
    guest_post(g, g->stranger && g->state == GUEST_ADOPTING ? GUEST_U_LEAVE : GUEST_T_EXPIRED);
}

static void limit_expired(void *arg)
{
    guest_expire(arg);
}

static void step_expired(void *arg)
{
    guest_ladder_step(arg);
}

struct guest *guest_new(struct umld *umld, struct guest_definition *def)
{
    struct guest *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->umld = umld;
    g->wait_status = -1;
    g->cpu = -1;
    g->asked = "";
    g->limit = um_timer_new(umld->loop, limit_expired, g);
    g->step = um_timer_new(umld->loop, step_expired, g);
    if (!g->limit || !g->step) {
        um_timer_free(g->limit);
        um_timer_free(g->step);
        free(g);
        return NULL;
    }
    g->def = *def;
    *def = GUEST_DEFINITION_INIT;
    return g;
}

bool guests_add(struct guests *guests, struct guest *g)
{
    unsigned b = bucket_of(g->def.name);

    if (guests->count == guests->room) {
        int room = guests->room ? guests->room * 2 : 64;
        struct guest **list = realloc(guests->list, (size_t)room * sizeof(struct guest *));

        if (!list)
            return false;
        guests->list = list;
        guests->room = room;
    }
    guests->list[guests->count++] = g;
    g->next_name = guests->by_name[b];
    guests->by_name[b] = g;
    return true;
}

void guests_add_internal(struct guests *guests, struct guest *g)
{
    g->next_name = guests->internal;
    guests->internal = g;
}

/* True if it was there. */
static bool unlink_from(struct guest **link, const struct guest *g)
{
    while (*link && *link != g)
        link = &(*link)->next_name;
    if (!*link)
        return false;
    *link = g->next_name;
    return true;
}

static void guests_take_out(struct guests *guests, struct guest *g)
{
    if (!unlink_from(&guests->by_name[bucket_of(g->def.name)], g))
        unlink_from(&guests->internal, g);
    for (int i = 0; i < guests->count; i++)
        if (guests->list[i] == g) {
            guests->count--;
            memmove(&guests->list[i], &guests->list[i + 1],
                    (size_t)(guests->count - i) * sizeof(struct guest *));
            break;
        }
}

void guests_discard(struct guest *g)
{
    guests_take_out(g->umld->guests, g);
    guest_free(g);
}

const char *guest_object(const struct guest *g, char *buf, size_t size)
{
    snprintf(buf, size, "guest \"%s\"", g->def.name);
    return buf;
}

void guest_set_cause(struct guest *g, const char *text)
{
    char *copy = text && text[0] ? strdup(text) : NULL;

    free(g->cause);
    g->cause = copy;
    guest_touch(g);
}

void guest_clear_doing(struct guest *g)
{
    free(g->doing);
    g->doing = NULL;
}

void guest_set_doing(struct guest *g, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (g->doing && strcmp(g->doing, text) == 0)
        return;
    free(g->doing);
    g->doing = strdup(text);
    g->doings++;
    guest_waiters_check(g);
}

void guests_drain(struct guests *guests)
{
    for (struct guest *g = guests->active; g; g = g->next_active) {
        unsigned char events[GUEST_INBOX_MAX];
        unsigned count = g->inbox_count;

        /* What an action posts is for the next pass: first this one is committed. */
        memcpy(events, g->inbox, count);
        g->inbox_count = 0;
        for (unsigned i = 0; i < count; i++)
            /* A limit that passed in the round in which its state ended is over. */
            if (events[i] != GUEST_T_EXPIRED || g->expired_in == g->state)
                guest_step(g, (enum guest_event)events[i]);
        if (count)
            guest_watch_update(g);
        if (count || g->look) {
            g->look = false;
            guest_waiters_check(g);
            if (count)
                guest_order_changed(g);
        }
    }
}

void guests_store(struct guests *guests)
{
    for (struct guest *g = guests->active; g; g = g->next_active)
        if (g->dirty && !g->removed)
            guest_store(g);
}

static const struct {
    enum guest_effect effect;
    void (*run)(struct guest *g);
} effect_rows[] = {
    {EFFECT_PREPARE, guest_prepare},
    {EFFECT_SPAWN, guest_spawn},
    {EFFECT_PAUSE, guest_pause},
    {EFFECT_RESUME, guest_resume},
    {EFFECT_LADDER, guest_ladder},
    {EFFECT_HALT, guest_halt_now},
    {EFFECT_REBOOT, guest_reboot},
    {EFFECT_KILL, guest_kill},
    {EFFECT_RELEASE, guest_release},
    {EFFECT_REATTACH, guest_reattach},
    {EFFECT_FORGET, guest_drop_exit_record},
    {EFFECT_WATCH, guest_watch_stranger},
    {EFFECT_DEVICES, guest_live_look},
};

/* Only now that it is no longer stored. */
static void forget(struct guests *guests, struct guest *g)
{
    void (*on_end)(struct guest *, void *) = g->on_end;

    remove_directories(g);
    guest_waiters_end(g);
    if (on_end)
        on_end(g, g->internal_arg);
    guests_take_out(guests, g);
    guest_free(g);
}

static void run_effects(struct guest *g)
{
    unsigned effects = g->effects;

    if (!effects)
        return;
    failpoint_guest("stored", g);
    g->effects = 0;
    for (size_t i = 0; i < UM_ARRAY_LEN(effect_rows); i++)
        if (effects & effect_rows[i].effect)
            effect_rows[i].run(g);
    failpoint_guest("done", g);
}

/*
 * The active guests, those that were removed already gone: their directories must be away before
 * another guest of the same name makes its own.
 */
static struct guest *take_active(struct guests *guests)
{
    struct guest *list = guests->active, **link = &list;

    guests->active = NULL;
    while (*link) {
        struct guest *g = *link;

        if (!g->removed) {
            link = &g->next_active;
            continue;
        }
        *link = g->next_active;
        forget(guests, g);
    }
    return list;
}

bool guests_effects(struct guests *guests)
{
    struct guest *list = take_active(guests);
    bool more = false;

    while (list) {
        struct guest *g = list;

        list = g->next_active;
        g->active = false;
        run_effects(g);
        if (g->dirty || g->inbox_count || g->effects || g->look)
            activate(g);
    }
    for (struct guest *g = guests->active; g; g = g->next_active)
        more = more || g->inbox_count || g->effects || g->removed || g->dirty || g->look;
    return more;
}
