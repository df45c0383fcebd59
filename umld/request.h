/*
 * requestId: a call repeated with the same id and parameters gets the stored answer and does
 * nothing; with other parameters it is a conflict. Kept for 24 hours.
 */
#ifndef UMLD_REQUEST_H
#define UMLD_REQUEST_H

#include "umld/umld.h"

/*
 * True: the call was answered from the store (or refused as a conflict). subject: what the call is
 * about (name and parameters as text), compared literally. id may be NULL.
 */
bool request_repeated(struct umld *umld, struct api_call *call, const char *id, const char *method,
                      const char *subject) um_nonnull(1, 2, 4, 5);
void request_remember(struct umld *umld, uid_t uid, const char *id, const char *method,
                      const char *subject, const json_t *reply) um_nonnull(1, 3, 4, 5, 6);

#endif
