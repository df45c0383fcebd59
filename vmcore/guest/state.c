/*
 * The table. Every cell was thought about; what is not here is refused (users) or dropped (others).
 *
 * Three things that are easy to get wrong:
 * - A process is only believed gone by GUEST_P_EXITED or GUEST_A_GONE, or when it never came to be
 *   (GUEST_P_SPAWN_ERR). A lost connection to the monitor proves nothing: connect again, and if
 *   there is nothing to connect to, the caller looks at the exit record and the process tree and
 *   posts GUEST_P_EXITED.
 * - Wishes that cannot be followed at once are kept as the desired state (WANT_UP, WANT_DOWN) and
 *   policy.c reads it when the guest has been released; after ATTACH the caller compares it too.
 * - The time limit starts anew whenever its own expiry keeps the state (KILLING).
 */
#include "vmcore/guest/state.h"

#include <assert.h>
#include <string.h>

#define SEC 1000

static const struct guest_state_info infos[GUEST_STATE_COUNT] = {
    [GUEST_STOPPED] = {"stopped", .stable = true, .editable = true},
    /* Holds a first probe of the kernel, which is itself a guest that boots. */
    [GUEST_PREPARING] = {"preparing", .timeout_ms = 120 * SEC},
    [GUEST_BOOTING] = {"booting", .timeout_ms = 60 * SEC, .has_process = true},
    [GUEST_RUNNING] = {"running", .has_process = true, .stable = true},
    [GUEST_PAUSED] = {"paused", .has_process = true, .stable = true},
    [GUEST_STOPPING] = {"stopping", .timeout_ms = 30 * SEC, .has_process = true},
    [GUEST_KILLING] = {"killing", .timeout_ms = 5 * SEC, .has_process = true},
    [GUEST_RELEASING] = {"releasing", .timeout_ms = 10 * SEC},
    /* Upper bound; GUEST_ACT_ARM sets the delay policy.c chose. */
    [GUEST_BACKOFF] = {"backoff", .timeout_ms = 60 * SEC, .editable = true},
    [GUEST_FAILED] = {"failed", .stable = true, .editable = true},
    [GUEST_ADOPTING] = {"adopting", .timeout_ms = 5 * SEC, .has_process = true},
};

static const struct {
    const char *name, *words;
} events[GUEST_EVENT_COUNT] = {
    [GUEST_U_START] = {"U_START", "a start was asked for"},
    [GUEST_U_STOP] = {"U_STOP", "a stop was asked for"},
    [GUEST_U_KILL] = {"U_KILL", "it was to be killed"},
    [GUEST_U_PAUSE] = {"U_PAUSE", "a pause was asked for"},
    [GUEST_U_RESUME] = {"U_RESUME", "it was asked to go on"},
    [GUEST_U_REBOOT] = {"U_REBOOT", "a reboot was asked for"},
    [GUEST_U_KEEP] = {"U_KEEP", "the stop was taken back"},
    [GUEST_U_ADOPT] = {"U_ADOPT", "it was adopted"},
    [GUEST_U_LEAVE] = {"U_LEAVE", "it was let go"},
    [GUEST_U_CLEAR] = {"U_CLEAR", "its failure was cleared"},
    [GUEST_R_READY] = {"R_READY", "everything it needs is there"},
    [GUEST_R_ERROR] = {"R_ERROR", "something it needs is not there"},
    [GUEST_R_DONE] = {"R_DONE", "nothing is left of it"},
    [GUEST_R_RETRY] = {"R_RETRY", "nothing is left of it, and it is started again"},
    [GUEST_R_FAIL] = {"R_FAIL", "nothing is left of it, and it is not started again"},
    [GUEST_M_UP] = {"M_UP", "its kernel is up"},
    [GUEST_M_READY] = {"M_READY", "it is ready"},
    [GUEST_M_PANIC] = {"M_PANIC", "its kernel panicked"},
    [GUEST_M_PAUSED] = {"M_PAUSED", "its kernel has stopped"},
    [GUEST_M_WANT_HALT] = {"M_WANT_HALT", "it asked to be halted"},
    [GUEST_M_WANT_REBOOT] = {"M_WANT_REBOOT", "it asked to be rebooted"},
    [GUEST_T_HUNG] = {"T_HUNG", "its kernel does not answer"},
    [GUEST_M_RESUMED] = {"M_RESUMED", "its kernel goes on"},
    [GUEST_N_LOST] = {"N_LOST", "its monitor is gone"},
    [GUEST_P_EXITED] = {"P_EXITED", "its processes have ended"},
    [GUEST_P_SPAWN_ERR] = {"P_SPAWN_ERR", "it could not be started"},
    [GUEST_T_EXPIRED] = {"T_EXPIRED", "its time for that was up"},
    [GUEST_A_BOOTING] = {"A_BOOTING", "the daemon found it booting"},
    [GUEST_A_ALIVE] = {"A_ALIVE", "the daemon found it running"},
    [GUEST_A_PAUSED] = {"A_PAUSED", "the daemon found it paused"},
    [GUEST_A_GONE] = {"A_GONE", "the daemon found it gone"},
};

