/*
 * Staggered boots: a bounded number of guests boots at a time, the others wait in the order in
 * which they were created. What is called may give up; then the call goes on to the next.
 */
#include "umld/guest.h"

bool guest_slot_take(struct guest *g, int limit)
{
    if (!g->has_slot && g->umld->booting >= limit) {
        g->wants_slot = true;
        return false;
    }
    if (!g->has_slot)
        g->umld->booting++;
    g->has_slot = true;
    g->wants_slot = false;
    return true;
}

void guest_slots_offer(struct umld *umld, int limit)
{
    int free_places = limit - umld->booting;

    for (int i = 0; i < guest_count(umld) && free_places > 0; i++) {
        struct guest *g = guest_list(umld, i);

        if (!g->wants_slot || g->state != GUEST_PREPARING)
            continue;
        guest_effect(g, EFFECT_PREPARE);
        free_places--;
    }
}

void guest_slot_release(struct guest *g)
{
    /* One that was called and gives up passes its call on. */
    bool passes = g->has_slot || g->wants_slot;

    g->umld->booting -= g->has_slot;
    g->has_slot = g->wants_slot = false;
    if (passes)
        guest_slots_offer(g->umld, guest_boot_places(g->umld));
}
