#include "umld/settings.h"

#include "schemas/api_rows.h"
#include "umld/db.h"
#include "umld/events.h"
#include "umld/guest.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_INT, KIND_SWITCH, KIND_SIZE, KIND_LEVEL };

static const struct {
    const char *name;
    enum kind kind;
    int64_t initial, min, max;
} rows[SETTING_COUNT] = {
    [SETTING_LOG_LEVEL] = {"log-level", KIND_LEVEL, UM_LOG_INFO, 0, UM_LOG_DEBUG},
    [SETTING_PINNING] = {"pinning", KIND_SWITCH, 1, 0, 1},
    [SETTING_BOOTS] = {"parallel-boots", KIND_INT, 0, 0, 1000},
    [SETTING_LOG_SIZE] = {"console-log-size", KIND_SIZE, 1 << 20, 4096, 1 << 30},
    [SETTING_LOG_PARTS] = {"console-log-parts", KIND_INT, 8, 1, 1000},
    [SETTING_BOOT_SECONDS] = {"boot-seconds", KIND_INT, 60, 1, 3600},
    [SETTING_EVENTS] = {"events-keep", KIND_INT, 100000, 1000, 10000000},
    [SETTING_EVENT_DAYS] = {"events-days", KIND_INT, 0, 0, 3650},
    [SETTING_STOP_SECONDS] = {"stop-seconds", KIND_INT, 20, 1, 600},
    [SETTING_SYNC_SECONDS] = {"sync-seconds", KIND_INT, 5, 1, 600},
    [SETTING_HALT_SECONDS] = {"halt-seconds", KIND_INT, 5, 1, 600},
    [SETTING_DEPEND_SECONDS] = {"depend-seconds", KIND_INT, 300, 1, 86400},
    [SETTING_LOAD_CEILING] = {"load-ceiling", KIND_INT, 0, 0, 100},
    [SETTING_HANG_SECONDS] = {"hang-seconds", KIND_INT, 30, 1, 3600},
};

struct settings {
    struct umld *umld;
    int64_t values[SETTING_COUNT];
};

static const char *format(int which, int64_t value, char *buf, size_t size)
{
    switch (rows[which].kind) {
    case KIND_SWITCH:
        return value ? "on" : "off";
    case KIND_LEVEL:
        return um_log_level_name((enum um_log_level)value);
    case KIND_SIZE:
        return um_format_size((uint64_t)value, buf, size);
    case KIND_INT:
        break;
    }
    snprintf(buf, size, "%" PRId64, value);
    return buf;
}

static bool parse(int which, const char *text, int64_t *ret)
{
    enum um_log_level level;
    uint64_t bytes;

    switch (rows[which].kind) {
    case KIND_SWITCH:
        *ret = strcmp(text, "on") == 0;
        return *ret || strcmp(text, "off") == 0;
    case KIND_LEVEL:
        if (!um_log_level_from_name(text, &level))
            return false;
        *ret = level;
        return true;
    case KIND_SIZE:
        if (!um_parse_size(text, &bytes) || bytes > INT64_MAX)
            return false;
        *ret = (int64_t)bytes;
        return *ret >= rows[which].min && *ret <= rows[which].max;
    case KIND_INT:
        break;
    }
    return um_parse_int(text, rows[which].min, rows[which].max, ret);
}

static int find(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

static bool load(const struct db_row *row, void *arg)
{
    struct settings *s = arg;
    int which = find(db_row_text(row, 0));
    int64_t value;

    if (which >= 0 && parse(which, db_row_text(row, 1), &value))
        s->values[which] = value;
    return true;
}

struct settings *settings_new(struct umld *umld)
{
    struct settings *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->umld = umld;
    for (int i = 0; i < SETTING_COUNT; i++)
        s->values[i] = rows[i].initial;
    s->values[SETTING_LOG_LEVEL] = um_log_get_level();
    db_each(umld->db, DBQ_SETTING_ALL, load, s);
    /* What the command line says holds for this run, whatever is stored. */
    if (umld->log_level_given)
        s->values[SETTING_LOG_LEVEL] = um_log_get_level();
    um_log_set_level((enum um_log_level)s->values[SETTING_LOG_LEVEL]);
    return s;
}

void settings_free(struct settings *s)
{
    free(s);
}

int64_t settings_int(const struct umld *umld, enum setting which)
{
    return umld->settings->values[which];
}

static void change(struct umld *umld, struct api_call *call, int which, const char *text)
{
    struct settings *s = umld->settings;
    char buf[32], low[32], high[32];
    struct um_error err;
    int64_t value;
    bool changed;

    if (!parse(which, text, &value)) {
        um_fail(&err, UM_E_INVALID, "settings", rows[which].name,
                "%s: \"%s\" is not a value from %s to %s", rows[which].name, text,
                format(which, rows[which].min, low, sizeof(low)),
                format(which, rows[which].max, high, sizeof(high)));
        api_reply_error(call, &err);
        return;
    }
    changed = value != s->values[which];
    if (changed && !api_call_dry(call)) {
        text = format(which, value, buf, sizeof(buf));
        s->values[which] = value;
        db_run(umld->db, DBQ_SETTING_PUT, rows[which].name, text);
        um_log_set_level((enum um_log_level)s->values[SETTING_LOG_LEVEL]);
        events_emit(umld, "setting.changed", rows[which].name, "value", text, NULL);
        events_limits_changed(umld->events);
        guest_slots_offer(umld, guest_boot_places(umld));
        um_log(UM_LOG_NOTICE, "setting %s: %s", rows[which].name, text);
    }
    api_reply(call, json_pack("{s:b}", "changed", changed));
}

void api_server_set(struct umld *umld, struct api_call *call, const json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    int which = find(name);
    struct um_error err;
    char known[256] = "";

    if (which >= 0) {
        change(umld, call, which, json_string_value(json_object_get(params, "value")));
        return;
    }
    for (int i = 0; i < SETTING_COUNT; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "",
                 rows[i].name);
    um_fail(&err, UM_E_NOT_FOUND, "settings", "name", "there is no setting \"%s\"", name);
    um_hint(&err, "settings are %s", known);
    api_reply_error(call, &err);
}

void api_server_set_log_level(struct umld *umld, struct api_call *call, const json_t *params)
{
    change(umld, call, SETTING_LOG_LEVEL, json_string_value(json_object_get(params, "level")));
}

void api_server_settings(struct umld *umld, struct api_call *call, um_unused const json_t *params)
{
    json_t *all = json_object();
    char buf[32];

    for (int i = 0; i < SETTING_COUNT; i++)
        json_object_set_new(all, rows[i].name,
                            json_string(format(i, umld->settings->values[i], buf, sizeof(buf))));
    api_reply(call, json_pack("{s:o}", "settings", all));
}
