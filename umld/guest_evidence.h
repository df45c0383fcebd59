/*
 * What is kept of a guest that hung or panicked, for whoever asks later why:
 * S/guests/NAME/evidence/<boot>-hang.txt and <boot>-panic.txt, the newest of one boot, a few boots.
 */
#ifndef UMLD_GUEST_EVIDENCE_H
#define UMLD_GUEST_EVIDENCE_H

#include "umld/guest.h"

enum { EVIDENCE_FILES_MAX = 10, EVIDENCE_CONSOLE_MAX = 16384 };

/*
 * Write the file: what, how mconsole stands, what the host says of the kernel's main process (as
 * far as it may be read), the last output of con0. Its path is in ret_path. False: it could not be
 * written (logged).
 */
bool guest_evidence_save(const struct guest *g, const char *kind, const char *what,
                         char ret_path[GUEST_PATH_SIZE + 64]) um_nonnull(1, 2, 3, 4) um_check;

/* The guest has ended after a panic: save that, with an event. */
void guest_evidence_of_panic(struct guest *g) um_nonnull(1);

#endif
