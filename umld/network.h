/*
 * Managed networks as the rest of the daemon sees them: each is a row of the database and a program
 * umlnetd that runs as long as the network exists, whatever happens to umld (docs/networks.md).
 *
 * Files: network.c (the set, rows of the database), network_state.c (the table of states),
 * network_machine.c (its actions), network_spawn.c (sockets, process), network_link.c (the
 * connection to umlnetd), network_send.c (its configuration), network_adopt.c (after a restart of
 * umld), network_port.c (ports), network_guest.c (what guests' definitions want of networks).
 *
 * A *port* is one net device of a guest's definition. Its number is chosen when the definition
 * first names it and is kept for as long as guest and device are: counters and fixed addresses
 * follow it. Ports follow definitions by themselves (guest_create(), guest_redefine(),
 * guest_remove() tell); who changes a guest that runs calls network_port_set() only to know when
 * umlnetd has it.
 */
#ifndef UMLD_NETWORK_H
#define UMLD_NETWORK_H

#include "umld/umld.h"
#include "vmcore/guest/definition.h"

struct guest;
struct networks;

/* Room for network_links_path(); paths of networks there are fit a socket's address. */
#define NETWORK_PATH_SIZE 256

/* errnum 0: umlnetd has the port as it was told. Else what text says; ECONNRESET: umlnetd is gone
 * and its successor will be told anyway. Called exactly once, never from within the asking call. */
typedef void (*network_done_fn)(struct umld *umld, int errnum, const char *text, void *arg);

/*
 * The port of a net device d of g, which may be new or changed: stored, and told to umlnetd at
 * once. Links of it are not touched. done may be NULL. If the network does not run now, done is
 * called once it does, or has failed. On failure nothing was changed and done is not called.
 * Errors: UM_E_NOT_FOUND (no such network; the hint names those there are), UM_E_NO_RESOURCES (no
 * more ports).
 */
enum um_code network_port_set(struct guest *g, const struct device *d, network_done_fn done,
                              void *arg, struct um_error *err) um_nonnull(1, 2) um_check;
/* device: as in the definition (`net0`). Its link ends. Without such a port nothing happens. */
void network_port_drop(struct guest *g, const char *device) um_nonnull(1, 2);

/* Is its umlnetd configured and taking links? */
bool network_ready(struct umld *umld, const char *name) um_nonnull(1, 2);

/*
 * Of the first network that a net device of g names and that does not run: its name and why; NULL:
 * all run. *ret_lost: it has failed, and nobody is going to start it.
 */
const char *network_missing(const struct guest *g, char *why, size_t size, bool *ret_lost)
    um_nonnull(1, 2, 4);
/* UM_E_NOT_FOUND when a net device of def names no network there is, with those there are. */
enum um_code network_check_devices(struct umld *umld, const struct guest_definition *def,
                                   struct um_error *err) um_nonnull(1, 2) um_check;
/* The ports of g become what its definition says. */
void network_guest_defined(struct guest *g) um_nonnull(1);
void network_guest_removed(struct guest *g) um_nonnull(1);

/* The daemon's set. */
struct networks *networks_new(struct umld *umld) um_nonnull(1) um_check;
void networks_free(struct networks *networks); /* umlnetds go on */

/* R/n/NAME/links, where umlmon offers links. Good for networks that do not exist, too. */
const char *network_links_path(const struct umld *umld, const char *name,
                               char buf[NETWORK_PATH_SIZE]) um_nonnull(1, 2, 3);

#endif
