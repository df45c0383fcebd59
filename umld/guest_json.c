/*
 * Definition and runtime <-> JSON. The only place that knows both the structs and the interface.
 */
#include "umld/guest.h"
#include "vmcore/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Spelling of the interface (camelCase) where it differs from the words of the command line. */
static const char *const restart_json[RESTART_COUNT] = {
    [RESTART_NEVER] = "never", [RESTART_ON_FAILURE] = "onFailure", [RESTART_ALWAYS] = "always"};

static json_t *strings(const struct um_strv *l)
{
    json_t *a = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(a, json_string(l->v[i]));
    return a;
}

json_t *guest_definition_json(const struct guest_definition *d)
{
    json_t *devices = json_array(), *labels = json_object(), *j;

    for (size_t i = 0; i < d->device_count; i++)
        json_array_append_new(devices, json_string(d->devices[i].text));
    for (size_t i = 0; i < d->labels.n; i++) {
        char *copy = strdup(d->labels.v[i]), *eq = copy ? strchr(copy, '=') : NULL;

        if (eq) {
            *eq = '\0';
            json_object_set_new(labels, copy, json_string(eq + 1));
        }
        free(copy);
    }
    j = json_pack("{s:s,s:o,s:o,s:s,s:s,s:b,s:b,s:b,s:b,s:I,s:o}", "name", d->name, "devices",
                  devices, "cmdline", strings(&d->cmdline), "restart", restart_json[d->restart],
                  "ready", guest_ready_name(d->ready), "autostart", d->autostart, "trusted",
                  d->trusted, "sandbox", d->sandbox, "pinned", d->pinned, "owner",
                  (json_int_t)d->owner, "labels", labels);
    if (d->kernel)
        json_object_set_new(j, "kernel", json_string(d->kernel));
    if (d->ready_pattern)
        json_object_set_new(j, "readyPattern", json_string(d->ready_pattern));
    return j;
}

static void set_time(json_t *j, const char *key, int64_t ns)
{
    char text[UM_CLOCK_TEXT_SIZE];

    if (ns > 0)
        json_object_set_new(j, key, json_string(um_clock_rfc3339(ns, text)));
}

static void set_text(json_t *j, const char *key, const char *text)
{
    if (text)
        json_object_set_new(j, key, json_string(text));
}

static json_t *runtime_json(const struct guest *g)
{
    bool alive = guest_state_info(g->state)->has_process;
    json_t *r = json_pack("{s:s,s:s,s:b,s:I,s:i,s:I}", "state", guest_state_info(g->state)->name,
                          "want", g->want_up ? "up" : "down", "ready", g->ready, "bootNumber",
                          (json_int_t)g->boot, "restarts", (int)g->restarts, "memory",
                          (json_int_t)guest_definition_memory(&g->def));

    if (alive && g->main_pid > 0)
        json_object_set_new(r, "pid", json_integer(g->main_pid));
    if (alive && g->monitor_pid > 0)
        json_object_set_new(r, "monitorPid", json_integer(g->monitor_pid));
    if (alive && g->cpu >= 0)
        json_object_set_new(r, "cpu", json_integer(g->cpu));
    set_text(r, "kernel", g->kernel_path);
    set_time(r, "startedAt", g->start_ns);
    if (alive) {
        set_time(r, "kernelUpAt", g->up_ns);
        set_time(r, "readyAt", g->ready_ns);
    } else {
        set_time(r, "exitedAt", g->exit_ns);
        if (g->wait_status >= 0 && WIFEXITED(g->wait_status))
            json_object_set_new(r, "exitStatus", json_integer(WEXITSTATUS(g->wait_status)));
        if (g->wait_status >= 0 && WIFSIGNALED(g->wait_status))
            json_object_set_new(r, "exitSignal", json_integer(WTERMSIG(g->wait_status)));
    }
    set_text(r, "cause", g->cause);
    set_text(r, "status", g->status);
    return r;
}

json_t *guest_json(const struct guest *g)
{
    char created[UM_CLOCK_TEXT_SIZE];

    return json_pack("{s:o,s:o,s:I,s:s}", "definition", guest_definition_json(&g->def), "runtime",
                     runtime_json(g), "revision", (json_int_t)g->revision, "createdAt",
                     um_clock_rfc3339(g->created_ns, created));
}

/* ---- words of create and config: key=value ---- */

static enum um_code bad_word(struct um_error *err, const char *word, const char *allowed)
{
    um_fail(err, UM_E_INVALID, "definition", word, "\"%s\" has a value that cannot be used", word);
    return um_hint(err, "use %s", allowed);
}

static bool parse_switch(const char *value, bool *ret)
{
    *ret = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;
    return *ret || strcmp(value, "off") == 0 || strcmp(value, "no") == 0 ||
           strcmp(value, "false") == 0;
}

static bool replace(char **dst, const char *value)
{
    char *copy = strdup(value);

    if (copy) {
        free(*dst);
        *dst = copy;
    }
    return copy != NULL;
}