static const char *const action_names[GUEST_ACTION_COUNT] = {
    [GUEST_ACT_NONE] = "none",
    [GUEST_ACT_REFUSE] = "refuse",
    [GUEST_ACT_PREPARE] = "prepare",
    [GUEST_ACT_SPAWN] = "spawn",
    [GUEST_ACT_CANCEL] = "cancel",
    [GUEST_ACT_NOTE] = "note",
    [GUEST_ACT_UP] = "up",
    [GUEST_ACT_READY] = "ready",
    [GUEST_ACT_REBOOTED] = "rebooted",
    [GUEST_ACT_SEND_STOP] = "send_stop",
    [GUEST_ACT_SEND_GO] = "send_go",
    [GUEST_ACT_PAUSED] = "paused",
    [GUEST_ACT_RESUMED] = "resumed",
    [GUEST_ACT_HALT] = "halt",
    [GUEST_ACT_GO_AND_HALT] = "go_and_halt",
    [GUEST_ACT_SEND_REBOOT] = "send_reboot",
    [GUEST_ACT_HALT_NOW] = "halt_now",
    [GUEST_ACT_KILL] = "kill",
    [GUEST_ACT_KILL_HARDER] = "kill_harder",
    [GUEST_ACT_RELEASE] = "release",
    [GUEST_ACT_REPORT_LEAK] = "report_leak",
    [GUEST_ACT_STOPPED] = "stopped",
    [GUEST_ACT_ARM] = "arm",
    [GUEST_ACT_FAILED] = "failed",
    [GUEST_ACT_WANT_UP] = "want_up",
    [GUEST_ACT_WANT_DOWN] = "want_down",
    [GUEST_ACT_KEPT] = "kept",
    [GUEST_ACT_REATTACH] = "reattach",
    [GUEST_ACT_ATTACH] = "attach",
    [GUEST_ACT_WATCH] = "watch",
    [GUEST_ACT_LEAVE] = "leave",
};

#define GO(state, action)                                                                          \
    {                                                                                              \
        true, GUEST_##state, GUEST_ACT_##action                                                    \
    }

