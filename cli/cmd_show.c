#include "cli/commands.h"
#include "cli/select.h"
#include "cli/show.h"
#include "cli/targets.h"
#include "cli/text.h"
#include "schemas/api_names.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <string.h>

static void field(const char *name, const char *value)
{
    char clean[4200];

    if (value)
        printf("  %-12s %s\n", name, um_str_clean(value, clean, sizeof(clean)));
}

static void list_field(const char *name, const json_t *list)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        field(i == 0 ? name : "", json_string_value(v));
    }
}

/* {"stop": "reason"} as `stop: reason`, with the separator given. */
static void map_field(const char *name, const char *separator, json_t *map)
{
    const char *key;
    const json_t *v;
    char text[1024];

    json_object_foreach(map, key, v)
    {
        snprintf(text, sizeof(text), "%s%s%s", key, separator, json_string_value(v));
        field(name, text);
    }
}

static void bool_field(const json_t *o, const char *key)
{
    if (text_has(o, key))
        field(key, text_bool(o, key, false) ? "yes" : "no");
}

static void int_field(const json_t *o, const char *key, const char *name)
{
    char text[32];

    if (!text_has(o, key))
        return;
    snprintf(text, sizeof(text), "%lld", (long long)text_int(o, key, 0));
    field(name, text);
}

static void time_field(const json_t *o, const char *key, const char *name)
{
    char text[64];

    if (text_has(o, key))
        field(name, text_when(text_get(o, key, NULL), text, sizeof(text)));
}

void show_definition(const json_t *d)
{
    char text[1024];

    field("kernel", text_get(d, "kernel", NULL));
    list_field("devices", json_object_get(d, "devices"));
    list_field("cmdline", json_object_get(d, "cmdline"));
    field("restart", text_get(d, "restart", NULL));
    field("hang", text_get(d, "hang", NULL));
    snprintf(text, sizeof(text), "%s%s%s", text_get(d, "ready", ""),
             text_has(d, "readyPattern") ? ": " : "", text_get(d, "readyPattern", ""));
    field("ready", text_has(d, "ready") ? text : NULL);
    bool_field(d, "autostart");
    bool_field(d, "trusted");
    bool_field(d, "sandbox");
    bool_field(d, "pinned");
    int_field(d, "owner", "owner");
    list_field("depends", json_object_get(d, "depends"));
    map_field("protected", ": ", json_object_get(d, "protect"));
    map_field("limit", "=", json_object_get(d, "limits"));
    map_field("label", "=", json_object_get(d, "labels"));
}

void show_warnings(struct cli *cli, const json_t *reply)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(reply, "warnings"), i, v)
    {
        fflush(stdout);
        cli_note(cli, "%s", json_string_value(v));
    }
}

/* Of a guest that will change its state by itself: what it waits for. */
static const char *show_doing(const json_t *r, char *buf, size_t size)
{
    int64_t next = text_time(text_get(r, "nextStartAt", NULL)),
            left = next - um_clock_wall_ns() / UM_SEC_NS;
    char wait[32];

    if (next >= 0)
        snprintf(buf, size, "; starts again in %s",
                 text_duration(left > 0 ? left : 0, wait, sizeof(wait)));
    else
        snprintf(buf, size, "%s%s", text_has(r, "doing") ? ": " : "", text_get(r, "doing", ""));
    return buf;
}

const char *show_state(const json_t *r, char *buf, size_t size)
{
    const char *state = text_get(r, "state", "?"), *cause = text_get(r, "cause", ""),
               *failing = text_get(r, "healthText", "");
    bool ready = text_bool(r, "ready", false), hung = strcmp(text_get(r, "watch", ""), "hung") == 0;
    bool ill = strcmp(text_get(r, "health", ""), "failing") == 0, down = !text_has(r, "pid");
    char doing[400];

    /* Of somebody else's: until umld starts it itself, but running or not is what counts. */
    const char *adopted = !down && text_has(r, "adopted") ? ", adopted" : "";

    if (down)
        snprintf(buf, size, "%s%s%s%s%s", state, ready ? ", ready" : "", cause[0] ? ": " : "",
                 cause, show_doing(r, doing, sizeof(doing)));
    else
        snprintf(buf, size, "%s%s%s%s%s%s%s%s%s", state, adopted, ready ? ", ready" : "",
                 hung ? ", not answering" : "", ill ? ", failing" : "",
                 ill && failing[0] ? " (" : "", ill ? failing : "", ill && failing[0] ? ")" : "",
                 show_doing(r, doing, sizeof(doing)));
    return buf;
}

