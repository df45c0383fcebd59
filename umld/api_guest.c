/*
 * io.umld.Guest: definitions and the verbs. Handlers look up, refuse what the state does not allow,
 * post the event and leave the rest to guest_wait.c.
 */
#include "schemas/api_rows.h"
#include "umld/events.h"
#include "umld/guest_ids.h"
#include "umld/jobs.h"
#include "umld/request.h"
#include "vmcore/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBLEMS_MAX = 16,
    START_TIMEOUT_MS = 120000,
    STOP_TIMEOUT_MS = 120000,
    VERB_TIMEOUT_MS = 15000
};

static const char *text_of(const json_t *params, const char *key)
{
    return json_string_value(json_object_get(params, key));
}

static bool flag_of(const json_t *params, const char *key)
{
    return json_is_true(json_object_get(params, key));
}

struct guest *guest_of_call(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = text_of(params, "name");
    struct guest *g = guest_find(umld, name);
    struct um_error err;
    char object[96];

    if (g)
        return g;
    snprintf(object, sizeof(object), "guest \"%.63s\"", name);
    um_fail(&err, UM_E_NOT_FOUND, object, "name", "there is no such guest");
    um_hint(&err, "see: umlctl list");
    api_reply_error(call, &err);
    return NULL;
}

static void list_one(struct guest *g, void *arg)
{
    guest_json_text(g, arg);
}

void api_guest_list(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    struct um_buf text = UM_BUF_INIT;

    um_buf_puts(&text, "{\"guests\":[");
    guest_each(umld, list_one, &text);
    um_buf_puts(&text, "]}");
    api_reply_text(call, &text);
}

void api_guest_get(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);

    if (g)
        api_reply(call, json_pack("{s:o}", "guest", guest_json(g)));
}

/* The name becomes part of socket paths; say so now and not at the start. */
static bool paths_fit(struct umld *umld, const char *name, struct um_error *err)
{
    size_t len = strlen(umld->paths.run_dir) + strlen("/g//in/uml/mconsole") + strlen(name);
    char object[96];

    if (len <= 107)
        return true;
    snprintf(object, sizeof(object), "guest \"%.63s\"", name);
    um_fail(err, UM_E_INVALID, object, "name",
            "its socket path %s/g/%s/in/uml/mconsole would be %zu bytes long, the limit is 107",
            umld->paths.run_dir, name, len);
    um_hint(err, "use a name %zu bytes shorter, or a shorter run directory", len - 107);
    return false;
}

/* Problems of a definition, which know the field but not whose it is. */
static void refuse_definition(struct api_call *call, const char *name, struct um_error *errors,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!errors[i].object[0])
            snprintf(errors[i].object, sizeof(errors[i].object), "guest \"%.63s\"", name);
    api_reply_errors(call, errors, count);
}

void api_guest_create(struct umld *umld, struct api_call *call, const json_t *params)
{
    const json_t *json = json_object_get(params, "definition");
    const char *name = text_of(json, "name"), *id = text_of(params, "requestId");
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error errors[PROBLEMS_MAX];
    size_t count = 0;
    json_t *reply;
    struct guest *g = NULL;
    char *subject = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    if (subject && request_repeated(umld, call, id, "Guest.Create", subject)) {
        free(subject);
        return;
    }
    if (!um_name_valid(name)) {
        um_fail(&errors[count++], UM_E_INVALID, "definition", "name", "\"%.80s\" is no guest name",
                name);
        um_hint(&errors[0],
                "use 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit");
    } else if (!paths_fit(umld, name, &errors[count])) {
        count++;
    }
    if (!guest_definition_from_json(json, text_of(params, "cwd"), api_call_uid(call), &def, errors,
                                    PROBLEMS_MAX, &count) ||
        count) {
        refuse_definition(call, name, errors, count);
    } else {
        guest_definition_check_files(&def, guest_ids_any(umld), errors, PROBLEMS_MAX, &count);
        if (count) {
            refuse_definition(call, name, errors, count);
        } else if (flag_of(params, "dryRun") && !guest_find(umld, def.name)) {
            /* As it would be: a guest that is nowhere. */
            struct guest would = {.def = def, .wait_status = -1, .cpu = -1, .asked = ""};

            api_reply(call, json_pack("{s:o,s:b}", "guest", guest_json(&would), "changed", 0));
        } else if (guest_create(umld, &def, &g, &errors[0])) {
            api_reply_error(call, &errors[0]);
        } else {
            reply = json_pack("{s:o,s:b}", "guest", guest_json(g), "changed", 1);
            if (id && subject)
                request_remember(umld, api_call_uid(call), id, "Guest.Create", subject, reply);
            api_reply(call, reply);
        }
    }
    free(subject);
    guest_definition_done(&def);
}

