/*
 * The program umlnetd: one network.
 */
#ifndef NETD_PROGRAM_H
#define NETD_PROGRAM_H

/* Returns the exit status: 0 ended by SIGTERM or SIGINT, 1 it cannot serve, 2 usage. */
int netd_program(int argc, char **argv);

#endif
