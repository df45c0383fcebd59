/*
 * uml_switch: the command line of uml-utilities' switch over our own. What it has said on standard
 * output for twenty years it still says; what was wrong with it is listed in docs/networks.md.
 */
#ifndef NETD_COMPAT_SWITCH_PROGRAM_H
#define NETD_COMPAT_SWITCH_PROGRAM_H

/* Returns the exit status: 0 ended by a signal or by the end of its terminal's input, or a daemon
 * is running; 1 usage, or it cannot serve. */
int switch_program(int argc, char **argv);

#endif
