/*
 * Host CPUs and guests: measures, asks vmcore/guest/placement.h, tells umlmon. Every few seconds.
 */
#ifndef UMLD_BALANCE_H
#define UMLD_BALANCE_H

#include "umld/umld.h"

struct guest;

struct balance *balance_new(struct umld *umld) um_check;
void balance_free(struct balance *b);

/* Host CPU for a guest about to start, -1: none (setting off, definition, saturated host). */
int balance_choose(const struct guest *g) um_nonnull(1);

#endif
