/*
 * The table: in this state, when this holds, that is why. Conditions look at facts and the guest,
 * nothing else; the first row that fits is told.
 */
#include "umld/explain.h"

#include <string.h>

static bool has(const struct explain *e, enum explain_kind kind)
{
    return e->facts[kind].seq > 0;
}

static bool last_asked_for(const struct explain *e, const char *verb)
{
    return strcmp(e->facts[FACT_ASKED].what, verb) == 0;
}

static bool entered_by(const struct explain *e, enum guest_event event)
{
    return strcmp(e->facts[FACT_ENTERED].why, guest_event_name(event)) == 0;
}

static bool asked_to_end(const struct explain *e)
{
    return last_asked_for(e, "stop") || last_asked_for(e, "kill");
}

static bool about_to_start(const struct explain *e)
{
    return e->g->want_up && !e->g->parked;
}

static bool down_with_the_host(const struct explain *e)
{
    return e->g->want_up && e->g->parked;
}

static bool never_started(const struct explain *e)
{
    return e->g->boot == 0 && e->g->exit_ns == 0;
}

/* The last wish about its end was its own. */
static bool wanted_to_halt(const struct explain *e)
{
    return strcmp(e->facts[FACT_WANT].what, "halt") == 0 &&
           e->facts[FACT_WANT].seq > e->facts[FACT_ASKED].seq;
}

static bool hangs(const struct explain *e)
{
    return e->g->hung;
}

static bool says_it_fails(const struct explain *e)
{
    return e->g->signals.health == HEALTH_FAILING;
}

static bool killed_for_hanging(const struct explain *e)
{
    return entered_by(e, GUEST_T_HUNG);
}

static bool was_reset(const struct explain *e)
{
    return last_asked_for(e, "reset-failed");
}

/* Nobody asked; what it did itself is the last thing known. */
static bool ended_by_itself(const struct explain *e)
{
    return e->end_count > 0;
}

static bool gave_up(const struct explain *e)
{
    return e->g->failures > 1 && e->g->def.restart != RESTART_NEVER;
}

static bool without_failure(const struct explain *e)
{
    return e->g->failures == 0 && e->g->early_ends == 0;
}

/* restart=always; nothing is counted against it. */
static bool after_clean_end(const struct explain *e)
{
    return e->g->failures == 0;
}

static bool waits_for_others(const struct explain *e)
{
    return e->g->waits;
}

static bool waits_for_load(const struct explain *e)
{
    return e->g->wants_slot && e->g->doing && e->g->umld->booting < guest_boot_places(e->g->umld);
}

static bool waits_for_place(const struct explain *e)
{
    return e->g->wants_slot;
}

static bool command_under_way(const struct explain *e)
{
    return e->g->asked[0] && has(e, FACT_ASKED);
}

static bool silent_about_ready(const struct explain *e)
{
    return !e->g->ready && e->g->def.ready == READY_NOTIFY;
}

static bool adopted(const struct explain *e)
{
    return e->g->stranger != NULL;
}

static bool not_ready(const struct explain *e)
{
    return !e->g->ready;
}

static bool restarted_by_policy(const struct explain *e)
{
    return e->g->failures > 0 && e->end_count > 0;
}

static bool was_started(const struct explain *e)
{
    return has(e, FACT_STARTED);
}

static bool was_asked_to_pause(const struct explain *e)
{
    return last_asked_for(e, "pause");
}

static bool panicked(const struct explain *e)
{
    return entered_by(e, GUEST_M_PANIC);
}

static bool out_of_time(const struct explain *e)
{
    return entered_by(e, GUEST_T_EXPIRED);
}

static bool unmanaged(const struct explain *e)
{
    return e->g->cause != NULL;
}

#define BIT(kind) (1u << (kind))

