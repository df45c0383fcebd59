#include "netd/state.h"

#include "vmcore/base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6e65747374617465)
enum { VERSION = 1, BOOT_ID_SIZE = 40 };

/* The sizes stand for all that is not said by the version: another build may lay out otherwise. */
struct header {
    uint64_t magic;
    uint32_t version, record_size;
    uint64_t size;
    uint64_t macs_size;
    uint64_t key;
    char boot_id[BOOT_ID_SIZE];
};

struct file {
    struct header header;
    struct netd_record records[NETD_PORT_SLOTS];
    max_align_t macs[];
};

struct netd_state {
    struct file *file;
    size_t size;
    bool kept;
};

static size_t macs_size(void)
{
    return netd_mac_table_size(netd_switch_config_default.mac.entries);
}

static struct header header_of(size_t size)
{
    struct header h = {.magic = MAGIC,
                       .version = VERSION,
                       .record_size = sizeof(struct netd_record),
                       .size = size,
                       .macs_size = macs_size()};

    strncpy(h.boot_id, um_clock_boot_id(), sizeof(h.boot_id) - 1);
    return h;
}

static bool understood(const struct netd_state *st)
{
    struct header mine = header_of(st->size);

    mine.key = st->file->header.key;
    return memcmp(&mine, &st->file->header, sizeof(mine)) == 0;
}

/* What is odd was being written when its program was killed. */
static void drop_broken(struct file *f)
{
    for (uint32_t slot = 0; slot < NETD_PORT_SLOTS; slot++) {
        struct netd_record *r = &f->records[slot];

        if (r->sequence % 2 != 0 || (r->id && r->port % NETD_PORT_SLOTS != slot))
            memset(r, 0, sizeof(*r));
    }
}

static bool begin_anew(struct netd_state *st, int fd)
{
    struct header h = header_of(st->size);

    /* Truncating gives the pages back, and makes all zero. */
    if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)st->size) != 0 ||
        getrandom(&h.key, sizeof(h.key), 0) != sizeof(h.key))
        return false;
    st->file->header = h;
    return true;
}

static bool take_file(struct netd_state *st, int fd)
{
    off_t before = lseek(fd, 0, SEEK_END);

    if (before != (off_t)st->size && ftruncate(fd, (off_t)st->size) != 0)
        return false;
    st->file = mmap(NULL, st->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (st->file == MAP_FAILED)
        return false;
    st->kept = before == (off_t)st->size && understood(st);
    if (!st->kept)
        return begin_anew(st, fd);
    drop_broken(st->file);
    return true;
}

enum um_code netd_state_open(int fd, struct netd_state **ret, struct um_error *err)
{
    struct netd_state *st = calloc(1, sizeof(*st));
    enum um_code code;

    if (!st)
        return um_fail(err, UM_E_NO_RESOURCES, "state", NULL, "no memory");
    st->size = sizeof(struct file) + macs_size();
    st->file = MAP_FAILED;
    if (take_file(st, fd)) {
        *ret = st;
        return UM_OK;
    }
    code = um_fail_errno(err, errno, "state", "its file cannot be used");
    netd_state_free(st);
    return code;
}

bool netd_state_freeze(struct netd_state *st)
{
    void *copy = malloc(st->size);
    bool ok;

    if (!copy)
        return false;
    memcpy(copy, st->file, st->size);
    /* In the same place, since the switch knows where it is. */
    ok = mmap(st->file, st->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
              -1, 0) != MAP_FAILED;
    if (ok)
        memcpy(st->file, copy, st->size);
    free(copy);
    return ok;
}

void netd_state_free(struct netd_state *st)
{
    if (!st)
        return;
    if (st->file != MAP_FAILED)
        munmap(st->file, st->size);
    free(st);
}

bool netd_state_kept(const struct netd_state *st)
{
    return st->kept;
}

uint64_t netd_state_key(const struct netd_state *st)
{
    return st->file->header.key;
}

void *netd_state_macs(struct netd_state *st)
{
    return st->file->macs;
}

struct netd_record *netd_state_record(struct netd_state *st, uint32_t port)
{
    return &st->file->records[port % NETD_PORT_SLOTS];
}

/* The compiler's order is enough for who looks when this program is dead. */
static void begin(struct netd_record *r)
{
    r->sequence |= 1;
    atomic_signal_fence(memory_order_seq_cst);
}

static void end(struct netd_record *r)
{
    atomic_signal_fence(memory_order_seq_cst);
    r->sequence++;
}

void netd_record_write(struct netd_record *r, uint32_t id, uint32_t port,
                       const struct netd_old_client *client)
{
    begin(r);
    r->id = id;
    r->port = port;
    memset(&r->client, 0, sizeof(r->client));
    if (client)
        r->client = *client;
    memset(&r->counters, 0, sizeof(r->counters));
    end(r);
}

void netd_record_clear(struct netd_record *r)
{
    netd_record_write(r, 0, 0, NULL);
}
