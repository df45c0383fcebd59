/*
 * Staggered boots: a bounded number of guests boots at a time, the others wait in the order in
 * which they were created. What is called may give up; then the call goes on to the next.
 *
 * With a load ceiling nothing more is begun while the CPUs are busier than that, looked at again
 * every second; but one may always boot, or a host that is busy with other things would start none.
 */
#include "umld/guest.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"

static void look_again(void *arg)
{
    struct umld *umld = arg;

    guest_slots_offer(umld, guest_boot_places(umld));
}

static bool too_busy(struct guest *g)
{
    int64_t ceiling = settings_int(g->umld, SETTING_LOAD_CEILING);
    int pressure;

    if (ceiling == 0 || g->umld->booting == 0)
        return false;
    pressure = g->umld->cpu_pressure();
    if (pressure <= ceiling)
        return false;
    guest_set_doing(g, "waits: CPU pressure is %d%%, load-ceiling %d%%", pressure, (int)ceiling);
    if (!g->umld->load_timer)
        g->umld->load_timer = um_timer_new(g->umld->loop, look_again, g->umld);
    if (g->umld->load_timer && !um_timer_armed(g->umld->load_timer))
        um_timer_arm(g->umld->load_timer, UM_SEC_NS);
    return true;
}

bool guest_slot_take(struct guest *g, int limit)
{
    bool full = g->umld->booting >= limit;

    if (!g->has_slot && (full || too_busy(g))) {
        if (full)
            guest_set_doing(g, "waits: %d guests boot already, parallel-boots allows no more",
                            g->umld->booting);
        g->wants_slot = true;
        return false;
    }
    if (!g->has_slot)
        g->umld->booting++;
    g->has_slot = true;
    g->wants_slot = false;
    guest_clear_doing(g);
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
