/*
 * The table. A process is only believed gone by P_DIED or P_WORN; a lost connection proves nothing.
 * What umlnetd is told or asked is never why it is left alone: one that does not answer is killed,
 * since nothing it holds is lost by that (docs/networks.md).
 */
#include "umld/network_state.h"

#define SEC 1000

static const struct network_state_info infos[NETWORK_STATE_COUNT] = {
    [NETWORK_STARTING] = {"starting", .timeout_ms = 20 * SEC},
    [NETWORK_RUNNING] = {"running", 0},
    /* Upper bound; NETWORK_ACT_ARM sets the delay. */
    [NETWORK_BACKOFF] = {"backoff", .timeout_ms = 60 * SEC},
    [NETWORK_FAILED] = {"failed", 0},
    [NETWORK_HANDOVER] = {"handover", .timeout_ms = 2 * SEC},
    [NETWORK_STOPPING] = {"stopping", .timeout_ms = 2 * SEC},
};

static const char *const event_names[NETWORK_EVENT_COUNT] = {
    [NETWORK_U_RESTART] = "U_RESTART", [NETWORK_U_REMOVE] = "U_REMOVE",
    [NETWORK_N_STATE] = "N_STATE",     [NETWORK_N_GOING] = "N_GOING",
    [NETWORK_N_LOST] = "N_LOST",       [NETWORK_N_BAD] = "N_BAD",
    [NETWORK_P_DIED] = "P_DIED",       [NETWORK_P_WORN] = "P_WORN",
    [NETWORK_T_EXPIRED] = "T_EXPIRED",
};

static const char *const action_names[NETWORK_ACTION_COUNT] = {
    [NETWORK_ACT_NONE] = "none",
    [NETWORK_ACT_SPAWN] = "spawn",
    [NETWORK_ACT_RENEW] = "renew",
    [NETWORK_ACT_CONNECT] = "connect",
    [NETWORK_ACT_CONFIGURE] = "configure",
    [NETWORK_ACT_UP] = "up",
    [NETWORK_ACT_HANDOVER] = "handover",
    [NETWORK_ACT_KILL] = "kill",
    [NETWORK_ACT_ARM] = "arm",
    [NETWORK_ACT_FAIL] = "fail",
    [NETWORK_ACT_END] = "end",
    [NETWORK_ACT_FREE] = "free",
};

#define TO(state, act)                                                                             \
    {                                                                                              \
        true, NETWORK_##state, NETWORK_ACT_##act                                                   \
    }

static const struct network_transition table[NETWORK_STATE_COUNT][NETWORK_EVENT_COUNT] =
    {
        [NETWORK_STARTING] =
            {
                [NETWORK_U_RESTART] = TO(STARTING, NONE),
                [NETWORK_U_REMOVE] = TO(STOPPING, END),
                [NETWORK_N_STATE] = TO(STARTING, CONFIGURE),
                [NETWORK_N_GOING] = TO(RUNNING, UP),
                [NETWORK_N_LOST] = TO(STARTING, KILL),
                [NETWORK_N_BAD] = TO(STARTING, KILL),
                [NETWORK_P_DIED] = TO(BACKOFF, ARM),
                [NETWORK_P_WORN] = TO(FAILED, FAIL),
                [NETWORK_T_EXPIRED] = TO(STARTING, KILL),
            },
        [NETWORK_RUNNING] =
            {
                [NETWORK_U_RESTART] = TO(HANDOVER, HANDOVER),
                [NETWORK_U_REMOVE] = TO(STOPPING, END),
                [NETWORK_N_LOST] = TO(STARTING, CONNECT),
                [NETWORK_N_BAD] = TO(STARTING, KILL),
                [NETWORK_P_DIED] = TO(BACKOFF, ARM),
                [NETWORK_P_WORN] = TO(FAILED, FAIL),
            },
        [NETWORK_BACKOFF] =
            {
                [NETWORK_U_RESTART] = TO(STARTING, RENEW),
                [NETWORK_U_REMOVE] = TO(STOPPING, FREE),
                [NETWORK_T_EXPIRED] = TO(STARTING, SPAWN),
            },
        [NETWORK_FAILED] =
            {
                [NETWORK_U_RESTART] = TO(STARTING, RENEW),
                [NETWORK_U_REMOVE] = TO(STOPPING, FREE),
            },
        [NETWORK_HANDOVER] =
            {
                [NETWORK_U_RESTART] = TO(HANDOVER, NONE),
                [NETWORK_U_REMOVE] = TO(STOPPING, END),
                [NETWORK_N_BAD] = TO(HANDOVER, KILL),
                [NETWORK_P_DIED] = TO(STARTING, RENEW),
                [NETWORK_P_WORN] = TO(STARTING, RENEW),
                [NETWORK_T_EXPIRED] = TO(HANDOVER, KILL),
            },
        [NETWORK_STOPPING] =
            {
                [NETWORK_U_REMOVE] = TO(STOPPING, NONE),
                [NETWORK_P_DIED] = TO(STOPPING, FREE),
                [NETWORK_P_WORN] = TO(STOPPING, FREE),
                [NETWORK_T_EXPIRED] = TO(STOPPING, KILL),
            },
};

const struct network_state_info *network_state_info(enum network_state s)
{
    return &infos[s];
}

const char *network_event_name(enum network_event e)
{
    return event_names[e];
}

struct network_transition network_next(enum network_state s, enum network_event e)
{
    if (table[s][e].defined)
        return table[s][e];
    return (struct network_transition){false, s, NETWORK_ACT_NONE};
}

void network_table_print(FILE *out)
{
    for (int s = 0; s < NETWORK_STATE_COUNT; s++)
        for (int e = 0; e < NETWORK_EVENT_COUNT; e++) {
            const struct network_transition *t = &table[s][e];

            if (t->defined)
                fprintf(out, "%s %s -> %s (%s)\n", infos[s].name, event_names[e],
                        infos[t->next].name, action_names[t->action]);
        }
}
