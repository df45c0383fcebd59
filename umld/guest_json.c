/*
 * Definition and runtime <-> JSON. The only place that knows both the structs and the interface.
 */
#include "umld/guest.h"
#include "umld/json_text.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void put_strings(struct um_buf *b, const char *key, const struct um_strv *l)
{
    json_text_key(b, key, strlen(key));
    json_text_open(b, '[');
    for (size_t i = 0; i < l->n; i++)
        json_text_string(b, l->v[i], strlen(l->v[i]));
    json_text_close(b, ']');
}

static void put_devices(struct um_buf *b, const struct guest_definition *d)
{
    json_text_key(b, "devices", strlen("devices"));
    json_text_open(b, '[');
    for (size_t i = 0; i < d->device_count; i++)
        json_text_string(b, d->devices[i].text, strlen(d->devices[i].text));
    json_text_close(b, ']');
}

/* Entries `key=value`. */
static void put_map(struct um_buf *b, const char *key, const struct um_strv *l)
{
    json_text_key(b, key, strlen(key));
    json_text_open(b, '{');
    for (size_t i = 0; i < l->n; i++) {
        const char *entry = l->v[i], *eq = strchr(entry, '=');

        if (!eq)
            continue;
        json_text_key(b, entry, (size_t)(eq - entry));
        json_text_string(b, eq + 1, strlen(eq + 1));
    }
    json_text_close(b, '}');
}

static void put_limits(struct um_buf *b, const struct guest_definition *d)
{
    char text[32];

    json_text_key(b, "limits", strlen("limits"));
    json_text_open(b, '{');
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (d->limits.value[i])
            json_text_set_string(
                b, guest_limit_name((enum guest_limit)i),
                guest_limit_format((enum guest_limit)i, d->limits.value[i], text, sizeof(text)));
    json_text_close(b, '}');
}

static void put_definition(struct um_buf *b, const struct guest_definition *d)
{
    json_text_open(b, '{');
    json_text_set_string(b, "name", d->name);
    put_devices(b, d);
    put_strings(b, "cmdline", &d->cmdline);
    json_text_set_string(b, "restart", guest_restart_name(d->restart));
    json_text_set_string(b, "hang", guest_hang_name(d->hang));
    json_text_set_string(b, "ready", guest_ready_name(d->ready));
    json_text_set_bool(b, "autostart", d->autostart);
    json_text_set_bool(b, "trusted", d->trusted);
    json_text_set_bool(b, "sandbox", d->sandbox);
    json_text_set_bool(b, "pinned", d->pinned);
    json_text_set_int(b, "owner", d->owner);
    put_map(b, "labels", &d->labels);
    put_strings(b, "depends", &d->depends);
    put_map(b, "protect", &d->protect);
    put_limits(b, d);
    json_text_set_string(b, "kernel", d->kernel);
    json_text_set_string(b, "readyPattern", d->ready_pattern);
    json_text_close(b, '}');
}

static void put_time(struct um_buf *b, const char *key, int64_t ns)
{
    char text[UM_CLOCK_TEXT_SIZE];

    if (ns > 0)
        json_text_set_string(b, key, um_clock_rfc3339(ns, text));
}

static void put_process(struct um_buf *b, const struct guest *g)
{
    if (g->main_pid > 0)
        json_text_set_int(b, "pid", g->main_pid);
    if (g->monitor_pid > 0)
        json_text_set_int(b, "monitorPid", g->monitor_pid);
    if (g->cpu >= 0)
        json_text_set_int(b, "cpu", g->cpu);
    guest_signals_json(g, b);
    json_text_set_string(b, "watch", guest_watch_name(g->watch.state));
    put_time(b, "kernelUpAt", g->up_ns);
    put_time(b, "readyAt", g->ready_ns);
}

