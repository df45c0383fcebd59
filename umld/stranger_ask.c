/*
 * What a stranger's kernel tells of itself, one question after the other on a lane of its own: its
 * guest may not be one yet. The first question is whether it answers at all.
 */
#include "umld/stranger.h"

#include "mconsole/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_MS = 5000, EACH_MS = 2000 };

/* Devices a kernel may have, with as many numbers as are asked for. */
static const struct {
    const char *driver;
    int count; /* 0: it has no number */
} drivers[] = {{"mem", 0}, {"ubd", 16}, {"con", 16}, {"ssl", 16}, {"eth", 8}, {"vec", 8}};

struct question {
    struct umld *umld;
    struct mconsole_lane *lane;
    stranger_told_fn told;
    void *arg;
    char *version; /* NULL: not told yet */
    json_t *devices;
    size_t driver;
    int number;
    char name[16]; /* asked for now */
    struct question *next;
};

static void end(struct question *q, enum um_code code, const char *text)
{
    struct question **link = &q->umld->questions;

    while (*link && *link != q)
        link = &(*link)->next;
    if (*link)
        *link = q->next;
    q->told(q->umld, code, code ? text : q->version, code ? NULL : q->devices, q->arg);
    if (code)
        json_decref(q->devices);
    mconsole_lane_free(q->lane);
    free(q->version);
    free(q);
}

/* False: that was the last. */
static bool next_name(struct question *q)
{
    if (q->driver == UM_ARRAY_LEN(drivers))
        return false;
    if (drivers[q->driver].count)
        snprintf(q->name, sizeof(q->name), "%s%d", drivers[q->driver].driver, q->number);
    else
        snprintf(q->name, sizeof(q->name), "%s", drivers[q->driver].driver);
    if (++q->number >= drivers[q->driver].count) {
        q->number = 0;
        q->driver++;
    }
    return true;
}

/* A line with a number that is not connected to anything tells its type only: `xterm`, `pty`. */
static bool worth_telling(const char *name, const char *value)
{
    bool line = um_str_starts(name, "con") || um_str_starts(name, "ssl");

    return value[0] && strcmp(value, "none") != 0 &&
           (!line || strcmp(name, "con0") == 0 || strchr(value, ':'));
}

static void answered(enum um_code code, int32_t status, const char *text, size_t len, void *arg);

/* Nothing more that it could be asked, or it cannot be. */
static void ask_next(struct question *q)
{
    char command[32];
    struct um_error err;

    if (next_name(q)) {
        snprintf(command, sizeof(command), "config %s", q->name);
        if (mconsole_lane_send(q->lane, command, EACH_MS, 0, answered, q, &err) == UM_OK)
            return;
    }
    end(q, UM_OK, NULL);
}

static void answered(enum um_code code, um_unused int32_t status, const char *text, size_t len,
                     void *arg)
{
    struct question *q = arg;

    if (code == UM_E_CANCELLED)
        return; /* by end(), which has told it */
    if (!q->version) {
        if (code == UM_OK)
            q->version = strndup(text, len);
        if (!q->version)
            end(q, code ? code : UM_E_NO_RESOURCES, text);
        else
            ask_next(q);
        return;
    }
    if (code == UM_OK && worth_telling(q->name, text))
        json_object_set_new(q->devices, q->name, json_stringn(text, len));
    /* One that falls silent now may be busy: it has answered once, and that is enough. */
    if (code && code != UM_E_GUEST_ERROR)
        end(q, UM_OK, NULL);
    else
        ask_next(q);
}

enum um_code stranger_ask(struct umld *umld, const char *socket, stranger_told_fn told, void *arg,
                          struct um_error *err)
{
    struct question *q = calloc(1, sizeof(*q));
    enum um_code code = UM_E_NO_RESOURCES;

    if (q) {
        *q = (struct question){.umld = umld, .told = told, .arg = arg, .devices = json_object()};
        q->lane = mconsole_lane_new(umld->loop, NULL, "a", socket);
    }
    if (q && q->lane && q->devices)
        code = mconsole_lane_send(q->lane, "version", FIRST_MS, 0, answered, q, err);
    else
        um_fail(err, code, socket, NULL, "out of memory");
    if (code && q) {
        json_decref(q->devices);
        mconsole_lane_free(q->lane);
    }
    if (code) {
        free(q);
        return code;
    }
    q->next = umld->questions;
    umld->questions = q;
    return UM_OK;
}

void stranger_asks_end(struct umld *umld)
{
    while (umld->questions)
        end(umld->questions, UM_E_CANCELLED, "umld is ending");
}