/* clang-format off */
static const struct guest_transition table[GUEST_STATE_COUNT][GUEST_EVENT_COUNT] = {
    [GUEST_STOPPED] = {
        [GUEST_U_START] = GO(PREPARING, PREPARE),
        [GUEST_U_STOP] = GO(STOPPED, NONE),
        [GUEST_U_KILL] = GO(STOPPED, NONE),
        [GUEST_U_ADOPT] = GO(ADOPTING, WATCH),
        [GUEST_U_CLEAR] = GO(STOPPED, NONE),
    },
    [GUEST_PREPARING] = {
        [GUEST_U_START] = GO(PREPARING, NONE),
        [GUEST_U_STOP] = GO(RELEASING, CANCEL),
        [GUEST_U_KILL] = GO(RELEASING, CANCEL),
        [GUEST_R_READY] = GO(BOOTING, SPAWN),
        [GUEST_R_ERROR] = GO(RELEASING, RELEASE),
        [GUEST_T_EXPIRED] = GO(RELEASING, CANCEL),
    },
    [GUEST_BOOTING] = {
        [GUEST_U_START] = GO(BOOTING, NONE),
        /* Nothing answers before kernel-up, and no disk is open yet: killing is the way to stop. */
        [GUEST_U_STOP] = GO(KILLING, KILL),
        [GUEST_U_KILL] = GO(KILLING, KILL),
        [GUEST_M_UP] = GO(RUNNING, UP),
        [GUEST_M_READY] = GO(BOOTING, READY),
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        [GUEST_N_LOST] = GO(BOOTING, REATTACH),
        [GUEST_P_SPAWN_ERR] = GO(RELEASING, RELEASE),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
        [GUEST_T_EXPIRED] = GO(KILLING, KILL),
    },
    [GUEST_RUNNING] = {
        [GUEST_U_START] = GO(RUNNING, NONE),
        [GUEST_U_STOP] = GO(STOPPING, HALT),
        [GUEST_U_KILL] = GO(KILLING, KILL),
        [GUEST_U_PAUSE] = GO(RUNNING, SEND_STOP),
        /* A pause may be under way, or the stop came from elsewhere. */
        [GUEST_U_RESUME] = GO(RUNNING, SEND_GO),
        [GUEST_U_REBOOT] = GO(RUNNING, SEND_REBOOT),
        [GUEST_U_LEAVE] = GO(RELEASING, LEAVE),
        [GUEST_M_UP] = GO(RUNNING, REBOOTED),
        [GUEST_M_READY] = GO(RUNNING, READY),
        /* The kernel prints its dump and aborts by itself; what is left is killed at the limit. */
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        /* As if its owner had asked. In any other state they mean nothing: it is going down anyway. */
        [GUEST_M_WANT_HALT] = GO(STOPPING, HALT),
        [GUEST_M_WANT_REBOOT] = GO(RUNNING, SEND_REBOOT),
        [GUEST_M_PAUSED] = GO(PAUSED, PAUSED),
        [GUEST_M_RESUMED] = GO(RUNNING, RESUMED),
        [GUEST_N_LOST] = GO(RUNNING, REATTACH),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
        /* Asked for nothing: it would not answer. */
        [GUEST_T_HUNG] = GO(KILLING, KILL),
    },
    [GUEST_PAUSED] = {
        [GUEST_U_STOP] = GO(STOPPING, GO_AND_HALT),
        [GUEST_U_KILL] = GO(KILLING, KILL),
        [GUEST_U_PAUSE] = GO(PAUSED, NONE),
        [GUEST_U_RESUME] = GO(PAUSED, SEND_GO),
        [GUEST_U_LEAVE] = GO(RELEASING, LEAVE),
        /* It can only have rebooted if somebody else let it go. */
        [GUEST_M_UP] = GO(RUNNING, REBOOTED),
        [GUEST_M_READY] = GO(PAUSED, READY),
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        [GUEST_M_PAUSED] = GO(PAUSED, NONE),
        [GUEST_M_RESUMED] = GO(RUNNING, RESUMED),
        [GUEST_N_LOST] = GO(PAUSED, REATTACH),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
    },
    [GUEST_STOPPING] = {
        [GUEST_U_START] = GO(STOPPING, WANT_UP),
        [GUEST_U_STOP] = GO(STOPPING, WANT_DOWN),
        [GUEST_U_KILL] = GO(KILLING, KILL),
        /* Before anything but Ctrl-Alt-Del: what its init makes of that is its own affair. */
        [GUEST_U_KEEP] = GO(RUNNING, KEPT),
        [GUEST_U_LEAVE] = GO(RELEASING, LEAVE),
        [GUEST_M_UP] = GO(STOPPING, HALT_NOW),
        [GUEST_M_READY] = GO(STOPPING, NONE),
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        [GUEST_M_PAUSED] = GO(STOPPING, NONE),
        [GUEST_M_RESUMED] = GO(STOPPING, NONE),
        [GUEST_N_LOST] = GO(STOPPING, REATTACH),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
        [GUEST_T_EXPIRED] = GO(KILLING, KILL),
    },
    [GUEST_KILLING] = {
        [GUEST_U_START] = GO(KILLING, WANT_UP),
        [GUEST_U_STOP] = GO(KILLING, WANT_DOWN),
        [GUEST_U_KILL] = GO(KILLING, KILL_HARDER),
        [GUEST_M_UP] = GO(KILLING, NONE),
        [GUEST_M_READY] = GO(KILLING, NONE),
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        [GUEST_M_PAUSED] = GO(KILLING, NONE),
        [GUEST_M_RESUMED] = GO(KILLING, NONE),
        [GUEST_N_LOST] = GO(KILLING, REATTACH),
        /* Killed while the monitor was still starting the kernel. */
        [GUEST_P_SPAWN_ERR] = GO(RELEASING, RELEASE),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
        [GUEST_T_EXPIRED] = GO(KILLING, KILL_HARDER),
    },
    [GUEST_RELEASING] = {
        [GUEST_U_START] = GO(RELEASING, WANT_UP),
        [GUEST_U_STOP] = GO(RELEASING, WANT_DOWN),
        [GUEST_U_KILL] = GO(RELEASING, WANT_DOWN),
        [GUEST_R_DONE] = GO(STOPPED, STOPPED),
        [GUEST_R_RETRY] = GO(BACKOFF, ARM),
        [GUEST_R_FAIL] = GO(FAILED, FAILED),
        /* The monitor's end is seen twice: its record and its connection. */
        [GUEST_N_LOST] = GO(RELEASING, NONE),
        [GUEST_P_EXITED] = GO(RELEASING, NONE),
        [GUEST_T_EXPIRED] = GO(FAILED, REPORT_LEAK),
    },
    [GUEST_BACKOFF] = {
        [GUEST_U_START] = GO(PREPARING, PREPARE),
        [GUEST_U_STOP] = GO(STOPPED, WANT_DOWN),
        [GUEST_U_KILL] = GO(STOPPED, WANT_DOWN),
        [GUEST_T_EXPIRED] = GO(PREPARING, PREPARE),
    },
    [GUEST_FAILED] = {
        [GUEST_U_START] = GO(PREPARING, PREPARE),
        [GUEST_U_STOP] = GO(STOPPED, WANT_DOWN),
        [GUEST_U_KILL] = GO(STOPPED, WANT_DOWN),
        [GUEST_U_CLEAR] = GO(STOPPED, WANT_DOWN),
    },
    [GUEST_ADOPTING] = {
        [GUEST_U_START] = GO(ADOPTING, WANT_UP),
        [GUEST_U_STOP] = GO(ADOPTING, WANT_DOWN),
        [GUEST_U_KILL] = GO(KILLING, KILL),
        [GUEST_U_LEAVE] = GO(RELEASING, LEAVE),
        [GUEST_M_PANIC] = GO(KILLING, NOTE),
        [GUEST_N_LOST] = GO(ADOPTING, REATTACH),
        [GUEST_P_EXITED] = GO(RELEASING, RELEASE),
        /* There is no monitor for one that umld did not start. */
        [GUEST_P_SPAWN_ERR] = GO(RELEASING, RELEASE),
        /* A monitor that is alive and silent is of no use to anybody. */
        [GUEST_T_EXPIRED] = GO(KILLING, KILL),
        [GUEST_A_BOOTING] = GO(BOOTING, ATTACH),
        [GUEST_A_ALIVE] = GO(RUNNING, ATTACH),
        [GUEST_A_PAUSED] = GO(PAUSED, ATTACH),
        [GUEST_A_GONE] = GO(RELEASING, RELEASE),
    },
};
/* clang-format on */

