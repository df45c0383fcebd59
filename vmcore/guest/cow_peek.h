/*
 * A look at the first bytes of a disk image: is it a COW file, and of what? Only what checks and
 * the sandbox need; vmcore/disk knows the rest. Layouts: UML host-interface reference §11.5.
 */
#ifndef VMCORE_GUEST_COW_PEEK_H
#define VMCORE_GUEST_COW_PEEK_H

#include "vmcore/base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes from the start of the file that hold every header layout. */
#define COW_PEEK_SIZE 4136

enum cow_peek_result {
    COW_PEEK_NONE, /* no COW magic */
    COW_PEEK_OK,
    COW_PEEK_BAD /* magic, but an unknown version, a short header or a path without end */
};

struct cow_peek {
    int version;
    char backing[4097]; /* as in the header: absolute when UML wrote it */
    uint32_t mtime;     /* of the backing file, whole seconds, low 32 bits */
    uint64_t size;      /* of the backing file */
};

/* Decode a header from data; len may be short. *ret is set with COW_PEEK_OK only. */
enum cow_peek_result cow_peek_parse(const uint8_t *data, size_t len, struct cow_peek *ret)
    um_nonnull(1, 3) um_check;

/* The same for a file. COW_PEEK_NONE with errno set if it cannot be read, with errno 0 else. */
enum cow_peek_result cow_peek_file(const char *path, struct cow_peek *ret)
    um_nonnull(1, 2) um_check;

#endif
