#include "vmcore/guest/cow_peek.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/own_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COW_MAGIC 0x4f4f4f4du
#define PATH_V1   256
#define PATH_V2   4096

/* Offsets of one header layout. */
struct layout {
    bool little; /* version 1 is in the byte order of its writer; here that is little endian */
    size_t path, path_size;
    size_t mtime, mtime_size;
    size_t size;
    size_t length;
};

static const struct layout layouts[] = {
    {true, 8, PATH_V1, 264, 4, 268, 280},     /* version 1 */
    {false, 8, PATH_V2, 4104, 4, 4108, 4120}, /* 2 */
    {false, 32, PATH_V2, 8, 4, 12, 4128},     /* 3 */
    {false, 36, PATH_V2, 8, 8, 16, 4136},     /* 3 as a 64-bit UML of old wrote it */
};

static uint64_t number(const uint8_t *p, size_t size, bool little)
{
    uint64_t v = 0;

    for (size_t i = 0; i < size; i++)
        v = v << 8 | p[little ? size - 1 - i : i];
    return v;
}

static const struct layout *layout_of(const uint8_t *data, size_t len, int *ret_version)
{
    static const uint8_t no_path[4] = {0};
    bool little = number(data, 4, true) == COW_MAGIC;
    uint64_t version = number(data + 4, 4, little);

    *ret_version = (int)(version & 0xff);
    if (version < 1 || version > 3 || little != (version == 1))
        return NULL;
    if (version == 3 && len >= 36 && memcmp(data + 32, no_path, 4) == 0)
        return &layouts[3];
    return &layouts[version - 1];
}

enum cow_peek_result cow_peek_parse(const uint8_t *data, size_t len, struct cow_peek *ret)
{
    const struct layout *l;
    int version;
    size_t n;

    if (len < 4 || (number(data, 4, true) != COW_MAGIC && number(data, 4, false) != COW_MAGIC))
        return COW_PEEK_NONE;
    if (len < 8)
        return COW_PEEK_BAD;
    l = layout_of(data, len, &version);
    if (!l || len < l->length)
        return COW_PEEK_BAD;
    n = strnlen((const char *)data + l->path, l->path_size);
    if (!n || n == l->path_size)
        return COW_PEEK_BAD;
    memcpy(ret->backing, data + l->path, n + 1);
    ret->version = version;
    ret->mtime = (uint32_t)number(data + l->mtime, l->mtime_size, l->little);
    ret->size = number(data + l->size, 8, l->little);
    return COW_PEEK_OK;
}

enum cow_peek_result cow_peek_file(const char *path, struct cow_peek *ret)
{
    uint8_t data[COW_PEEK_SIZE];
    um_autofd fd = um_open_named(path);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return COW_PEEK_NONE;
    errno = 0;
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return COW_PEEK_NONE;
    n = pread(fd, data, sizeof(data), 0);
    return n < 0 ? COW_PEEK_NONE : cow_peek_parse(data, (size_t)n, ret);
}
