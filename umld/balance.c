#include "umld/balance.h"

#include "umld/guest.h"
#include "umld/process.h"
#include "umld/settings.h"
#include "vmcore/base/clock.h"
#include "vmcore/base/log.h"
#include "vmcore/guest/placement.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 256 };
#define TICK_NS (5 * UM_SEC_NS)

struct guest_load {
    int64_t id;
    int64_t ticks;    /* CPU time of main at the last tick, clock ticks */
    unsigned settled; /* balancer ticks since it was placed */
    int cpu;
};

struct balance {
    struct umld *umld;
    struct um_timer *timer;
    struct placement_state state;
    int cpu_count;
    int cpus[CPUS_MAX]; /* those this process may use */
    int64_t busy[CPUS_MAX], total[CPUS_MAX];
    struct guest_load *loads;
    size_t load_count, load_room;
};

static void tick(void *arg);

struct balance *balance_new(struct umld *umld)
{
    struct balance *b = calloc(1, sizeof(*b));
    cpu_set_t set;

    if (!b)
        return NULL;
    b->umld = umld;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE && b->cpu_count < CPUS_MAX; cpu++)
            if (CPU_ISSET((size_t)cpu, &set))
                b->cpus[b->cpu_count++] = cpu;
    b->timer = um_timer_new(umld->loop, tick, b);
    if (b->timer)
        um_timer_arm(b->timer, TICK_NS);
    return b;
}

void balance_free(struct balance *b)
{
    if (!b)
        return;
    um_timer_free(b->timer);
    free(b->loads);
    free(b);
}

/* Busy share of each CPU since the last call, in 1/1000 (proc(5), /proc/stat: idle is field 4 and
 * 5). */
static void read_cpus(struct balance *b, struct placement_cpu *ret)
{
    FILE *f = fopen("/proc/stat", "re");
    char line[512];

    for (int i = 0; i < b->cpu_count; i++)
        ret[i] = (struct placement_cpu){.cpu = b->cpus[i]};
    while (f && fgets(line, sizeof(line), f)) {
        long long v[8] = {0};
        int cpu, n = sscanf(line, "cpu%d %lld %lld %lld %lld %lld %lld %lld %lld", &cpu, &v[0],
                            &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);

        for (int i = 0; n == 9 && i < b->cpu_count; i++) {
            int64_t idle = v[3] + v[4], total = 0, busy;

            if (b->cpus[i] != cpu)
                continue;
            for (int k = 0; k < 8; k++)
                total += v[k];
            busy = total - idle;
            if (b->total[i] && total > b->total[i])
                ret[i].busy = (unsigned)((busy - b->busy[i]) * 1000 / (total - b->total[i]));
            b->busy[i] = busy;
            b->total[i] = total;
        }
    }
    if (f)
        fclose(f);
}

struct count {
    struct placement_cpu *cpus;
    int n;
};

static void count_pinned(struct guest *g, void *arg)
{
    struct count *c = arg;

    for (int i = 0; i < c->n; i++)
        if (g->cpu == c->cpus[i].cpu)
            c->cpus[i].pinned++;
}

int balance_choose(const struct guest *g)
{
    struct balance *b = g->umld->balance;
    struct placement_cpu cpus[CPUS_MAX];
    struct count count = {cpus, b->cpu_count};

    if (!settings_int(g->umld, SETTING_PINNING) || !g->def.pinned)
        return -1;
    for (int i = 0; i < b->cpu_count; i++)
        cpus[i] = (struct placement_cpu){.cpu = b->cpus[i]};
    guest_each(g->umld, count_pinned, &count);
    return placement_choose(&b->state, cpus, (size_t)b->cpu_count);
}

static struct guest_load *load_of(struct balance *b, const struct guest *g)
{
    for (size_t i = 0; i < b->load_count; i++)
        if (b->loads[i].id == g->id)
            return &b->loads[i];
    if (b->load_count == b->load_room) {
        size_t room = b->load_room ? b->load_room * 2 : 32;
        struct guest_load *loads = realloc(b->loads, room * sizeof(*loads));

        if (!loads)
            return NULL;
        b->loads = loads;
        b->load_room = room;
    }
    b->loads[b->load_count] = (struct guest_load){.id = g->id, .cpu = g->cpu};
    return &b->loads[b->load_count++];
}

static void forget_the_dead(struct balance *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->load_count; i++) {
        struct guest *g = guest_by_id(b->umld, b->loads[i].id);

        if (g && g->main_pid)
            b->loads[kept++] = b->loads[i];
    }
    b->load_count = kept;
}

static void move(struct balance *b, const struct placement_move *m)
{
    struct guest *g = guest_by_id(b->umld, (int64_t)m->id);
    struct mon_pin pin = {.cpu = m->cpu};

    if (!g || !monitor_ask(g, MON_PIN, &pin, sizeof(pin), NULL, NULL, NULL))
        return;
    um_log(UM_LOG_DEBUG, "guest %s: host CPU %d -> %d", g->def.name, g->cpu, m->cpu);
    g->cpu = m->cpu;
    for (size_t i = 0; i < b->load_count; i++)
        if (b->loads[i].id == g->id)
            b->loads[i].settled = 0;
}

static size_t collect(struct balance *b, struct placement_guest *ret, size_t max)
{
    long hz = sysconf(_SC_CLK_TCK);
    size_t n = 0;

    for (int i = 0; i < guest_count(b->umld) && n < max; i++) {
        struct guest *g = guest_list(b->umld, i);
        struct guest_load *l = g->main_pid && !g->removed ? load_of(b, g) : NULL;
        int64_t ticks;

        if (!l)
            continue;
        /* The kernel half of the guest, which its user half shadows. */
        ticks = process_cpu_ticks(g->main_pid);
        ret[n++] = (struct placement_guest){
            .id = (uint64_t)g->id,
            .cpu = g->cpu,
            .load = l->ticks ? (unsigned)((ticks - l->ticks) * 1000 * UM_SEC_NS / hz / TICK_NS) : 0,
            .pinnable = g->def.pinned && settings_int(b->umld, SETTING_PINNING),
            .ticks = l->settled++};
        l->ticks = ticks;
    }
    return n;
}

static void tick(void *arg)
{
    struct balance *b = arg;
    struct placement_cpu cpus[CPUS_MAX];
    struct count count = {cpus, b->cpu_count};
    size_t max = (size_t)guest_count(b->umld), n, moves_count;
    struct placement_guest *guests = calloc(max + 1, sizeof(*guests));
    struct placement_move *moves = calloc(max + 1, sizeof(*moves));

    um_timer_arm(b->timer, TICK_NS);
    read_cpus(b, cpus);
    guest_each(b->umld, count_pinned, &count);
    if (guests && moves) {
        forget_the_dead(b);
        n = collect(b, guests, max);
        moves_count =
            placement_balance(&b->state, cpus, (size_t)b->cpu_count, guests, n, moves, max);
        for (size_t i = 0; i < moves_count; i++)
            move(b, &moves[i]);
        /* The setting or the definition was changed while they ran. */
        for (size_t i = 0; i < n; i++)
            if (!guests[i].pinnable && guests[i].cpu >= 0)
                move(b, &(struct placement_move){.id = guests[i].id, .cpu = -1});
    }
    free(guests);
    free(moves);
}
