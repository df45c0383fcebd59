/*
 * uml_watchdog: the helper of the kernel's watchdog driver. It is told by a byte that the guest
 * lives; when none has come for a minute it says so.
 *
 * uml(kernel), arch/um/drivers/harddog_user.c: when the guest opens /dev/watchdog, main executes
 * /usr/bin/uml_watchdog (that path, nothing else) with `-mconsole SOCKET`, the notify socket, or
 * `-pid PID` if it has none; waits for one byte from its standard output; writes one byte to its
 * standard input for each write of the guest; and closes that when the guest closes the device.
 */
#ifndef NETD_COMPAT_WATCHDOG_H
#define NETD_COMPAT_WATCHDOG_H

#define WATCHDOG_LIMIT_MS 60000 /* as in the program of 2007 */

/*
 * The whole program; reads descriptor 0, writes one byte to 1, closes all from 3 up (what main had
 * open must not outlive it here). Returns the exit status: 0 the device was closed or main is gone,
 * 1 nothing came for limit_ms and it was reported (HANG to the socket) or acted upon (SIGINT, after
 * step_ms SIGINT, after step_ms SIGKILL to the process), 1 also for wrong arguments.
 */
int watchdog_run(int argc, char **argv, int limit_ms, int step_ms);

#endif
