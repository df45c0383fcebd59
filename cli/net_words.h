/*
 * Properties of networks: `mtu=9000` on the command line, fields of io.umld.Network.Definition.
 */
#ifndef CLI_NET_WORDS_H
#define CLI_NET_WORDS_H

#include "vmcore/base/error.h"
#include "vmcore/base/str.h"

#include <jansson.h>

/* Add the field that word sets to o. UM_E_USAGE names the words there are. */
enum um_code net_words_add(json_t *o, const char *word, struct um_error *err)
    um_nonnull(1, 2) um_check;

/* A line for each property of a definition. */
void net_words_print(const json_t *definition, struct um_buf *b) um_nonnull(2);

#endif
