/*
 * The set of networks and their rows in the database.
 */
#include "umld/db.h"
#include "umld/events.h"
#include "umld/network_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct networks *networks_new(struct umld *umld)
{
    struct networks *networks = calloc(1, sizeof(*networks));

    if (networks)
        networks->umld = umld;
    return networks;
}

static void close_all(struct network *n)
{
    network_disconnect(n);
    um_watch_free(n->pid_watch);
    um_timer_free(n->limit);
    um_timer_free(n->silence);
    um_fd_close(&n->pidfd);
    um_fd_close(&n->ctl_fd);
    um_fd_close(&n->links_fd);
    while (n->calls) {
        struct network_call *c = n->calls;

        n->calls = c->next;
        free(c);
    }
    network_macs_free(n);
    free(n->cause);
    free(n);
}

void networks_free(struct networks *networks)
{
    if (!networks)
        return;
    while (networks->list) {
        struct network *n = networks->list;

        networks->list = n->next;
        network_ports_answer(n, ECONNRESET, "umld ends");
        close_all(n);
    }
    network_ports_free(networks->umld);
    free(networks);
}

void network_free(struct network *n)
{
    struct network **link = &n->umld->networks->list;
    char path[NETWORK_PATH_SIZE];

    while (*link != n)
        link = &(*link)->next;
    *link = n->next;
    n->umld->networks->count--;
    um_remove_tree(network_path(n->umld, n->def.name, "", path));
    close_all(n);
}

struct network *network_find_any(struct umld *umld, const char *name)
{
    for (struct network *n = umld->networks->list; n; n = n->next)
        if (strcmp(n->def.name, name) == 0)
            return n;
    return NULL;
}

struct network *network_find(struct umld *umld, const char *name)
{
    struct network *n = network_find_any(umld, name);

    return n && !n->removed ? n : NULL;
}

bool network_ready(struct umld *umld, const char *name)
{
    const struct network *n = network_find(umld, name);

    return n && n->state == NETWORK_RUNNING;
}

const char *network_object(const char *name, char buf[96])
{
    snprintf(buf, 96, "network \"%.63s\"", name);
    return buf;
}

const char *network_path(const struct umld *umld, const char *name, const char *file,
                         char buf[NETWORK_PATH_SIZE])
{
    snprintf(buf, NETWORK_PATH_SIZE, "%s/n/%s%s%s", umld->paths.run_dir, name, file[0] ? "/" : "",
             file);
    return buf;
}

const char *network_links_path(const struct umld *umld, const char *name,
                               char buf[NETWORK_PATH_SIZE])
{
    return network_path(umld, name, "links", buf);
}

enum um_code network_paths_fit(const struct umld *umld, const char *name, struct um_error *err)
{
    size_t len = strlen(umld->paths.run_dir) + strlen("/n//links") + strlen(name);
    char object[96];

    if (len <= UM_SOCKET_PATH_MAX)
        return UM_OK;
    um_fail(err, UM_E_INVALID, network_object(name, object), "name",
            "its socket path %s/n/%s/links would be %zu bytes long, the limit is %d",
            umld->paths.run_dir, name, len, UM_SOCKET_PATH_MAX);
    return um_hint(err, "use a name %zu bytes shorter, or a shorter run directory",
                   len - UM_SOCKET_PATH_MAX);
}

enum um_code network_unknown(struct umld *umld, const char *name, const char *object,
                             const char *field, struct um_error *err)
{
    char known[200] = "";
    size_t used = 0;

    for (const struct network *n = umld->networks->list; n && used < sizeof(known) - 70;
         n = n->next)
        if (!n->removed)
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
                                     n->def.name);
    um_fail(err, UM_E_NOT_FOUND, object, field, "there is no network \"%.63s\"", name);
    if (used)
        return um_hint(err, "networks: %s; or make it: umlctl net create %.63s", known, name);
    return um_hint(err, "make it: umlctl net create %.63s", name);
}

