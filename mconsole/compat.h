/*
 * uml_mconsole: the old client's command line, output and exit statuses on top of the shell.
 */
#ifndef MCONSOLE_COMPAT_H
#define MCONSOLE_COMPAT_H

#include "vmcore/base/macros.h"

/* The whole program behind main(). */
int uml_mconsole_main(int argc, char **argv) um_nonnull(2);

#endif
