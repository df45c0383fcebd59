/*
 * The record of an adopted UML, and the monitor that watches it. Everything else about its guest is
 * as ever: where it is not, the other files ask for g->stranger.
 */
#include "umld/stranger.h"

#include "umld/db.h"
#include "umld/guest.h"
#include "umld/json_text.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/kv.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"
#include "vmcore/monitor/order.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { MONITORS_MAX = 5, DISMISS_MS = 2000 };

void stranger_free(struct stranger *s)
{
    if (!s)
        return;
    free(s->socket);
    free(s->version);
    free(s->why_not);
    json_decref(s->devices);
    um_buf_done(&s->ports);
    free(s);
}

void stranger_set_devices(struct stranger *s, json_t *devices)
{
    const json_t *value;
    const char *name;

    json_decref(s->devices);
    s->devices = devices;
    um_buf_done(&s->ports);
    /* UML, line.c: a line on a pts is told with the path of that. */
    json_object_foreach(devices, name, value)
    {
        const char *text = json_string_value(value);

        if (um_str_starts(text, "pts:/dev/"))
            um_kv_addf(&s->ports, name, "pts %s", text + strlen("pts:"));
    }
}

/* ---- stored ---- */

static void store(const struct guest *g)
{
    const struct stranger *s = g->stranger;
    char *devices = json_dumps(s->devices, JSON_COMPACT);

    if (devices)
        db_run(g->umld->db, DBQ_STRANGER_PUT, g->id, s->socket, (int64_t)s->pid, s->start,
               um_clock_boot_id(), (int64_t)s->uid, s->version, devices,
               s->why_not ? s->why_not : "");
    free(devices);
}

void guest_set_stranger(struct guest *g, struct stranger *s)
{
    g->stranger = s;
    free(g->kernel_path);
    g->kernel_path = g->def.kernel ? strdup(g->def.kernel) : NULL;
    store(g);
    guest_touch(g);
}

void guest_drop_stranger(struct guest *g)
{
    stranger_free(g->stranger);
    g->stranger = NULL;
    db_run(g->umld->db, DBQ_STRANGER_DELETE, g->id);
}

void guest_stranger_redefined(struct guest *g)
{
    if (!g->stranger || !g->stranger->why_not)
        return;
    free(g->stranger->why_not);
    g->stranger->why_not = NULL;
    store(g);
}

static bool load_row(const struct db_row *row, void *arg)
{
    struct guest *g = guest_by_id(arg, db_row_int(row, 0));
    json_t *devices = json_loads(db_row_text(row, 7), 0, NULL);
    struct stranger *s = g && devices ? calloc(1, sizeof(*s)) : NULL;

    if (s) {
        s->socket = strdup(db_row_text(row, 1));
        s->version = strdup(db_row_text(row, 6));
        s->why_not = db_row_text(row, 8)[0] ? strdup(db_row_text(row, 8)) : NULL;
    }
    if (!s || !s->socket || !s->version) {
        stranger_free(s);
        json_decref(devices);
        return true;
    }
    /* Of another boot of the host, the numbers are nobody's. */
    if (strcmp(db_row_text(row, 4), um_clock_boot_id()) == 0) {
        s->pid = (pid_t)db_row_int(row, 2);
        s->start = db_row_int(row, 3);
    }
    s->uid = (uid_t)db_row_int(row, 5);
    stranger_set_devices(s, devices);
    g->stranger = s;
    return true;
}

bool strangers_load(struct umld *umld)
{
    return db_each(umld->db, DBQ_STRANGER_ALL, load_row, umld) >= 0;
}

/* ---- its monitor ---- */

static enum um_code spawn_monitor(struct guest *g, struct um_error *err)
{
    const struct stranger *s = g->stranger;
    char path[GUEST_PATH_SIZE];
    struct um_buf order = UM_BUF_INIT;
    enum um_code code = guest_run_directory(g, err);

    um_kv_add(&order, ORDER_KEY_VERSION, ORDER_VERSION);
    um_kv_add(&order, ORDER_KEY_GUEST, g->def.name);
    um_kv_addf(&order, ORDER_KEY_BOOT, "%" PRIu64, g->boot);
    um_kv_add(&order, ORDER_KEY_SOCKET, guest_path(g, GUEST_PATH_SOCKET, path));
    um_kv_add(&order, ORDER_KEY_EXIT, guest_path(g, GUEST_PATH_EXIT, path));
    um_kv_addf(&order, ORDER_KEY_STRANGER, "%d %" PRId64, (int)s->pid, s->start);
    um_kv_add(&order, ORDER_KEY_MCONSOLE, s->socket);
    if (!code && order.failed)
        code = um_fail(err, UM_E_NO_RESOURCES, g->def.name, NULL, "out of memory");
    if (!code)
        code = guest_spawn_monitor(g, &order, false, err);
    um_buf_done(&order);
    return code;
}