static void put_end(struct um_buf *b, const struct guest *g)
{
    put_time(b, "exitedAt", g->exit_ns);
    if (g->wait_status >= 0 && WIFEXITED(g->wait_status))
        json_text_set_int(b, "exitStatus", WEXITSTATUS(g->wait_status));
    if (g->wait_status >= 0 && WIFSIGNALED(g->wait_status))
        json_text_set_int(b, "exitSignal", WTERMSIG(g->wait_status));
}

static void put_runtime(struct um_buf *b, const struct guest *g)
{
    json_text_open(b, '{');
    json_text_set_string(b, "state", guest_state_info(g->state)->name);
    json_text_set_string(b, "want", g->want_up ? "up" : "down");
    json_text_set_bool(b, "ready", g->ready);
    json_text_set_int(b, "bootNumber", (int64_t)g->boot);
    json_text_set_int(b, "restarts", g->restarts);
    json_text_set_int(b, "memory", (int64_t)guest_definition_memory(&g->def));
    json_text_set_string(b, "kernel", g->kernel_path);
    guest_stranger_json(g, b);
    if (g->uid && !g->stranger)
        json_text_set_int(b, "uid", (int64_t)g->uid);
    put_time(b, "startedAt", g->start_ns);
    if (guest_state_info(g->state)->has_process)
        put_process(b, g);
    else
        put_end(b, g);
    json_text_set_string(b, "cause", g->cause);
    json_text_set_string(b, "doing", g->doing);
    if (g->failures > 0)
        json_text_set_int(b, "failures", g->failures);
    if (g->state == GUEST_BACKOFF)
        put_time(b, "nextStartAt", g->next_start_ns);
    json_text_set_string(b, "status", g->status);
    json_text_close(b, '}');
}

void guest_json_text(const struct guest *g, struct um_buf *b)
{
    char created[UM_CLOCK_TEXT_SIZE];

    json_text_open(b, '{');
    json_text_key(b, "definition", strlen("definition"));
    put_definition(b, &g->def);
    json_text_key(b, "runtime", strlen("runtime"));
    put_runtime(b, g);
    json_text_set_int(b, "revision", g->revision);
    json_text_set_string(b, "createdAt", um_clock_rfc3339(g->created_ns, created));
    json_text_close(b, '}');
}

static json_t *tree_of(struct um_buf *b)
{
    json_t *tree = b->failed ? NULL : json_loadb(b->data, b->len, 0, NULL);

    um_buf_done(b);
    return tree;
}

json_t *guest_definition_json(const struct guest_definition *d)
{
    struct um_buf b = UM_BUF_INIT;

    put_definition(&b, d);
    return tree_of(&b);
}

json_t *guest_json(const struct guest *g)
{
    struct um_buf b = UM_BUF_INIT;

    guest_json_text(g, &b);
    return tree_of(&b);
}

/* ---- from JSON ---- */

struct problems {
    struct um_error *list;
    size_t max, *count;
};

static struct um_error *next_problem(struct problems *p)
{
    return *p->count < p->max ? &p->list[(*p->count)++] : &p->list[p->max - 1];
}

static void take_devices(const json_t *json, const char *cwd, struct guest_definition *d,
                         struct problems *p)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json, i, item)
    {
        const char *word = json_string_value(item);
        struct um_error err;
        struct device device;
        char name[32];
        enum um_code code = device_parse(word, cwd, &device, &err);

        if (!code && guest_definition_find(d, device_name(&device, name, sizeof(name)))) {
            um_fail(&err, UM_E_INVALID, NULL, word, "%s is given twice", name);
            device_done(&device);
            code = UM_E_INVALID;
        } else if (!code && !guest_definition_set(d, &device)) {
            device_done(&device);
            code = um_fail(&err, UM_E_NO_RESOURCES, NULL, word, "out of memory");
        }
        if (code)
            *next_problem(p) = err;
    }
}

static void take_strings(const json_t *json, struct um_strv *ret, struct problems *p)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json, i, item) if (!um_strv_add(ret, json_string_value(item)))
        um_fail(next_problem(p), UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
}

