#include "vmcore/guest/placement.h"

/* Is CPU a better place for a new guest than b? */
static bool better(const struct placement_cpu *a, unsigned a_pinned, const struct placement_cpu *b,
                   unsigned b_pinned)
{
    if (a_pinned != b_pinned)
        return a_pinned < b_pinned;
    if (a->busy != b->busy)
        return a->busy < b->busy;
    return a->cpu < b->cpu;
}

int placement_choose(const struct placement_state *st, const struct placement_cpu *cpus, size_t n)
{
    size_t best = 0;

    if (!n || (st && st->released))
        return -1;
    for (size_t i = 1; i < n; i++)
        if (better(&cpus[i], cpus[i].pinned, &cpus[best], cpus[best].pinned))
            best = i;
    return cpus[best].cpu;
}

static bool all_full(const struct placement_cpu *cpus, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cpus[i].busy <= PLACEMENT_FULL)
            return false;
    return true;
}

static unsigned mean_busy(const struct placement_cpu *cpus, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += cpus[i].busy;
    return (unsigned)(sum / n);
}

static size_t unpin_all(const struct placement_guest *guests, size_t n,
                        struct placement_move *moves, size_t max)
{
    size_t made = 0;

    for (size_t i = 0; i < n && made < max; i++)
        if (guests[i].cpu >= 0)
            moves[made++] = (struct placement_move){guests[i].id, -1};
    return made;
}

/* Guests already sent to a CPU in this tick. */
static unsigned sent_to(int cpu, const struct placement_move *moves, size_t n)
{
    unsigned count = 0;

    for (size_t i = 0; i < n; i++)
        count += moves[i].cpu == cpu;
    return count;
}

/* Give everybody without a place one, as placement_choose() would, one after the other. */
static size_t pin_homeless(const struct placement_cpu *cpus, size_t n_cpu,
                           const struct placement_guest *guests, size_t n_guest,
                           struct placement_move *moves, size_t max)
{
    size_t made = 0;

    for (size_t i = 0; i < n_guest && made < max; i++) {
        size_t best = 0;

        if (!guests[i].pinnable || guests[i].cpu >= 0)
            continue;
        for (size_t c = 1; c < n_cpu; c++)
            if (better(&cpus[c], cpus[c].pinned + sent_to(cpus[c].cpu, moves, made), &cpus[best],
                       cpus[best].pinned + sent_to(cpus[best].cpu, moves, made)))
                best = c;
        moves[made++] = (struct placement_move){guests[i].id, cpus[best].cpu};
    }
    return made;
}

/*
 * One guest from the busiest to the idlest CPU: the one whose load comes nearest to half their
 * difference, so that the move cannot just turn the picture round.
 */
static size_t move_one(const struct placement_cpu *cpus, size_t n_cpu,
                       const struct placement_guest *guests, size_t n_guest,
                       struct placement_move *moves)
{
    const struct placement_cpu *high = &cpus[0], *low = &cpus[0];
    const struct placement_guest *best = NULL;
    unsigned gap, best_error = 0;

    for (size_t i = 1; i < n_cpu; i++) {
        if (cpus[i].busy > high->busy)
            high = &cpus[i];
        if (cpus[i].busy < low->busy)
            low = &cpus[i];
    }
    gap = high->busy - low->busy;
    if (gap < PLACEMENT_UNEVEN)
        return 0;
    for (size_t i = 0; i < n_guest; i++) {
        const struct placement_guest *g = &guests[i];
        unsigned error = g->load > gap / 2 ? g->load - gap / 2 : gap / 2 - g->load;

        if (!g->pinnable || g->cpu != high->cpu || g->ticks < PLACEMENT_SETTLED || !g->load ||
            g->load >= gap)
            continue;
        if (!best || error < best_error) {
            best = g;
            best_error = error;
        }
    }
    if (!best)
        return 0;
    moves[0] = (struct placement_move){best->id, low->cpu};
    return 1;
}

size_t placement_balance(struct placement_state *st, const struct placement_cpu *cpus, size_t n_cpu,
                         const struct placement_guest *guests, size_t n_guest,
                         struct placement_move *moves, size_t max)
{
    size_t made;

    if (!n_cpu || !max)
        return 0;
    if (!st->released && all_full(cpus, n_cpu))
        st->released = true;
    else if (st->released && mean_busy(cpus, n_cpu) < PLACEMENT_CALM)
        st->released = false;
    if (st->released)
        return unpin_all(guests, n_guest, moves, max);
    made = pin_homeless(cpus, n_cpu, guests, n_guest, moves, max);
    return made ? made : move_one(cpus, n_cpu, guests, n_guest, moves);
}
