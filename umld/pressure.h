/*
 * How busy the host's CPUs are, in one number that means the same on every host: the share of time,
 * in percent, in which something that could have run had to wait for a CPU.
 */
#ifndef UMLD_PRESSURE_H
#define UMLD_PRESSURE_H

#include "vmcore/base/macros.h"

/* Of the last ten seconds; 0 when it cannot be found out. */
int pressure_cpu(void) um_check;

/*
 * The same from given files. psi: Documentation/accounting/psi.rst, `some avg10=`. A host without
 * it has loadavg (proc(5)) only: of N tasks that want to run on C CPUs, N - C wait.
 */
int pressure_read(const char *psi, const char *loadavg, long cpus) um_nonnull(1, 2) um_check;

#endif