void guest_watch_stranger(struct guest *g)
{
    struct um_error err;

    if (!g->stranger || !guest_state_info(g->state)->has_process)
        return;
    if (g->stranger->monitors++ == 0 && !g->start_ns)
        g->boot++;
    if (g->stranger->monitors > MONITORS_MAX)
        um_fail(&err, UM_E_INTERNAL, g->def.name, NULL, "%d of its monitors died", MONITORS_MAX);
    else if (spawn_monitor(g, &err) == UM_OK)
        return;
    um_log(UM_LOG_ERROR, "guest %s: cannot be watched: %s", g->def.name, err.message);
    guest_note_failure(g, POLICY_END_SPAWN, &err);
    guest_post(g, g->state == GUEST_ADOPTING ? GUEST_P_SPAWN_ERR : GUEST_P_EXITED);
}

bool guest_stranger_outlives_monitor(struct guest *g)
{
    if (!g->stranger || !stranger_lives(g->stranger))
        return false;
    guest_effect(g, EFFECT_WATCH);
    return true;
}

void guest_dismiss_monitor(struct guest *g)
{
    um_autofd pidfd = g->monitor_pid > 0 ? um_pidfd_open(g->monitor_pid) : -1;
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0 || um_clock_process_start(g->monitor_pid) != g->monitor_start)
        return;
    um_pidfd_signal(pidfd, SIGKILL);
    if (poll(&p, 1, DISMISS_MS) == 1)
        waitpid(g->monitor_pid, NULL, WNOHANG); /* a child of this daemon, or of one before it */
}

/* ---- what it tells after a reboot ---- */

struct asked {
    int64_t id;
};

static void told(struct umld *umld, enum um_code code, um_unused const char *version,
                 json_t *devices, void *arg)
{
    struct asked *a = arg;
    struct guest *g = guest_by_id(umld, a->id);

    free(a);
    if (code)
        return;
    if (!g || !g->stranger) {
        json_decref(devices);
        return;
    }
    stranger_set_devices(g->stranger, devices);
    store(g);
    guest_look(g);
}

void guest_ask_stranger(struct guest *g)
{
    struct asked *a = malloc(sizeof(*a));
    struct um_error err;

    if (!a)
        return;
    a->id = g->id;
    if (stranger_ask(g->umld, g->stranger->socket, told, a, &err))
        free(a);
}

/* ---- its next start ---- */

enum um_code guest_stranger_startable(const struct guest *g, struct um_error *err)
{
    const struct stranger *s = g->stranger;
    char object[96];

    if (!s)
        return UM_OK;
    guest_object(g, object, sizeof(object));
    if (stranger_lives(s)) {
        um_fail(err, UM_E_CONFLICT, object, NULL, "it still runs, as process %d, let go by umld",
                (int)s->pid);
        return um_hint(err, "umlctl remove %s; umlctl adopt %s", g->def.name, s->socket);
    }
    if (!s->why_not)
        return UM_OK;
    um_fail(err, UM_E_BAD_CONFIG, object, NULL,
            "it was adopted, and umld cannot start what it was started with: %s", s->why_not);
    return um_hint(err, "change its definition to what you want: umlctl config %s WORD ...",
                   g->def.name);
}

void guest_stranger_json(const struct guest *g, struct um_buf *b)
{
    const struct stranger *s = g->stranger;
    const json_t *value;
    const char *name;

    if (!s)
        return;
    json_text_key(b, "adopted", strlen("adopted"));
    json_text_open(b, '{');
    json_text_set_string(b, "socket", s->socket);
    json_text_set_int(b, "uid", (int64_t)s->uid);
    json_text_set_string(b, "version", s->version);
    json_text_set_string(b, "whyNot", s->why_not);
    json_text_key(b, "devices", strlen("devices"));
    json_text_open(b, '{');
    json_object_foreach(s->devices, name, value)
    {
        json_text_key(b, name, strlen(name));
        json_text_string(b, json_string_value(value), json_string_length(value));
    }
    json_text_close(b, '}');
    json_text_close(b, '}');
}