static bool revision_fits(struct guest *g, struct api_call *call, const json_t *params)
{
    const json_t *wanted = json_object_get(params, "ifRevision");
    struct um_error err;
    char object[96];

    if (!json_is_integer(wanted) || json_integer_value(wanted) == g->revision)
        return true;
    um_fail(&err, UM_E_CONFLICT, guest_object(g, object, sizeof(object)), "ifRevision",
            "its revision is %lld by now", (long long)g->revision);
    um_hint(&err, "read it again and repeat the change");
    api_reply_error(call, &err);
    return false;
}

static size_t apply_changes(const struct umld *umld, struct guest_definition *def,
                            const json_t *params, struct um_error *errors)
{
    const json_t *item;
    size_t i, count = 0;

    json_array_foreach(json_object_get(params, "unset"), i,
                       item) if (!guest_definition_unset(def, json_string_value(item)) &&
                                 count < PROBLEMS_MAX)
        um_fail(&errors[count++], UM_E_NOT_FOUND, "definition", json_string_value(item),
                "there is no device \"%s\" to remove", json_string_value(item));
    json_array_foreach(json_object_get(params, "set"), i,
                       item) if (count < PROBLEMS_MAX &&
                                 guest_definition_apply(def, json_string_value(item),
                                                        text_of(params, "cwd"), &errors[count]))
        count++;
    if (!count)
        guest_definition_check(def, errors, PROBLEMS_MAX, &count);
    if (!count)
        guest_definition_check_files(def, guest_ids_any(umld), errors, PROBLEMS_MAX, &count);
    return count;
}

static bool same_definition(const struct guest_definition *a, const struct guest_definition *b)
{
    json_t *ja = guest_definition_json(a), *jb = guest_definition_json(b);
    bool same = json_equal(ja, jb);

    json_decref(ja);
    json_decref(jb);
    return same;
}

