/*
 * Host settings: rows with a name, a kind and a default; stored in SQLite, changed while running.
 */
#ifndef UMLD_SETTINGS_H
#define UMLD_SETTINGS_H

#include "umld/umld.h"

enum setting {
    SETTING_LOG_LEVEL,
    SETTING_PINNING,        /* keep one-CPU guests on one host CPU */
    SETTING_BOOTS,          /* guests booting at the same time */
    SETTING_LOG_SIZE,       /* bytes per console log part */
    SETTING_LOG_PARTS,      /* parts kept per console */
    SETTING_BOOT_SECONDS,   /* what a kernel gets to come up */
    SETTING_EVENTS,         /* events kept */
    SETTING_EVENT_DAYS,     /* and how old they may become; 0: as old as they like */
    SETTING_STOP_SECONDS,   /* what a guest gets to shut down after Ctrl-Alt-Del */
    SETTING_HANG_SECONDS,   /* without an answer of its kernel, a guest counts as hung */
    SETTING_SYNC_SECONDS,   /* and for each of sync and remount after that */
    SETTING_HALT_SECONDS,   /* and for its kernel's halt, before it is killed */
    SETTING_DEPEND_SECONDS, /* how long a start waits for what the guest depends on */
    SETTING_LOAD_CEILING,   /* percent of CPU pressure above which no boot is begun; 0: none */
    SETTING_COUNT
};

struct settings *settings_new(struct umld *umld) um_check;
void settings_free(struct settings *s);
int64_t settings_int(const struct umld *umld, enum setting which) um_nonnull(1);

#endif
