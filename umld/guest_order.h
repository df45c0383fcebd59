/*
 * The order of starts: a guest is prepared once all it depends on is ready (definition word
 * `depends`). What it depends on is wanted up by its start; only starts look at dependencies: a
 * guest that is up goes on whatever becomes of them.
 *
 *   not wanted up                        told to start (event guest.asked)
 *   on its way up, not ready, paused     waited for, no longer than the setting depend-seconds
 *   failed                               this start fails, too; a user's start or the host's first
 *                                        tries it again
 *   stopped while it was waited for      this start fails
 *   not defined                          this start fails
 *   a network that does not run yet      waited for in the same way; one that has failed: this
 * start fails
 *
 * Waiting takes no place among the booting guests.
 */
#ifndef UMLD_GUEST_ORDER_H
#define UMLD_GUEST_ORDER_H

#include "umld/guest.h"

/*
 * Would the definition make a circle with those of the other guests? Names that are not defined
 * (yet) lead nowhere. UM_E_INVALID names the circle.
 */
enum um_code guest_order_check(struct umld *umld, const struct guest_definition *def,
                               struct um_error *err) um_nonnull(1, 2) um_check;

/* Appends a text for each guest it depends on that is not defined. */
void guest_order_warn(struct umld *umld, const struct guest_definition *def, json_t *list)
    um_nonnull(1, 2, 3);

/*
 * Is everything defined that g depends on, directly or not, and that is not ready yet? Else
 * UM_E_BAD_CONFIG about the guest whose definition names it.
 */
enum um_code guest_order_known(const struct guest *g, struct um_error *err) um_nonnull(1) um_check;

/* How many guests depend on g directly; as many names as fit are put into names. */
int guest_order_needed_by(const struct guest *g, char *names, size_t size) um_nonnull(1, 2);

/*
 * Is g, which prepares, free to go on? False: it waits and EFFECT_PREPARE will come again, or its
 * start has failed.
 */
bool guest_order_met(struct guest *g) um_nonnull(1) um_check;
/* Its time limit passed while it waited. */
void guest_order_give_up(struct guest *g) um_nonnull(1);
/* It no longer waits: its state changes. */
void guest_order_forget(struct guest *g) um_nonnull(1);

/* Something happened to g: those that wait for it look again. */
void guest_order_changed(const struct guest *g) um_nonnull(1);
/* The definition of g is another one: if it waits, it looks again. */
void guest_order_defined(struct guest *g) um_nonnull(1);

#endif
