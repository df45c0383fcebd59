/*
 * After a restart of umld: networks are read from the database; which umlnetd lives is in
 * R/n/NAME/pid, written before it ran. Rules:
 *
 *   it lives                           connected to; it gives back its listening sockets and is
 * told its configuration it does not, or has another        started; the sockets are made anew,
 * whoever wants to connect start time                         tries again a directory nobody knows
 * its umlnetd is killed, the directory removed
 */
#include "umld/db.h"
#include "umld/guest.h"
#include "umld/network_private.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/spawn.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool load_network(const struct db_row *row, void *arg)
{
    json_t *json = json_loads(db_row_text(row, 2), 0, NULL);
    struct network_definition def = {.hub = false};
    struct network *n = NULL;

    if (json) {
        network_definition_from_json(json, &def);
        n = network_new(arg, &def);
    }
    json_decref(json);
    if (!n) {
        um_log(UM_LOG_ERROR, "network %s: stored definition cannot be read", db_row_text(row, 1));
        return true;
    }
    n->id = db_row_int(row, 0);
    n->revision = db_row_int(row, 3);
    n->created_ns = db_row_int(row, 4);
    return true;
}

static bool load_port(const struct db_row *row, void *arg)
{
    return network_port_load(arg, db_row_int(row, 0), db_row_int(row, 1), db_row_text(row, 2));
}

static bool load_mac(const struct db_row *row, void *arg)
{
    struct umld *umld = arg;
    struct network *n = umld->networks->list;
    uint8_t mac[6];

    while (n && n->id != db_row_int(row, 0))
        n = n->next;
    return !n || !network_mac_parse(db_row_text(row, 1), mac) ||
           network_mac_add(n, mac, (unsigned)db_row_int(row, 2), db_row_int(row, 3));
}

enum um_code networks_load(struct umld *umld, struct um_error *err)
{
    if (db_each(umld->db, DBQ_NETWORK_ALL, load_network, umld) < 0 ||
        db_each(umld->db, DBQ_PORT_ALL, load_port, umld) < 0 ||
        db_each(umld->db, DBQ_NETWORK_MAC_ALL, load_mac, umld) < 0)
        return um_fail(err, UM_E_BAD_CONFIG, umld->paths.state_dir, NULL,
                       "networks cannot be read from the database");
    return UM_OK;
}

/* The umlnetd of a directory: its pidfd, -1: none lives. */
static int find_process(const struct umld *umld, const char *name, pid_t *ret_pid)
{
    char path[NETWORK_PATH_SIZE], *text = NULL;
    struct um_error err;
    size_t len;
    long long start = 0;
    int pid = 0, fd = -1;

    if (um_file_read(network_path(umld, name, "pid", path), 64, &text, &len, &err) == UM_OK &&
        sscanf(text, "%d %lld", &pid, &start) == 2 && pid > 1)
        fd = um_pidfd_open(pid);
    free(text);
    /* Asked now that the number cannot come to mean another process. */
    if (fd >= 0 && um_clock_process_start(pid) != start)
        um_fd_close(&fd);
    *ret_pid = pid;
    return fd;
}

static void end_process(int *pidfd)
{
    enum { LIMIT_MS = 2000 };
    struct pollfd p = {.fd = *pidfd, .events = POLLIN};

    if (um_pidfd_signal(*pidfd, SIGKILL))
        poll(&p, 1, LIMIT_MS);
    um_fd_close(pidfd);
}

static void sweep(struct umld *umld)
{
    char path[NETWORK_PATH_SIZE];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/n", umld->paths.run_dir);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        pid_t pid;
        int fd;

        if (entry->d_name[0] == '.' || network_find(umld, entry->d_name) ||
            strlen(entry->d_name) >= NETD_NAME_MAX)
            continue;
        fd = find_process(umld, entry->d_name, &pid);
        um_log(UM_LOG_NOTICE, "network %s: nobody knows it: what is left of it is removed",
               entry->d_name);
        if (fd >= 0)
            end_process(&fd);
        um_remove_tree(network_path(umld, entry->d_name, "", path));
    }
    if (dir)
        closedir(dir);
}

static void define_ports(struct guest *g, um_unused void *arg)
{
    network_guest_defined(g);
}

void networks_adopt(struct umld *umld)
{
    sweep(umld);
    guest_each(umld, define_ports, NULL);
    for (struct network *n = umld->networks->list; n; n = n->next) {
        pid_t pid;
        int fd = find_process(umld, n->def.name, &pid);

        n->found = fd >= 0;
        if (n->found) {
            network_watch(n, pid, fd);
            um_log(UM_LOG_INFO, "network %s: found alive (pid %d)", n->def.name, (int)pid);
        }
        network_begin(n);
    }
}