void api_guest_update(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error errors[PROBLEMS_MAX];
    size_t count;
    bool changed;

    if (!g || !revision_fits(g, call, params))
        return;
    if (!guest_definition_copy(&g->def, &def)) {
        um_fail(&errors[0], UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
        api_reply_error(call, &errors[0]);
        return;
    }
    count = apply_changes(umld, &def, params, errors);
    changed = !count && !same_definition(&def, &g->def);
    if (changed && !flag_of(params, "dryRun") && guest_redefine(g, &def, &errors[0]))
        count = 1;
    if (count)
        refuse_definition(call, g->def.name, errors, count);
    else
        api_reply(call, json_pack("{s:o,s:b}", "guest", guest_json(g), "changed", changed));
    guest_definition_done(&def);
}

static void refuse(struct guest *g, struct api_call *call, const char *verb, const char *hint)
{
    bool at_rest = !guest_state_info(g->state)->has_process;
    struct um_error err;
    char object[96];

    um_fail(&err, at_rest ? UM_E_NOT_RUNNING : UM_E_WRONG_STATE,
            guest_object(g, object, sizeof(object)), NULL, "cannot %s: it is %s", verb,
            guest_state_info(g->state)->name);
    if (hint)
        um_hint(&err, hint, g->def.name);
    api_reply_error(call, &err);
}

static int64_t timeout_of(const json_t *params, int64_t fallback)
{
    const json_t *t = json_object_get(params, "timeoutMs");

    return json_is_integer(t) ? (int64_t)json_integer_value(t) : fallback;
}

/*
 * Common path of the verbs: refuse an impossible event, post it unless the goal holds already,
 * wait.
 */
static void verb(struct guest *g, struct api_call *call, enum guest_event event, bool changed,
                 struct guest_wait *wait)
{
    wait->changed = changed;
    /* What is posted already may end the state the goal holds in: this wish comes after it. */
    if (changed || g->inbox_count > 0)
        guest_post(g, event);
    guest_wait_add(g, call, wait);
}

/* wait=none: the answer is that the wish is stored. */
static void start_unattended(struct guest *g, struct api_call *call, const struct guest_wait *wait,
                             bool changed)
{
    char job[24];
    json_t *reply = json_pack("{s:b,s:s,s:b,s:s*}", "changed", changed, "state",
                              guest_state_info(g->state)->name, "ready", g->ready, "job",
                              wait->job ? jobs_id_text(wait->job, job, sizeof(job)) : NULL);

    if (changed || g->inbox_count > 0)
        guest_post(g, GUEST_U_START);
    jobs_end(g->umld, wait->job, NULL);
    if (wait->request_id)
        request_remember(g->umld, api_call_uid(call), wait->request_id, wait->request_method,
                         g->def.name, reply);
    api_reply(call, reply);
}

void api_guest_start(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *until = text_of(params, "wait"), *id = text_of(params, "requestId");
    struct guest_wait wait = {.goal = GOAL_READY,
                              .timeout_ms = timeout_of(params, START_TIMEOUT_MS),
                              .reply_ready = true,
                              .reply_job = true,
                              .request_id = id,
                              .request_method = "Guest.Start"};
    bool running, changed;

    if (!g || request_repeated(umld, call, id, "Guest.Start", g->def.name))
        return;
    running = guest_state_info(g->state)->has_process && g->state != GUEST_STOPPING &&
              g->state != GUEST_KILLING;
    changed = !running && g->state != GUEST_PREPARING;
    if (g->state == GUEST_PAUSED) {
        refuse(g, call, "start", "resume it: umlctl resume %s");
        return;
    }
    if (changed)
        wait.job = jobs_begin(umld, "guest.start", g->def.name, api_call_uid(call), NULL, NULL);
    if (until && strcmp(until, "none") == 0) {
        start_unattended(g, call, &wait, changed);
        return;
    }
    if (until && strcmp(until, "kernel") == 0)
        wait.goal = GOAL_KERNEL;
    verb(g, call, GUEST_U_START, changed, &wait);
}

static bool is_down(const struct guest *g)
{
    return g->state == GUEST_STOPPED || g->state == GUEST_FAILED;
}

void api_guest_stop(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {
        .goal = GOAL_STOPPED, .timeout_ms = timeout_of(params, STOP_TIMEOUT_MS), .reply_job = true};
    bool changed;

    if (!g)
        return;
    changed = !is_down(g);
    if (changed)
        wait.job = jobs_begin(umld, "guest.stop", g->def.name, api_call_uid(call), NULL, NULL);
    verb(g, call, flag_of(params, "force") ? GUEST_U_KILL : GUEST_U_STOP, changed, &wait);
}

void api_guest_kill(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_STOPPED, .timeout_ms = STOP_TIMEOUT_MS};

    if (g)
        verb(g, call, GUEST_U_KILL, !is_down(g), &wait);
}

void api_guest_remove(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = text_of(params, "name");
    struct guest *g = guest_find(umld, name);
    struct guest_wait wait = {.goal = GOAL_REMOVED, .timeout_ms = STOP_TIMEOUT_MS};
    struct um_error err;
    char object[96];

    if (!g) {
        api_reply(call, json_pack("{s:b}", "changed", 0));
        return;
    }
    if (!revision_fits(g, call, params))
        return;
    if (flag_of(params, "force") && !is_down(g)) {
        verb(g, call, GUEST_U_KILL, true, &wait);
        return;
    }
    if (g->state != GUEST_STOPPED && g->state != GUEST_FAILED) {
        um_fail(&err, UM_E_WRONG_STATE, guest_object(g, object, sizeof(object)), NULL,
                "cannot be removed: it is %s", guest_state_info(g->state)->name);
        um_hint(&err, "stop it first: umlctl stop %s, or: umlctl remove --force %s", name, name);
        api_reply_error(call, &err);
        return;
    }
    guest_remove(g);
    api_reply(call, json_pack("{s:b}", "changed", 1));
}