static const struct explain_rule rules[] = {
    {GUEST_STOPPED,
     about_to_start,
     "is about to be started: {start-by} asked at {start-at}",
     BIT(FACT_STARTED),
     {NULL}},
    {GUEST_STOPPED, never_started, "has never been started", 0, {"umlctl start {name}"}},
    {GUEST_STOPPED,
     wanted_to_halt,
     "asked for its own halt (WANT=halt) at {want-at}",
     BIT(FACT_WANT) | BIT(FACT_ENTERED),
     {"umlctl start {name}"}},
    {GUEST_STOPPED,
     down_with_the_host,
     "was stopped for the host's shutdown at {asked-at}; it is wanted up, and the next umld starts "
     "it",
     BIT(FACT_ASKED) | EXPLAIN_RUNGS | BIT(FACT_ENTERED),
     {"umlctl start {name}"}},
    {GUEST_STOPPED,
     asked_to_end,
     "was stopped because {by} asked for it at {asked-at}",
     BIT(FACT_ASKED) | EXPLAIN_RUNGS | BIT(FACT_ENTERED),
     {"umlctl start {name}"}},
    {GUEST_STOPPED,
     was_reset,
     "had failed; {by} reset it at {asked-at}",
     BIT(FACT_ASKED) | EXPLAIN_ENDS,
     {"umlctl start {name}"}},
    {GUEST_STOPPED,
     ended_by_itself,
     "ended by itself at {ended-at}: {cause}; restart={restart} does not start it again",
     EXPLAIN_ENDS,
     {"umlctl start {name}", "umlctl logs {name} --boot {boot}"}},
    {GUEST_STOPPED,
     NULL,
     "has been stopped since {entered-at}",
     BIT(FACT_ENTERED),
     {"umlctl start {name}"}},

    {GUEST_FAILED,
     gave_up,
     "{failures} ends in a row, the last at {ended-at}: {cause}; the first at {first-at}: "
     "{first-cause}; restart={restart} gives up after {max}",
     EXPLAIN_ENDS | BIT(FACT_PANIC),
     {"umlctl logs {name} --boot {boot}", "umlctl reset-failed {name}"}},
    {GUEST_FAILED,
     NULL,
     "failed at {ended-at}: {cause}; restart={restart} does not try again",
     EXPLAIN_ENDS | BIT(FACT_PANIC) | BIT(FACT_STARTED),
     {"umlctl logs {name} --boot {boot}", "umlctl start {name}"}},

    {GUEST_BACKOFF,
     without_failure,
     "starts again at once: {start-by} asked at {start-at}",
     BIT(FACT_STARTED) | EXPLAIN_ENDS,
     {NULL}},
    {GUEST_BACKOFF,
     after_clean_end,
     "ended at {ended-at}: {cause}; restart={restart} starts it again, the next start is in {left}",
     EXPLAIN_ENDS,
     {"umlctl start {name}"}},
    {GUEST_BACKOFF,
     NULL,
     "ended at {ended-at}: {cause}; that is end {failures} in a row, after {max} restart={restart} "
     "gives up; the next start is in {left}",
     EXPLAIN_ENDS | BIT(FACT_PANIC),
     {"umlctl logs {name} --boot {boot}", "umlctl start {name}"}},

    {GUEST_PREPARING,
     waits_for_others,
     "{doing}",
     BIT(FACT_STARTED),
     {"umlctl show {name}", "umlctl config {name} depends="}},
    {GUEST_PREPARING,
     waits_for_load,
     "{doing}",
     BIT(FACT_STARTED),
     {"umlctl settings load-ceiling"}},
    {GUEST_PREPARING,
     waits_for_place,
     "waits for one of {places} boot places; {booting} guests are booting",
     BIT(FACT_STARTED),
     {"umlctl settings parallel-boots", NULL}},
    {GUEST_PREPARING,
     NULL,
     "its kernel and files have been looked at for {in-state}",
     BIT(FACT_STARTED),
     {"umlctl kernel list"}},

    {GUEST_BOOTING,
     NULL,
     "its kernel was started {in-state} ago and has not reported yet; in {left} it is given "
     "up{line}",
     BIT(FACT_STARTED) | BIT(FACT_ENTERED),
     {"umlctl logs {name} --follow"}},

    {GUEST_RUNNING,
     command_under_way,
     "{by} asked for {verb} at {asked-at}, and its kernel has not done it yet",
     BIT(FACT_ASKED),
     {"umlctl logs {name}"}},
    {GUEST_RUNNING,
     hangs,
     "runs, but its kernel does not answer; that was found at {hang-at}: {hang}; "
     "hang={hang-policy}{line}",
     BIT(FACT_HANG) | BIT(FACT_STARTED),
     {"umlctl stop --force {name}", "umlctl config {name} hang=restart"}},
    {GUEST_RUNNING,
     adopted,
     "runs; somebody else started it, and it was adopted: ready as long as its process lives",
     BIT(FACT_ASKED) | BIT(FACT_ENTERED),
     {"umlctl show {name}"}},
    {GUEST_RUNNING,
     silent_about_ready,
     "runs but is not ready: its kernel has been up for {up-for}, and nothing in it wrote READY=1 "
     "to "
     "/proc/mconsole{line}",
     BIT(FACT_STARTED) | BIT(FACT_ENTERED),
     {"umlctl console {name}", "umlctl config {name} ready=kernel"}},
    {GUEST_RUNNING,
     not_ready,
     "runs but is not ready: its kernel has been up for {up-for}, and no line on con0 fits "
     "/{pattern}/{line}",
     BIT(FACT_STARTED) | BIT(FACT_ENTERED),
     {"umlctl logs {name}", "umlctl config {name} ready=console:REGEX"}},
    {GUEST_RUNNING,
     says_it_fails,
     "runs and is ready, but says itself that it is failing{health}",
     BIT(FACT_HEALTH) | BIT(FACT_ENTERED),
     {"umlctl console {name}"}},
    {GUEST_RUNNING,
     restarted_by_policy,
     "has been ready for {ready-for}; restart={restart} started it again after {cause}",
     EXPLAIN_ENDS | BIT(FACT_ENTERED),
     {NULL}},
    {GUEST_RUNNING,
     was_started,
     "has been ready for {ready-for}, started because {start-by} asked at {start-at}",
     BIT(FACT_STARTED) | BIT(FACT_ENTERED),
     {NULL}},
    {GUEST_RUNNING, NULL, "has been ready for {ready-for}", BIT(FACT_ENTERED), {NULL}},

    {GUEST_PAUSED,
     was_asked_to_pause,
     "was paused because {by} asked for it at {asked-at}",
     BIT(FACT_ASKED) | BIT(FACT_ENTERED),
     {"umlctl resume {name}"}},
    {GUEST_PAUSED,
     NULL,
     "has been paused since {entered-at}",
     BIT(FACT_ENTERED),
     {"umlctl resume {name}"}},

    {GUEST_STOPPING,
     wanted_to_halt,
     "asked for its own halt (WANT=halt) at {want-at}; {stopping}; in {left} it is killed{line}",
     BIT(FACT_WANT) | EXPLAIN_RUNGS | BIT(FACT_ENTERED),
     {"umlctl logs {name} --follow"}},
    {GUEST_STOPPING,
     NULL,
     "{by} asked for {verb} at {asked-at}; {stopping}; in {left} it is killed{line}",
     BIT(FACT_ASKED) | EXPLAIN_RUNGS | BIT(FACT_ENTERED),
     {"umlctl logs {name} --follow", "umlctl stop --force {name}"}},

    {GUEST_KILLING,
     panicked,
     "its kernel panicked: {panic}",
     BIT(FACT_PANIC) | BIT(FACT_ENTERED),
     {"umlctl logs {name}"}},
    {GUEST_KILLING,
     killed_for_hanging,
     "it is killed, because its kernel did not answer: {hang}; hang={hang-policy}",
     BIT(FACT_HANG) | BIT(FACT_ENTERED),
     {"umlctl logs {name}"}},
    {GUEST_KILLING,
     out_of_time,
     "it is killed, because its time in the state before was up",
     BIT(FACT_ENTERED) | EXPLAIN_RUNGS | BIT(FACT_ASKED),
     {"umlctl logs {name}"}},
    {GUEST_KILLING,
     NULL,
     "it is killed: {by} asked for {verb} at {asked-at}",
     BIT(FACT_ASKED) | BIT(FACT_ENTERED),
     {NULL}},

    {GUEST_RELEASING,
     NULL,
     "has ended, and what is left of it is being cleared away",
     BIT(FACT_ENTERED) | BIT(FACT_ASKED),
     {NULL}},

    {GUEST_ADOPTING, unmanaged, "{note}", BIT(FACT_DAEMON), {"umlctl stop --force {name}"}},
    {GUEST_ADOPTING,
     NULL,
     "the daemon was restarted at {daemon-at} and is asking the guest's monitor how it is",
     BIT(FACT_DAEMON),
     {NULL}},
};

const struct explain_rule *explain_rule_at(size_t index)
{
    return index < UM_ARRAY_LEN(rules) ? &rules[index] : NULL;
}

const struct explain_rule *explain_rule_find(const struct explain *e)
{
    for (size_t i = 0; i < UM_ARRAY_LEN(rules); i++)
        if (rules[i].state == e->g->state && (!rules[i].holds || rules[i].holds(e)))
            return &rules[i];
    return &rules[0]; /* every state has a row that always holds */
}