static bool set_kernel(struct guest_definition *d, const char *value)
{
    return value[0] && replace(&d->kernel, value);
}

static bool set_restart(struct guest_definition *d, const char *value)
{
    for (int i = 0; i < RESTART_COUNT; i++)
        if (strcmp(restart_json[i], value) == 0) {
            d->restart = (enum guest_restart)i;
            return true;
        }
    return guest_restart_from_name(value, &d->restart);
}

static bool set_ready(struct guest_definition *d, const char *value)
{
    if (um_str_starts(value, "console:") && value[8]) {
        d->ready = READY_CONSOLE;
        return replace(&d->ready_pattern, value + 8);
    }
    return guest_ready_from_name(value, &d->ready) &&
           (d->ready != READY_CONSOLE || d->ready_pattern);
}

static bool set_owner(struct guest_definition *d, const char *value)
{
    int64_t uid;

    if (!um_parse_int(value, 0, UINT32_MAX - 1, &uid))
        return false;
    d->owner = (uid_t)uid;
    return true;
}

static bool set_autostart(struct guest_definition *d, const char *value)
{
    return parse_switch(value, &d->autostart);
}

static bool set_trusted(struct guest_definition *d, const char *value)
{
    return parse_switch(value, &d->trusted);
}

static bool set_sandbox(struct guest_definition *d, const char *value)
{
    return parse_switch(value, &d->sandbox);
}

static bool set_pinned(struct guest_definition *d, const char *value)
{
    return parse_switch(value, &d->pinned);
}

static const struct {
    const char *key;
    bool (*set)(struct guest_definition *d, const char *value);
    const char *allowed;
} plain_keys[] = {
    {"kernel", set_kernel, "a registered name or an absolute path"},
    {"restart", set_restart, "never, onFailure or always"},
    {"ready", set_ready, "notify, kernel or console:REGEX"},
    {"owner", set_owner, "a numeric uid"},
    {"autostart", set_autostart, "on or off"},
    {"trusted", set_trusted, "on or off"},
    {"sandbox", set_sandbox, "on or off"},
    {"pinned", set_pinned, "on or off"},
};

enum um_code guest_definition_apply(struct guest_definition *d, const char *word, const char *cwd,
                                    struct um_error *err)
{
    const char *eq = strchr(word, '=');
    struct device device;
    enum um_code code;

    for (size_t i = 0; eq && i < UM_ARRAY_LEN(plain_keys); i++)
        if (strlen(plain_keys[i].key) == (size_t)(eq - word) &&
            um_str_starts(word, plain_keys[i].key))
            return plain_keys[i].set(d, eq + 1) ? UM_OK
                                                : bad_word(err, word, plain_keys[i].allowed);
    code = device_parse(word, cwd, &device, err);
    if (code)
        return code;
    if (guest_definition_set(d, &device))
        return UM_OK;
    device_done(&device);
    return um_fail(err, UM_E_NO_RESOURCES, "definition", word, "out of memory");
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
            um_fail(&err, UM_E_INVALID, "definition", word, "%s is given twice", name);
            device_done(&device);
            code = UM_E_INVALID;
        } else if (!code && !guest_definition_set(d, &device)) {
            device_done(&device);
            code = um_fail(&err, UM_E_NO_RESOURCES, "definition", word, "out of memory");
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
        um_fail(next_problem(p), UM_E_NO_RESOURCES, "definition", NULL, "out of memory");
}

static void take_labels(json_t *json, struct um_strv *ret, struct problems *p)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key,
                        value) if (!um_strv_addf(ret, "%s=%s", key, json_string_value(value)))
        um_fail(next_problem(p), UM_E_NO_RESOURCES, "definition", NULL, "out of memory");
}

static void take_words(const json_t *json, struct guest_definition *d, struct problems *p)
{
    static const char *const keys[] = {"kernel", "restart"};
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
    if (pattern && !replace(&d->ready_pattern, pattern))
        um_fail(next_problem(p), UM_E_NO_RESOURCES, "definition", NULL, "out of memory");
    if (ready && (!guest_ready_from_name(ready, &d->ready) ||
                  (d->ready == READY_CONSOLE && !d->ready_pattern)))
        um_fail(next_problem(p), UM_E_INVALID, "definition", "ready",
                "ready=console needs readyPattern");
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
    size_t before = *ret_count;

    if (!replace(&d.name, json_string_value(json_object_get(json, "name"))))
        um_fail(next_problem(&p), UM_E_NO_RESOURCES, "definition", NULL, "out of memory");
    take_devices(json_object_get(json, "devices"), cwd, &d, &p);
    take_strings(json_object_get(json, "cmdline"), &d.cmdline, &p);
    take_labels(json_object_get(json, "labels"), &d.labels, &p);
    take_words(json, &d, &p);
    take_switch(json, "autostart", &d.autostart);
    take_switch(json, "trusted", &d.trusted);
    take_switch(json, "sandbox", &d.sandbox);
    take_switch(json, "pinned", &d.pinned);
    d.owner = json_is_integer(uid) ? (uid_t)json_integer_value(uid) : owner;
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
