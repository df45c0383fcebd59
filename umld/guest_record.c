/*
 * How a guest ended: umlmon's exit record. It is removed only when what follows from it (state,
 * cause, the policy's verdict) is stored, so a daemon killed in between reads it again.
 */
#include "umld/guest.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/log.h"
#include "vmcore/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exit_record {
    char panic[512];
    int64_t fields[8];
};

enum { X_VERSION, X_BOOT, X_STATUS, X_EXIT, X_START, X_FLAGS, X_ERRNO };

static const struct {
    const char *key;
    int field;
} exit_keys[] = {
    {"version", X_VERSION},   {"boot", X_BOOT},           {"wait_status", X_STATUS},
    {"exit_wall_ns", X_EXIT}, {"start_wall_ns", X_START}, {"flags", X_FLAGS},
    {"exec_errno", X_ERRNO},
};

static bool parse_exit_record(char *text, struct exit_record *r)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '=');

        if (!eq)
            continue;
        *eq = '\0';
        if (strcmp(line, "panic") == 0)
            snprintf(r->panic, sizeof(r->panic), "%s", eq + 1);
        for (size_t i = 0; i < UM_ARRAY_LEN(exit_keys); i++)
            if (strcmp(line, exit_keys[i].key) == 0 &&
                !um_parse_int(eq + 1, INT64_MIN, INT64_MAX, &r->fields[exit_keys[i].field]))
                return false;
    }
    return r->fields[X_VERSION] == MON_EXIT_VERSION;
}

static void take_end(struct guest *g, uint32_t flags, int wait_status, const char *text)
{
    bool told = !(flags & (MON_F_EXEC_FAILED | MON_F_NO_STATUS));

    g->end.kind =
        told ? POLICY_END_EXIT : (flags & MON_F_NO_STATUS ? POLICY_END_UNTOLD : POLICY_END_SPAWN);
    g->end.wait_status = wait_status;
    g->end.panicked = flags & MON_F_PANIC;
    g->end_code = flags & MON_F_EXEC_FAILED ? UM_E_BAD_CONFIG : UM_OK;
    if (text[0]) {
        free((char *)(uintptr_t)g->end.text);
        if ((g->end.text = strdup(text)))
            um_str_make_plain((char *)(uintptr_t)g->end.text, strlen(text));
    }
    g->wait_status = told ? wait_status : -1;
    guest_touch(g);
}

bool guest_take_exit_record(struct guest *g)
{
    struct exit_record r = {.panic = ""};
    char path[GUEST_PATH_SIZE], *text;
    bool ok;

    if (um_file_read(guest_path(g, GUEST_PATH_EXIT, path), 65536, &text, NULL, NULL))
        return false;
    ok = parse_exit_record(text, &r);
    free(text);
    if (!ok) {
        um_log(UM_LOG_ERROR, "guest %s: exit record %s cannot be read", g->def.name, path);
        return false;
    }
    take_end(g, (uint32_t)r.fields[X_FLAGS], (int)r.fields[X_STATUS], r.panic);
    g->exit_ns = r.fields[X_EXIT];
    g->start_ns = r.fields[X_START];
    if ((uint64_t)r.fields[X_BOOT] > g->boot)
        g->boot = (uint64_t)r.fields[X_BOOT];
    return true;
}

bool guest_take_told_end(struct guest *g)
{
    const struct mon_state *s = monitor_told_end(g);

    if (!s)
        return false;
    take_end(g, s->flags, s->wait_status, s->panic);
    g->exit_ns = s->exit_wall_ns;
    return true;
}

void guest_drop_exit_record(struct guest *g)
{
    char path[GUEST_PATH_SIZE];

    unlink(guest_path(g, GUEST_PATH_EXIT, path));
}
