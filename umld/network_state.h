/*
 * The states of a network: a table [state][event] = {next, action}, as of guests
 * (vmcore/guest/state.h). Pure; network_machine.c owns the actions. Conditions are never guards:
 * who posts an event has looked at them (NETWORK_P_DIED or NETWORK_P_WORN).
 */
#ifndef UMLD_NETWORK_STATE_H
#define UMLD_NETWORK_STATE_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum network_state {
    NETWORK_STARTING, /* umlnetd is being started or found, and told its configuration */
    NETWORK_RUNNING,  /* it takes links */
    NETWORK_BACKOFF,  /* it died, and waits to be started again */
    NETWORK_FAILED,   /* it died too often: needs a user */
    NETWORK_HANDOVER, /* umlnetd was told to end, for another one to take over */
    NETWORK_STOPPING, /* the network was removed; umlnetd ends */
    NETWORK_STATE_COUNT
};

enum network_event {
    NETWORK_U_RESTART,
    NETWORK_U_REMOVE,
    NETWORK_N_STATE, /* connected, and its first message has come */
    NETWORK_N_GOING, /* configured */
    NETWORK_N_LOST,  /* the connection broke: proves nothing, the process may live */
    NETWORK_N_BAD,  /* it says what cannot be understood, refuses its configuration, or is silent */
    NETWORK_P_DIED, /* its process has ended, or could not be started */
    NETWORK_P_WORN, /* the same, once too often */
    NETWORK_T_EXPIRED, /* this state's time limit */
    NETWORK_EVENT_COUNT
};

enum network_action {
    NETWORK_ACT_NONE,
    NETWORK_ACT_SPAWN,     /* start one; what was counted of deaths holds */
    NETWORK_ACT_RENEW,     /* start one; deaths are forgotten */
    NETWORK_ACT_CONNECT,   /* connect to it again */
    NETWORK_ACT_CONFIGURE, /* tell the whole configuration */
    NETWORK_ACT_UP,        /* announce; guests that wait for it go on */
    NETWORK_ACT_HANDOVER,  /* ask it to end gently */
    NETWORK_ACT_KILL,
    NETWORK_ACT_ARM,  /* announce its death; wait as long as the number of deaths says */
    NETWORK_ACT_FAIL, /* announce; who waits is told */
    NETWORK_ACT_END,  /* SIGTERM */
    NETWORK_ACT_FREE, /* nothing is left of it */
    NETWORK_ACTION_COUNT
};

struct network_transition {
    bool defined;
    enum network_state next;
    enum network_action action;
};

struct network_state_info {
    const char *name;
    int64_t timeout_ms; /* 0: no limit */
};

const struct network_state_info *network_state_info(enum network_state s);
const char *network_event_name(enum network_event e);

/* Undefined cells give {false, s, NETWORK_ACT_NONE}. */
struct network_transition network_next(enum network_state s, enum network_event e);

/* One `STATE EVENT -> NEXT (action)` per defined cell: tests/golden/network_table.txt. */
void network_table_print(FILE *out) um_nonnull(1);

#endif
