/*
 * The list of all commands, in the order help shows them. Adding a command: its file in
 * meson.build, its descriptor here.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

#define CLI_COMMANDS(X)                                                                            \
    X(create)                                                                                      \
    X(adopt)                                                                                       \
    X(list)                                                                                        \
    X(show)                                                                                        \
    X(status)                                                                                      \
    X(explain)                                                                                     \
    X(start)                                                                                       \
    X(stop)                                                                                        \
    X(reboot)                                                                                      \
    X(kill)                                                                                        \
    X(pause)                                                                                       \
    X(resume)                                                                                      \
    X(wait)                                                                                        \
    X(reset_failed)                                                                                \
    X(remove)                                                                                      \
    X(run)                                                                                         \
    X(config)                                                                                      \
    X(detach)                                                                                      \
    X(mconsole)                                                                                    \
    X(sysrq)                                                                                       \
    X(cad)                                                                                         \
    X(console)                                                                                     \
    X(logs)                                                                                        \
    X(net_create)                                                                                  \
    X(net_list)                                                                                    \
    X(net_show)                                                                                    \
    X(net_edit)                                                                                    \
    X(net_rm)                                                                                      \
    X(net_ports)                                                                                   \
    X(net_macs)                                                                                    \
    X(net_stats)                                                                                   \
    X(net_restart)                                                                                 \
    X(kernel_list)                                                                                 \
    X(kernel_probe)                                                                                \
    X(kernel_add)                                                                                  \
    X(kernel_rm)                                                                                   \
    X(image_list)                                                                                  \
    X(image_build)                                                                                 \
    X(image_rm)                                                                                    \
    X(events)                                                                                      \
    X(job_list)                                                                                    \
    X(job_show)                                                                                    \
    X(job_cancel)                                                                                  \
    X(job_wait)                                                                                    \
    X(metrics)                                                                                     \
    X(doctor)                                                                                      \
    X(settings)                                                                                    \
    X(shutdown)                                                                                    \
    X(call)                                                                                        \
    X(introspect)                                                                                  \
    X(version)                                                                                     \
    X(help)

#define X(name) extern const struct command command_##name;
CLI_COMMANDS(X)
#undef X

#endif