int64_t show_uptime(const json_t *r)
{
    int64_t started = text_time(text_get(r, "startedAt", NULL));

    if (!text_has(r, "pid") || started < 0)
        return -1;
    return um_clock_wall_ns() / UM_SEC_NS - started;
}

/* What the guest says, and whether its kernel answers. */
static void show_health(const json_t *r)
{
    json_t *metrics = json_object_get(r, "metrics"), *value;
    const char *key, *why = text_get(r, "healthText", "");
    char text[1200];

    snprintf(text, sizeof(text), "%s%s%s", text_get(r, "health", ""), why[0] ? ": " : "", why);
    field("health", text_has(r, "health") ? text : NULL);
    field("kernel is", text_get(r, "watch", NULL));
    json_object_foreach(metrics, key, value)
    {
        snprintf(text, sizeof(text), "%s %.15g", key, json_number_value(value));
        field("metric", text);
    }
    if (text_int(r, "notifyDropped", 0) > 0)
        int_field(r, "notifyDropped", "dropped");
    if (text_int(r, "notifyBad", 0) > 0)
        int_field(r, "notifyBad", "bad lines");
}

static void show_adopted(const json_t *a)
{
    json_t *devices = json_object_get(a, "devices"), *value;
    const char *key;
    char text[1200];

    field("adopted", text_get(a, "socket", NULL));
    int_field(a, "uid", "uid");
    field("version", text_get(a, "version", NULL));
    json_object_foreach(devices, key, value)
    {
        snprintf(text, sizeof(text), "%s=%s", key, json_string_value(value));
        field("has", text);
    }
    field("no start", text_get(a, "whyNot", NULL));
}

void show_guest(const json_t *guest)
{
    const json_t *d = json_object_get(guest, "definition"), *r = json_object_get(guest, "runtime");
    char text[1024];

    printf("guest %s\n", text_get(d, "name", "?"));
    show_definition(d);
    time_field(guest, "createdAt", "created");
    int_field(guest, "revision", "revision");
    puts("\nnow");
    field("state", show_state(r, text, sizeof(text)));
    field("wanted", text_get(r, "want", NULL));
    int_field(r, "pid", "pid");
    int_field(r, "monitorPid", "monitor pid");
    int_field(r, "bootNumber", "boot");
    field("kernel", text_get(r, "kernel", NULL));
    int_field(r, "cpu", "cpu");
    int_field(r, "uid", "uid");
    show_adopted(json_object_get(r, "adopted"));
    if (show_uptime(r) >= 0)
        field("uptime", text_duration(show_uptime(r), text, sizeof(text)));
    time_field(r, "startedAt", "started");
    time_field(r, "kernelUpAt", "kernel up");
    time_field(r, "readyAt", "ready at");
    time_field(r, "exitedAt", "exited");
    int_field(r, "exitStatus", "exit status");
    int_field(r, "exitSignal", "exit signal");
    field("cause", text_get(r, "cause", NULL));
    field("says", text_get(r, "status", NULL));
    show_health(r);
    if (text_int(r, "restarts", 0) > 0)
        int_field(r, "restarts", "restarts");
    int_field(r, "failures", "failures");
    time_field(r, "nextStartAt", "next start");
}

/* A terminal of the host has a path only while the guest runs. */
static void show_terminals(struct cli *cli, const char *name)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    const json_t *console;
    char text[256];
    size_t i;

    if (cli_call(cli, API_CONSOLE_LIST, text_named(name), CLI_SHORT_MS, &reply) == UM_OK)
        json_array_foreach(json_object_get(reply.params, "consoles"), i, console)
        {
            if (!text_has(console, "path"))
                continue;
            snprintf(text, sizeof(text), "%s is %s", text_get(console, "device", "?"),
                     text_get(console, "path", "?"));
            field("terminal", text);
        }
    client_reply_done(&reply);
}

static void tell(struct cli *cli, const char *name, const json_t *reply)
{
    show_guest(json_object_get(reply, "guest"));
    show_terminals(cli, name);
    if (cli->several)
        putchar('\n');
}

static const struct targets_verb verb = {
    .method = API_GUEST_GET,
    .doing = "asking",
    .default_ms = CLI_SHORT_MS,
    .tell = tell,
};

const struct command command_show = {
    .name = "show",
    .usage = "GUEST ...",
    .summary = "Show guests' definitions and what they do now",
    .group = GROUP_GUESTS,
    .words = WORDS_GUESTS,
    .options = select_options,
    .max_words = -1,
    .verb = &verb,
};
