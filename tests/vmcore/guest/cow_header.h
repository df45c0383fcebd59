/*
 * COW headers for tests, written byte by byte from the layout table of the reference (§11.5).
 */
#ifndef TESTS_VMCORE_GUEST_COW_HEADER_H
#define TESTS_VMCORE_GUEST_COW_HEADER_H

#include <stdint.h>
#include <string.h>

static inline void put_number(uint8_t *p, uint64_t v, int size, int little)
{
    for (int i = 0; i < size; i++)
        p[little ? i : size - 1 - i] = (uint8_t)(v >> (8 * i));
}

/* version 4 stands for version 3 in its broken 64-bit layout. Returns the header's length. */
static inline size_t cow_header(uint8_t *p, int version, const char *backing, uint32_t mtime,
                                uint64_t size)
{
    static const struct {
        size_t path, mtime, mtime_size, size, sector, length;
    } at[] = {{0, 0, 0, 0, 0, 0},
              {8, 264, 4, 268, 276, 280},
              {8, 4104, 4, 4108, 4116, 4120},
              {32, 8, 4, 12, 20, 4128},
              {36, 8, 8, 16, 24, 4136}};
    int little = version == 1;

    memset(p, 0, at[version].length);
    put_number(p, 0x4f4f4f4d, 4, little);
    put_number(p + 4, version > 3 ? 3 : (uint64_t)version, 4, little);
    memcpy(p + at[version].path, backing, strlen(backing) + 1);
    put_number(p + at[version].mtime, mtime, (int)at[version].mtime_size, little);
    put_number(p + at[version].size, size, 8, little);
    put_number(p + at[version].sector, 512, 4, little);
    if (version >= 3)
        put_number(p + at[version].sector + 4, 4096, 4, little);
    return at[version].length;
}

#endif
