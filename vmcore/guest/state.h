/*
 * The guest state machine: a table [state][event] = {next, action}. Pure; umld owns the actions.
 * Conditions are never guards here: they become events computed beforehand (policy.h).
 */
#ifndef VMCORE_GUEST_STATE_H
#define VMCORE_GUEST_STATE_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum guest_state {
    GUEST_STOPPED,   /* holds nothing */
    GUEST_PREPARING, /* resources are being gathered: kernel probe, paths, launch order */
    GUEST_BOOTING,   /* a monitor was started; no kernel-up yet */
    GUEST_RUNNING,   /* kernel up (mconsole answers) */
    GUEST_PAUSED,    /* mconsole stop */
    GUEST_STOPPING,  /* the ladder cad -> sync -> halt is under way */
    GUEST_KILLING,   /* the whole tree is being killed */
    GUEST_RELEASING, /* proven dead; run directory, leases and exit record are being settled */
    GUEST_BACKOFF,   /* waits before the next automatic start */
    GUEST_FAILED,    /* needs a user; cause stored */
    GUEST_ADOPTING,  /* daemon restarted; the monitor is being asked */
    GUEST_STATE_COUNT
};

enum guest_event {
    /* U_: users */
    GUEST_U_START,
    GUEST_U_STOP,
    GUEST_U_KILL,
    GUEST_U_PAUSE,
    GUEST_U_RESUME,
    GUEST_U_REBOOT,
    GUEST_U_KEEP,  /* a stop is taken back: it may stay up */
    GUEST_U_ADOPT, /* it runs already, started by somebody else: docs/adopting.md */
    GUEST_U_LEAVE, /* such a one is let go, and runs on */
    GUEST_U_CLEAR,
    /* R_: resources and policy */
    GUEST_R_READY,
    GUEST_R_ERROR,
    GUEST_R_DONE,  /* released; stay stopped */
    GUEST_R_RETRY, /* released; restart policy wants another try */
    GUEST_R_FAIL,  /* released; a failure to be shown */
    /* M_: the guest's kernel */
    GUEST_M_UP,    /* notify SOCKET: first boot or reboot in place */
    GUEST_M_READY, /* READY=1, pattern, or kernel-up as configured */
    GUEST_M_PANIC,
    GUEST_M_WANT_HALT, /* the guest asked for it: WANT=halt, WANT=reboot */
    GUEST_M_WANT_REBOOT,
    GUEST_M_PAUSED,
    GUEST_M_RESUMED,
    /* N_: the connection to the monitor */
    GUEST_N_LOST,
    /* P_: processes */
    GUEST_P_SPAWN_ERR, /* the monitor could not be started or could not start the kernel */
    GUEST_P_EXITED,    /* proven dead: exit record read, or monitor and tree gone */
    /* T_ */
    GUEST_T_EXPIRED, /* this state's time limit */
    GUEST_T_HUNG,    /* it hangs, and its policy is to end it */
    /* A_: adoption after a daemon restart */
    GUEST_A_BOOTING,
    GUEST_A_ALIVE,
    GUEST_A_PAUSED,
    GUEST_A_GONE,
    GUEST_EVENT_COUNT
};

enum guest_action {
    GUEST_ACT_NONE,
    GUEST_ACT_REFUSE, /* answer WrongState */
    GUEST_ACT_PREPARE,
    GUEST_ACT_SPAWN,
    GUEST_ACT_CANCEL,    /* give up preparing, then R_DONE/R_FAIL via release */
    GUEST_ACT_NOTE,      /* the end follows by itself: a panicking kernel prints its dump, then
                              aborts; the limit of the state sees to the rest */
    GUEST_ACT_UP,        /* kernel is up: announce */
    GUEST_ACT_READY,     /* ready mark: announce, wake waiters */
    GUEST_ACT_REBOOTED,  /* kernel up again in the same process */
    GUEST_ACT_SEND_STOP, /* mconsole stop */
    GUEST_ACT_SEND_GO,
    GUEST_ACT_PAUSED,
    GUEST_ACT_RESUMED,
    GUEST_ACT_HALT,        /* start the stop ladder */
    GUEST_ACT_GO_AND_HALT, /* resume first: a paused guest cannot shut down */
    GUEST_ACT_SEND_REBOOT,
    GUEST_ACT_HALT_NOW, /* it rebooted instead of halting: mconsole halt at once */
    GUEST_ACT_KILL,
    GUEST_ACT_KILL_HARDER,
    GUEST_ACT_RELEASE,
    GUEST_ACT_REPORT_LEAK,
    GUEST_ACT_STOPPED, /* announce stopped */
    GUEST_ACT_ARM,     /* arm the back-off timer */
    GUEST_ACT_FAILED,  /* announce failed with its cause */
    GUEST_ACT_WANT_UP, /* desired state up: start again after release */
    GUEST_ACT_WANT_DOWN,
    GUEST_ACT_KEPT,     /* the stop was taken back */
    GUEST_ACT_REATTACH, /* connect to the monitor again */
    GUEST_ACT_ATTACH,   /* adopted: take over */
    GUEST_ACT_WATCH,    /* not ours: start a monitor for it */
    GUEST_ACT_LEAVE,
    GUEST_ACTION_COUNT
};

struct guest_transition {
    bool defined;
    enum guest_state next;
    enum guest_action action;
};

/* Properties that hold by state alone. */
struct guest_state_info {
    const char *name;
    int64_t timeout_ms; /* 0: no limit (stable state) */
    bool has_process;   /* a monitor or kernel may be alive */
    bool stable;
    bool editable; /* definition changes need no restart note */
};

const struct guest_state_info *guest_state_info(enum guest_state s);
bool guest_state_from_name(const char *name, enum guest_state *ret) um_check;
const char *guest_event_name(enum guest_event e);
/* The same for people, as the reason of a change. */
const char *guest_event_words(enum guest_event e);
/* Of a name that was stored; that of another version comes back as it is. */
const char *guest_event_words_of(const char *name) um_nonnull(1);
const char *guest_action_name(enum guest_action a);

/*
 * What event e does in state s. An undefined cell gives {defined=false, next=s, action=REFUSE} for
 * U_ events and {false, s, NONE} for others (logged and dropped by the caller).
 */
struct guest_transition guest_next(enum guest_state s, enum guest_event e);

/* Print the whole table, one `STATE EVENT -> NEXT (action)` per defined cell: the golden file. */
void guest_table_print(FILE *out) um_nonnull(1);

#endif
