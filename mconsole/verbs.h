/*
 * The table of mconsole commands. The kernel matches by prefix (`cadx` is `cad`), so commands are
 * built and checked here and never passed through unseen.
 */
#ifndef MCONSOLE_VERBS_H
#define MCONSOLE_VERBS_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

enum mconsole_verb {
    MCONSOLE_VERSION_CMD,
    MCONSOLE_HALT,
    MCONSOLE_REBOOT,
    MCONSOLE_CONFIG,
    MCONSOLE_REMOVE,
    MCONSOLE_SYSRQ,
    MCONSOLE_HELP,
    MCONSOLE_CAD,
    MCONSOLE_STOP,
    MCONSOLE_GO,
    MCONSOLE_LOG,
    MCONSOLE_PROC,
    MCONSOLE_STACK,
    MCONSOLE_EXEC, /* of patched kernels (OpenWrt's, old uml-patches) */
    MCONSOLE_VERB_COUNT
};

enum mconsole_lane_kind {
    MCONSOLE_LANE_QUERY,
    MCONSOLE_LANE_CONTROL,
    MCONSOLE_LANE_WATCH, /* of no verb: whether the kernel answers at all */
    MCONSOLE_LANE_COUNT
};

struct mconsole_verb_info {
    const char *name;
    const char *argument; /* for help: NULL none, "PATH" required, "[KEY]" optional */
    enum mconsole_lane_kind lane;
    bool changes_guest; /* needs more than the viewer role */
    int timeout_ms;
    const char *help;
};

const struct mconsole_verb_info *mconsole_verb_info(enum mconsole_verb v);

/*
 * Check a user's command line and rewrite it exactly (single blank, exact verb). Unknown verbs,
 * verbs that only share a prefix with a known one, missing or surplus arguments, control characters
 * and over-long text are refused with the list of verbs or the usage. Commands known to do harm
 * need force: UM_E_INVALID with the reason and the hint `--force`; for some of them the kernel has
 * to be asked first, see guard.h.
 *
 * A line that begins with `log ` and ends with a line feed is a piece of a file: taken as it is,
 * blanks and further line feeds included. To any other log text one line feed is added.
 */
enum um_code mconsole_command_check(const char *line, bool force, struct um_buf *ret_command,
                                    enum mconsole_verb *ret_verb, struct um_error *err)
    um_nonnull(1, 3, 4) um_check;

#endif
