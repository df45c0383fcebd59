/*
 * io.umld.Guest.Adopt: which process that is, then its own answers, then a guest that is stored,
 * and a monitor for it. What is true is looked at once more when the answers are there: meanwhile
 * it may have died, and the name or the UML been taken.
 */
#include "schemas/api_rows.h"
#include "umld/api_params.h"
#include "umld/guest.h"
#include "umld/stranger.h"
#include "vmcore/base/fd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADOPT_TIMEOUT_MS = 15000 };

struct adoption {
    struct umld *umld;
    uint64_t call_id;
    struct stranger *stranger; /* NULL: its guest's by now */
    int pidfd;                 /* says whether it still lives when the answers are there */
    char *name;
};

static void adoption_free(struct adoption *a)
{
    stranger_free(a->stranger);
    um_fd_close(&a->pidfd);
    free(a->name);
    free(a);
}

struct search {
    const struct stranger *stranger;
    struct guest *found;
};

static void look_at(struct guest *g, void *arg)
{
    struct search *s = arg;

    /* Or about to be adopted, by a call of this round. */
    if (g->stranger && (guest_state_info(g->state)->has_process || g->inbox_count) &&
        g->stranger->pid == s->stranger->pid && g->stranger->start == s->stranger->start)
        s->found = g;
}

static json_t *adopted_reply(const struct guest *g, bool changed)
{
    return json_pack("{s:o,s:b}", "guest", guest_json(g), "changed", changed);
}

/* What is there already: the goal is met, or in the way. True: the call was answered. */
static bool settled(struct adoption *a, struct api_call *call)
{
    struct search s = {.stranger = a->stranger};
    struct um_error err;
    char object[96];

    guest_each(a->umld, look_at, &s);
    if (s.found && strcmp(s.found->def.name, a->name) == 0) {
        if (api_call_dry(call))
            api_reply(call, adopted_reply(s.found, false));
        else
            guest_wait_add(
                s.found, call,
                &(struct guest_wait){.goal = GOAL_ADOPTED, .timeout_ms = ADOPT_TIMEOUT_MS});
        return true;
    }
    if (s.found) {
        um_fail(&err, UM_E_CONFLICT, a->stranger->socket, "socket", "is adopted already, as %s",
                guest_object(s.found, object, sizeof(object)));
        um_hint(&err, "see: umlctl show %s", s.found->def.name);
        api_reply_error(call, &err);
        return true;
    }
    if (!guest_find(a->umld, a->name))
        return false;
    snprintf(object, sizeof(object), "guest \"%.63s\"", a->name);
    um_fail(&err, UM_E_EXISTS, object, "name", "the name is taken");
    um_hint(&err, "choose another with --name, or remove that one: umlctl remove %s", a->name);
    api_reply_error(call, &err);
    return true;
}

/* dryRun: as it would be shown. */
static void would(struct adoption *a, struct api_call *call, const struct guest_definition *def)
{
    struct guest guest = {.umld = a->umld,
                          .def = *def,
                          .stranger = a->stranger,
                          .wait_status = -1,
                          .cpu = -1,
                          .asked = ""};

    api_reply(call, adopted_reply(&guest, true));
}

static enum um_code begin(struct adoption *a, struct api_call *call, struct guest_definition *def,
                          struct um_error *err)
{
    struct guest_wait wait = {
        .goal = GOAL_ADOPTED, .timeout_ms = ADOPT_TIMEOUT_MS, .changed = true};
    enum um_code code;
    struct guest *g;
    char by[24];

    code = guest_create(a->umld, def, &g, err);
    if (code)
        return code;
    guest_set_stranger(g, a->stranger);
    a->stranger = NULL;
    snprintf(by, sizeof(by), "%u", (unsigned)api_call_uid(call));
    guest_ask(g, GUEST_U_ADOPT, by);
    guest_wait_add(g, call, &wait);
    return UM_OK;
}

static enum um_code carry_out(struct adoption *a, struct api_call *call, struct um_error *err)
{
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct pollfd p = {.fd = a->pidfd, .events = POLLIN};
    enum um_code code;

    if (poll(&p, 1, 0) != 0)
        return um_fail(err, UM_E_NOT_RUNNING, a->stranger->socket, "socket",
                       "its kernel ended while it was being adopted");
    code = stranger_define(a->stranger, a->name, &def, err);
    if (code)
        return code;
    if (api_call_dry(call))
        would(a, call, &def);
    else
        code = begin(a, call, &def, err);
    guest_definition_done(&def);
    return code;
}

static void told(struct umld *umld, enum um_code code, const char *version, json_t *devices,
                 void *arg)
{
    struct adoption *a = arg;
    struct api_call *call = api_call_find(umld->server, a->call_id);
    struct um_error err;

    if (code && call) {
        um_fail(&err, code, a->stranger->socket, "socket", "its kernel does not answer: %s",
                version && version[0] ? version : um_code_info(code)->wire);
        um_hint(&err, "one that hangs cannot be adopted; see: uml_mconsole %s version",
                a->stranger->socket);
        api_reply_error(call, &err);
    } else if (!code) {
        stranger_set_devices(a->stranger, devices);
        a->stranger->version = strdup(version);
        if (call && !settled(a, call) && carry_out(a, call, &err))
            api_reply_error(call, &err);
    }
    adoption_free(a);
}

/* The first look, and the question. UM_OK: answered, or told() will do it and free a. */
static enum um_code look(struct adoption *a, struct api_call *call, const char *socket,
                         struct um_error *err)
{
    enum um_code code = stranger_find(socket, &a->stranger, &a->pidfd, err);

    if (code)
        return code;
    if (!settled(a, call))
        return stranger_ask(a->umld, a->stranger->socket, told, a, err);
    adoption_free(a);
    return UM_OK;
}

void api_guest_adopt(struct umld *umld, struct api_call *call, const json_t *params)
{
    struct adoption *a = calloc(1, sizeof(*a));
    char *name = strdup(params_text(params, "name", ""));
    struct um_error err;

    if (!a || !name) {
        free(a);
        free(name);
        um_fail(&err, UM_E_NO_RESOURCES, "umld", NULL, "out of memory");
        api_reply_error(call, &err);
        return;
    }
    *a = (struct adoption){.umld = umld, .call_id = api_call_id(call), .pidfd = -1, .name = name};
    if (look(a, call, params_text(params, "socket", ""), &err)) {
        api_reply_error(call, &err);
        adoption_free(a);
    }
}