const struct guest_state_info *guest_state_info(enum guest_state s)
{
    assert((unsigned)s < GUEST_STATE_COUNT);
    return &infos[s];
}

bool guest_state_from_name(const char *name, enum guest_state *ret)
{
    for (size_t i = 0; i < GUEST_STATE_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0) {
            *ret = (enum guest_state)i;
            return true;
        }
    return false;
}

const char *guest_event_name(enum guest_event e)
{
    return (unsigned)e < GUEST_EVENT_COUNT ? events[e].name : "?";
}

const char *guest_event_words(enum guest_event e)
{
    return (unsigned)e < GUEST_EVENT_COUNT ? events[e].words : "?";
}

const char *guest_event_words_of(const char *name)
{
    for (size_t i = 0; i < GUEST_EVENT_COUNT; i++)
        if (strcmp(events[i].name, name) == 0)
            return events[i].words;
    return name;
}

const char *guest_action_name(enum guest_action a)
{
    return (unsigned)a < GUEST_ACTION_COUNT ? action_names[a] : "?";
}

struct guest_transition guest_next(enum guest_state s, enum guest_event e)
{
    assert((unsigned)s < GUEST_STATE_COUNT && (unsigned)e < GUEST_EVENT_COUNT);
    if (table[s][e].defined)
        return table[s][e];
    return (struct guest_transition){false, s,
                                     e <= GUEST_U_CLEAR ? GUEST_ACT_REFUSE : GUEST_ACT_NONE};
}

void guest_table_print(FILE *out)
{
    for (int s = 0; s < GUEST_STATE_COUNT; s++)
        for (int e = 0; e < GUEST_EVENT_COUNT; e++) {
            const struct guest_transition *t = &table[s][e];

            if (t->defined)
                fprintf(out, "%s %s -> %s (%s)\n", infos[s].name, events[e].name,
                        infos[t->next].name, action_names[t->action]);
        }
}
