/*
 * Where a guest's files are: what is gone with it below R, what stays below S.
 */
#include "umld/guest.h"

#include <stdio.h>

const char *guest_path(const struct guest *g, enum guest_path which, char buf[GUEST_PATH_SIZE])
{
    static const struct {
        bool state;
        const char *tail;
    } rows[] = {
        [GUEST_PATH_DIR] = {false, ""},        [GUEST_PATH_INNER] = {false, "/in"},
        [GUEST_PATH_SOCKET] = {false, "/mon"}, [GUEST_PATH_MCONSOLE] = {false, "/in/uml/mconsole"},
        [GUEST_PATH_STATE] = {true, ""},       [GUEST_PATH_LOG] = {true, "/log"},
        [GUEST_PATH_EXIT] = {true, "/exit"},   [GUEST_PATH_EVIDENCE] = {true, "/evidence"},
    };

    snprintf(buf, GUEST_PATH_SIZE, "%s/%s/%s%s",
             rows[which].state ? g->umld->paths.state_dir : g->umld->paths.run_dir,
             rows[which].state ? "guests" : "g", g->def.name, rows[which].tail);
    return buf;
}
