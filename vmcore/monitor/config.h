/*
 * A launch order (order.h) read and checked: every value within its limits, nothing unknown.
 */
#ifndef VMCORE_MONITOR_CONFIG_H
#define VMCORE_MONITOR_CONFIG_H

#include "vmcore/base/error.h"
#include "vmcore/base/fd.h"
#include "vmcore/base/str.h"
#include "vmcore/monitor/proto.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MON_CONSOLE_MAX = 32,     /* con0..15 and ssl0..15 */
    MON_CONSOLE_FD_MIN = 10,  /* below: streams, order, control */
    MON_CONSOLE_FD_MAX = 199, /* um_spawn() uses those from 200 itself */
    MON_ORDER_MAX = 1024 * 1024,
    MON_LOG_PARTS_MAX = 1000,
    MON_CGROUP_MAX = 16,
    MON_NIC_MAX = 16
};

enum mon_ready { MON_READY_NOTIFY, MON_READY_KERNEL, MON_READY_CONSOLE, MON_READY_COUNT };

struct mon_config_console {
    char device[MON_DEVICE_MAX];
    bool pts; /* else managed */
    int fd;
};

struct mon_config_nic {
    char device[MON_DEVICE_MAX];        /* as the guest calls it: `vec0`; empty: none */
    char path[UM_SOCKET_PATH_MAX + 1];  /* where its kernel connects */
    char links[UM_SOCKET_PATH_MAX + 1]; /* where that is offered */
};

/* Strings point into `record`, which it owns. */
struct mon_config {
    char *record;
    const char *guest, *socket, *notify, *exit, *log_dir, *pattern;
    uint64_t boot;
    int64_t log_size;
    int64_t log_parts;
    enum mon_ready ready;
    struct mon_config_console consoles[MON_CONSOLE_MAX];
    size_t console_count;
    struct mon_config_nic nics[MON_NIC_MAX];
    size_t nic_count;
    int64_t uid;      /* 0: the guest is nobody else than we */
    bool cgroup_gate; /* ORDER_CGROUP_FD comes before cgroups */
    struct um_strv argv, env, cgroups;
    int64_t stranger_pid, stranger_start; /* 0: we start the kernel ourselves */
    const char *mconsole;                 /* of the stranger */
};

/* Takes ownership of record (malloc'ed), also on failure. */
enum um_code mon_config_parse(char *record, size_t len, struct mon_config *ret,
                              struct um_error *err) um_nonnull(1, 3) um_check;
/* The value of ORDER_KEY_NIC. NULL, or what is wrong with it (static text). */
const char *mon_config_nic(const char *value, struct mon_config_nic *ret) um_nonnull(1, 2) um_check;
void mon_config_done(struct mon_config *c) um_nonnull(1);

/* Read fd to its end: at most MON_ORDER_MAX bytes. */
enum um_code mon_config_read(int fd, struct mon_config *ret, struct um_error *err)
    um_nonnull(2) um_check;

#endif
