/*
 * The server's memory of requestIds (see server.h), in the database: replies are stored by the same
 * commit as what they report, so they are known after a restart, too.
 */
#ifndef UMLD_REQUEST_H
#define UMLD_REQUEST_H

#include "umld/server.h"

/* A reply is kept for a day at least, unless REQUEST_KEEP newer ones have come. */
enum { REQUEST_KEEP = 10000 };

extern const struct api_memory request_memory;

#endif