static bool store(struct network *n, bool fresh)
{
    json_t *json = network_definition_json(&n->def);
    char *text = json_dumps(json, JSON_COMPACT);
    bool ok = text != NULL;

    json_decref(json);
    if (ok && fresh) {
        ok = db_run(n->umld->db, DBQ_NETWORK_INSERT, n->def.name, text, n->created_ns);
        n->id = db_last_id(n->umld->db);
    } else if (ok) {
        ok = db_run(n->umld->db, DBQ_NETWORK_DEFINE, text, n->revision, n->id);
    }
    free(text);
    return ok;
}

static void on_silence(void *arg)
{
    struct network *n = arg;

    network_condemn(n, "umlnetd (pid %d) did not answer for %d s", (int)n->pid, NETWORK_SILENCE_S);
}

static void on_limit(void *arg)
{
    struct network *n = arg;

    if (n->state == NETWORK_STARTING)
        network_set_cause(n, "umlnetd (pid %d) was not ready after %lld s", (int)n->pid,
                          (long long)network_state_info(n->state)->timeout_ms / 1000);
    network_post(n, NETWORK_T_EXPIRED);
}

struct network *network_new(struct umld *umld, const struct network_definition *def)
{
    struct network *n = calloc(1, sizeof(*n)), **link = &umld->networks->list;

    if (!n)
        return NULL;
    n->umld = umld;
    n->ctl_fd = n->links_fd = n->pidfd = n->fd = -1;
    n->queue_end = &n->queue;
    n->pending_end = &n->pending;
    n->limit = um_timer_new(umld->loop, on_limit, n);
    n->silence = um_timer_new(umld->loop, on_silence, n);
    if (!n->limit || !n->silence) {
        close_all(n);
        return NULL;
    }
    n->def = *def;
    while (*link)
        link = &(*link)->next;
    *link = n;
    umld->networks->count++;
    return n;
}

enum um_code network_create(struct umld *umld, const struct network_definition *def,
                            struct network **ret, struct um_error *err)
{
    struct network *n = network_new(umld, def);
    char object[96];

    if (!n)
        return um_fail(err, UM_E_NO_RESOURCES, network_object(def->name, object), NULL,
                       "out of memory");
    n->revision = 1;
    n->created_ns = um_clock_wall_ns();
    if (!store(n, true)) {
        um_fail(err, UM_E_NO_RESOURCES, network_object(n->def.name, object), NULL,
                "cannot be stored (see the daemon's log)");
        network_free(n);
        return UM_E_NO_RESOURCES;
    }
    events_emit(umld, "network.defined", n->def.name, NULL);
    um_log(UM_LOG_INFO, "network %s: defined", n->def.name);
    network_begin(n);
    *ret = n;
    return UM_OK;
}

enum um_code network_redefine(struct network *n, const struct network_definition *def,
                              struct um_error *err)
{
    struct network_definition old = n->def;
    char object[96], revision[24];

    n->def = *def;
    n->revision++;
    if (!store(n, false)) {
        n->def = old;
        n->revision--;
        return um_fail(err, UM_E_NO_RESOURCES, network_object(n->def.name, object), NULL,
                       "cannot be stored (see the daemon's log)");
    }
    snprintf(revision, sizeof(revision), "%" PRId64, n->revision);
    events_emit(n->umld, "network.changed", n->def.name, "revision", revision, NULL);
    um_log(UM_LOG_INFO, "network %s: changed", n->def.name);
    if (n->told)
        network_configure(n);
    return UM_OK;
}

void network_remove(struct network *n)
{
    db_run(n->umld->db, DBQ_NETWORK_DELETE, n->id);
    events_emit(n->umld, "network.removed", n->def.name, NULL);
    um_log(UM_LOG_INFO, "network %s: removed", n->def.name);
    n->removed = true;
    network_post(n, NETWORK_U_REMOVE);
}