static void take_map(json_t *json, struct um_strv *ret, struct problems *p)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key,
                        value) if (!um_strv_addf(ret, "%s=%s", key, json_string_value(value)))
        um_fail(next_problem(p), UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
}

static void take_limits(json_t *json, struct guest_definition *d, struct problems *p)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        char word[96];
        struct um_error err;

        snprintf(word, sizeof(word), "limit:%.32s=%.32s", key, json_string_value(value));
        if (guest_definition_apply(d, word, NULL, &err))
            *next_problem(p) = err;
    }
}

static void take_words(const json_t *json, struct guest_definition *d, struct problems *p)
{
    static const char *const keys[] = {"kernel", "restart", "hang"};
    const char *ready = json_string_value(json_object_get(json, "ready"));
    const char *pattern = json_string_value(json_object_get(json, "readyPattern"));
    char word[4200];
    struct um_error err;

    for (size_t i = 0; i < UM_ARRAY_LEN(keys); i++) {
        const char *value = json_string_value(json_object_get(json, keys[i]));

        if (!value)
            continue;
        snprintf(word, sizeof(word), "%s=%s", keys[i], value);
        if (guest_definition_apply(d, word, NULL, &err))
            *next_problem(p) = err;
    }
    d->ready_pattern = pattern ? strdup(pattern) : NULL;
    if (pattern && !d->ready_pattern)
        um_fail(next_problem(p), UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    if (ready && (!guest_ready_from_name(ready, &d->ready) ||
                  (d->ready == READY_CONSOLE && !d->ready_pattern)))
        um_fail(next_problem(p), UM_E_INVALID, NULL, "ready", "ready=console needs readyPattern");
}

static void take_switch(const json_t *json, const char *key, bool *ret)
{
    const json_t *v = json_object_get(json, key);

    if (json_is_boolean(v))
        *ret = json_is_true(v);
}

bool guest_definition_from_json(const json_t *json, const char *cwd, uid_t owner,
                                struct guest_definition *ret, struct um_error *errors, size_t max,
                                size_t *ret_count)
{
    struct guest_definition d = GUEST_DEFINITION_INIT;
    struct problems p = {errors, max, ret_count};
    const json_t *uid = json_object_get(json, "owner");
    const char *name = json_string_value(json_object_get(json, "name"));
    size_t before = *ret_count;

    d.name = name ? strdup(name) : NULL;
    if (!d.name)
        um_fail(next_problem(&p), UM_E_NO_RESOURCES, NULL, NULL, "out of memory");
    take_devices(json_object_get(json, "devices"), cwd, &d, &p);
    take_strings(json_object_get(json, "cmdline"), &d.cmdline, &p);
    take_map(json_object_get(json, "labels"), &d.labels, &p);
    take_strings(json_object_get(json, "depends"), &d.depends, &p);
    take_map(json_object_get(json, "protect"), &d.protect, &p);
    take_limits(json_object_get(json, "limits"), &d, &p);
    take_words(json, &d, &p);
    take_switch(json, "autostart", &d.autostart);
    take_switch(json, "trusted", &d.trusted);
    take_switch(json, "sandbox", &d.sandbox);
    take_switch(json, "pinned", &d.pinned);
    d.owner = owner;
    if (json_is_integer(uid)) {
        d.owner = (uid_t)json_integer_value(uid);
        if (json_integer_value(uid) < 0 || json_integer_value(uid) > UINT32_MAX)
            um_fail(next_problem(&p), UM_E_INVALID, NULL, "owner", "%lld is no uid",
                    (long long)json_integer_value(uid));
    }
    if (*ret_count == before && d.name) {
        size_t found = 0;

        guest_definition_check(&d, errors + *ret_count, max - *ret_count, &found);
        *ret_count += found;
    }
    if (*ret_count > before) {
        guest_definition_done(&d);
        return false;
    }
    *ret = d;
    return true;
}
