/*
 * base64url without padding (RFC 4648, section 5): survives a kernel command line as one word.
 */
#ifndef CLI_BASE64_H
#define CLI_BASE64_H

#include "vmcore/base/str.h"

void base64_append(struct um_buf *out, const void *data, size_t len) um_nonnull(1);

#endif