void api_guest_reboot(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_REBOOTED,
                              .timeout_ms = timeout_of(params, START_TIMEOUT_MS)};

    if (!g)
        return;
    if (guest_next(g->state, GUEST_U_REBOOT).defined)
        verb(g, call, GUEST_U_REBOOT, true, &wait);
    else
        refuse(g, call, "reboot",
               g->state == GUEST_PAUSED ? "resume it first: umlctl resume %s"
                                        : "start it: umlctl start %s");
}

void api_guest_pause(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_PAUSED, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (g->state == GUEST_PAUSED || guest_next(g->state, GUEST_U_PAUSE).defined)
        verb(g, call, GUEST_U_PAUSE, g->state != GUEST_PAUSED, &wait);
    else
        refuse(g, call, "pause", NULL);
}

void api_guest_resume(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {.goal = GOAL_RUNNING, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (!guest_next(g->state, GUEST_U_RESUME).defined) {
        refuse(g, call, "resume", NULL);
        return;
    }
    /* Sent in any case: a pause may be under way, or its kernel was stopped by somebody else. */
    wait.changed = g->state != GUEST_RUNNING || strcmp(g->asked, "pause") == 0;
    guest_post(g, GUEST_U_RESUME);
    guest_wait_add(g, call, &wait);
}

void api_guest_wait(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *condition = text_of(params, "condition");
    struct guest_wait wait = {
        .goal = GOAL_STATE, .timeout_ms = timeout_of(params, 3600000), .reply_guest = true};
    struct um_error err;

    if (!g)
        return;
    if (strcmp(condition, "ready") == 0) {
        wait.goal = GOAL_READY;
    } else if (strcmp(condition, "exit") == 0) {
        wait.goal = GOAL_STOPPED;
    } else if (!guest_state_from_name(condition, &wait.state)) {
        um_fail(&err, UM_E_INVALID, "wait", "condition", "\"%.40s\" is no state", condition);
        um_hint(&err, "use ready, exit or a state: stopped, booting, running, paused, failed, ...");
        api_reply_error(call, &err);
        return;
    }
    guest_wait_add(g, call, &wait);
}

void api_guest_reset_failed(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    struct guest_wait wait = {
        .goal = GOAL_STATE, .state = GUEST_STOPPED, .timeout_ms = VERB_TIMEOUT_MS};

    if (!g)
        return;
    if (g->state == GUEST_FAILED)
        verb(g, call, GUEST_U_CLEAR, true, &wait);
    else
        api_reply(call,
                  json_pack("{s:b,s:s}", "changed", 0, "state", guest_state_info(g->state)->name));
}

static bool wanted_device(const struct device *d, const char *only)
{
    char name[32];

    return !only || strcmp(device_name(d, name, sizeof(name)), only) == 0;
}

void api_guest_config(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct guest *g = guest_of_call(umld, call, params);
    const char *only = text_of(params, "device");
    json_t *values = json_array();
    struct um_error err;
    char name[32], object[96];

    if (!g) {
        json_decref(values);
        return;
    }
    for (size_t i = 0; i < g->def.device_count; i++) {
        const struct device *d = &g->def.devices[i];

        if (wanted_device(d, only))
            json_array_append_new(values, json_pack("{s:s,s:s,s:s}", "device",
                                                    device_name(d, name, sizeof(name)), "value",
                                                    d->text, "where", "stored"));
    }
    if (only && !json_array_size(values)) {
        json_decref(values);
        um_fail(&err, UM_E_NOT_FOUND, guest_object(g, object, sizeof(object)), "device",
                "it has no device \"%.40s\"", only);
        um_hint(&err, "see: umlctl config %s", g->def.name);
        api_reply_error(call, &err);
        return;
    }
    api_reply(call, json_pack("{s:o}", "values", values));
}
