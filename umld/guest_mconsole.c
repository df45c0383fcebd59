/*
 * A guest's mconsole lanes. A question that hangs never delays a halt, and neither of them the ping
 * that tells whether the kernel answers at all.
 */
#include "umld/guest_settle.h"
#include "umld/stranger.h"

static const char *const lane_prefix[MCONSOLE_LANE_COUNT] = {
    [MCONSOLE_LANE_QUERY] = "q",
    [MCONSOLE_LANE_CONTROL] = "c",
    [MCONSOLE_LANE_WATCH] = "w",
};

static void ignore(um_unused enum um_code code, um_unused int32_t status,
                   um_unused const char *text, um_unused size_t len, um_unused void *arg)
{
}

enum um_code guest_mconsole_on(struct guest *g, enum mconsole_lane_kind kind, const char *command,
                               int timeout_ms, unsigned flags, mconsole_done_fn done, void *arg,
                               struct um_error *err)
{
    char dir[GUEST_PATH_SIZE], target[GUEST_PATH_SIZE], object[96];
    const struct stranger *s = g->stranger; /* in no sandbox, and where it likes to be */

    if (!guest_state_info(g->state)->has_process)
        return um_fail(err, UM_E_NOT_RUNNING, guest_object(g, object, sizeof(object)), NULL,
                       "is not running");
    if (!g->lanes[kind])
        g->lanes[kind] = mconsole_lane_new(
            g->umld->loop, s ? NULL : guest_path(g, GUEST_PATH_INNER, dir), lane_prefix[kind],
            s ? s->socket : guest_path(g, GUEST_PATH_MCONSOLE, target));
    if (!g->lanes[kind])
        return um_fail(err, UM_E_NO_RESOURCES, guest_object(g, object, sizeof(object)), NULL,
                       "out of memory");
    return mconsole_lane_send(g->lanes[kind], command, timeout_ms, flags, done ? done : ignore, arg,
                              err);
}

enum um_code guest_mconsole(struct guest *g, enum mconsole_verb verb, const char *command,
                            int timeout_ms, unsigned flags, mconsole_done_fn done, void *arg,
                            struct um_error *err)
{
    return guest_mconsole_on(g, mconsole_verb_info(verb)->lane, command, timeout_ms, flags, done,
                             arg, err);
}

void guest_lanes_close(struct guest *g)
{
    guest_settle_end(g);
    for (int i = 0; i < MCONSOLE_LANE_COUNT; i++) {
        mconsole_lane_free(g->lanes[i]);
        g->lanes[i] = NULL;
    }
}
