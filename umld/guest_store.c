/*
 * Guests in the database: definition, devices, and the columns that say how they are.
 */
#include "mconsole/wire.h"
#include "umld/db.h"
#include "umld/guest.h"
#include "umld/stranger.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"

#include <stdlib.h>
#include <string.h>

bool guest_store_definition(struct guest *g, bool fresh)
{
    struct db *db = g->umld->db;
    json_t *json = guest_definition_json(&g->def);
    char *text = json_dumps(json, JSON_COMPACT), name[32];
    bool ok;

    json_decref(json);
    if (!text)
        return false;
    if (fresh) {
        ok = db_run(db, DBQ_GUEST_INSERT, g->def.name, text, g->created_ns);
        g->id = db_last_id(db);
    } else {
        ok = db_run(db, DBQ_GUEST_DEFINE, text, g->revision, g->id) &&
             db_run(db, DBQ_DEVICE_CLEAR, g->id);
    }
    free(text);
    for (size_t i = 0; ok && i < g->def.device_count; i++) {
        const struct device *d = &g->def.devices[i];

        ok = db_run(db, DBQ_DEVICE_INSERT, g->id, (int64_t)i, device_name(d, name, sizeof(name)),
                    d->text, d->kind == DEVICE_UBD && d->ubd.origin ? d->ubd.origin : "");
    }
    return ok;
}

void guest_store(struct guest *g)
{
    /* What the daemon before this one knew still holds while the monitor is being asked. */
    enum guest_state state = g->state == GUEST_ADOPTING ? g->adopting_from : g->state;
    char health[MCONSOLE_DATA_MAX + 16];

    g->dirty = false;
    if (!g->id)
        return;
    if (!db_run(g->umld->db, DBQ_GUEST_STATE, guest_state_info(state)->name, (int64_t)g->ready,
                (int64_t)g->boot, g->kernel_path ? g->kernel_path : "", (int64_t)g->monitor_pid,
                g->monitor_start, um_clock_boot_id(), g->start_ns, g->exit_ns,
                (int64_t)g->wait_status, g->cause ? g->cause : "", (int64_t)g->failures,
                (int64_t)g->restarts, g->asked, (int64_t)g->uid, (int64_t)g->early_ends,
                g->next_start_ns, (int64_t)g->rung, g->rung_ns, g->rung_until_ns, g->id) ||
        !db_run(g->umld->db, DBQ_GUEST_WANT, (int64_t)g->want_up, g->id) ||
        !db_run(g->umld->db, DBQ_GUEST_SIGNALS, guest_health_text(g, health, sizeof(health)),
                (int64_t)g->hung, g->id))
        g->dirty = true;
}

static char *text_or_null(const char *s)
{
    return s[0] ? strdup(s) : NULL;
}

struct load {
    struct umld *umld;
};

/* autostart: with the host, not with the daemon. That one is stopped and wanted starts it. */
static void start_with_host(struct guest *g)
{
    if (!g->def.autostart || !g->host_restarted)
        return;
    g->state = GUEST_STOPPED;
    g->want_up = g->insists = true;
    g->failures = g->early_ends = 0;
    free(g->cause);
    g->cause = NULL;
}

static bool load_row(const struct db_row *row, void *arg)
{
    static const char *const asked[] = {"pause", "resume", "reboot", "start"};
    struct load *load = arg;
    json_t *json = json_loads(db_row_text(row, 2), 0, NULL);
    struct guest_definition def = GUEST_DEFINITION_INIT;
    struct um_error errors[4];
    size_t count = 0;
    struct guest *g;

    if (!json ||
        !guest_definition_from_json(json, NULL, 0, &def, errors, UM_ARRAY_LEN(errors), &count) ||
        !(g = guest_new(load->umld, &def)) || !guests_add(load->umld->guests, g)) {
        um_log(UM_LOG_ERROR, "guest %s: stored definition cannot be read: %s", db_row_text(row, 1),
               count ? errors[0].message : "not JSON");
        load->umld->unread_guests++;
        json_decref(json);
        return true;
    }
    json_decref(json);
    g->id = db_row_int(row, 0);
    g->revision = db_row_int(row, 3);
    g->created_ns = db_row_int(row, 4);
    g->want_up = db_row_int(row, 5) != 0;
    if (!guest_state_from_name(db_row_text(row, 6), &g->state))
        g->state = GUEST_STOPPED;
    g->ready = db_row_int(row, 7) != 0;
    g->boot = (uint64_t)db_row_int(row, 8);
    g->kernel_path = text_or_null(db_row_text(row, 9));
    if (strcmp(db_row_text(row, 12), um_clock_boot_id()) == 0) {
        g->monitor_pid = (pid_t)db_row_int(row, 10);
        g->monitor_start = db_row_int(row, 11);
    } else {
        g->host_restarted = db_row_text(row, 12)[0];
    }
    g->start_ns = db_row_int(row, 13);
    g->exit_ns = db_row_int(row, 14);
    g->wait_status = (int)db_row_int(row, 15);
    g->cause = text_or_null(db_row_text(row, 16));
    g->failures = (unsigned)db_row_int(row, 17);
    g->restarts = (unsigned)db_row_int(row, 18);
    for (size_t i = 0; i < UM_ARRAY_LEN(asked); i++)
        if (strcmp(db_row_text(row, 19), asked[i]) == 0)
            g->asked = asked[i];
    g->uid = (uid_t)db_row_int(row, 20);
    g->early_ends = (unsigned)db_row_int(row, 21);
    g->next_start_ns = db_row_int(row, 22);
    g->rung = (int)db_row_int(row, 23);
    g->rung_ns = db_row_int(row, 24);
    g->rung_until_ns = db_row_int(row, 25);
    start_with_host(g);
    return true;
}

static bool load_signals(const struct db_row *row, void *arg)
{
    struct guest *g = guest_by_id(arg, db_row_int(row, 0));

    if (g) {
        guest_health_load(g, db_row_text(row, 1));
        g->hung = db_row_int(row, 2) != 0;
    }
    return true;
}

static bool load_origin(const struct db_row *row, void *arg)
{
    struct guest *g = guest_by_id(arg, db_row_int(row, 0));

    for (size_t i = 0; g && i < g->def.device_count; i++) {
        struct device *d = &g->def.devices[i];
        char name[32];

        if (d->kind == DEVICE_UBD &&
            strcmp(device_name(d, name, sizeof(name)), db_row_text(row, 1)) == 0) {
            free(d->ubd.origin);
            d->ubd.origin = strdup(db_row_text(row, 2));
        }
    }
    return true;
}

enum um_code guests_load(struct umld *umld, struct um_error *err)
{
    struct load load = {.umld = umld};

    if (db_each(umld->db, DBQ_GUEST_ALL, load_row, &load) < 0 ||
        db_each(umld->db, DBQ_GUEST_SIGNALS_ALL, load_signals, umld) < 0 ||
        db_each(umld->db, DBQ_DEVICE_ORIGINS, load_origin, umld) < 0 || !strangers_load(umld))
        return um_fail(err, UM_E_BAD_CONFIG, umld->paths.state_dir, NULL,
                       "guests cannot be read from the database");
    return UM_OK;
}
