/*
 * The log of one console: files `<dev>.<boot>.<part>.log` seen as one stream of bytes. Positions
 * count from the oldest byte found when umlmon began; they grow across parts and boots and never
 * shrink, so a reader is one number and needs no buffer.
 */
#ifndef VMCORE_MONITOR_CONLOG_H
#define VMCORE_MONITOR_CONLOG_H

#include "vmcore/base/error.h"
#include "vmcore/monitor/proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mon_log_part {
    uint64_t boot;
    uint32_t part;
    int64_t start; /* position of its first byte */
    int64_t size;
};

struct mon_log {
    int dir; /* not owned */
    char device[MON_DEVICE_MAX];
    int64_t part_size;
    size_t part_max;
    struct mon_log_part *parts; /* oldest first; the last is being written */
    size_t count, cap;
    uint64_t boot;
    int fd;       /* of the last part, -1 after it could not be opened */
    int64_t lost; /* bytes not written since the last note */
    ssize_t (*write)(int fd, const void *data, size_t len); /* replaced in tests */
};

/* A reader. `note` is text of our own that goes before further log bytes. */
struct mon_log_reader {
    int64_t position;
    int fd; /* of the part being read: it outlives that part's removal */
    uint64_t boot;
    uint32_t part;
    int64_t part_start;
    char note[MON_ATTACH_GREETING_MAX];
    size_t note_len;
};

#define MON_LOG_READER_INIT                                                                        \
    (struct mon_log_reader)                                                                        \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/*
 * Find the parts that are there, remove surplus ones and begin a new part of `boot`. dir:
 * descriptor of the log directory, kept open by the caller.
 */
enum um_code mon_log_init(struct mon_log *l, int dir, const char *device, int64_t part_size,
                          size_t part_max, uint64_t boot, struct um_error *err)
    um_nonnull(1, 3) um_check;
void mon_log_done(struct mon_log *l) um_nonnull(1);

/* Never fails: what cannot be written is counted, and noted in the log when there is space again.
 */
void mon_log_append(struct mon_log *l, const void *data, size_t len) um_nonnull(1, 2);
void mon_log_new_boot(struct mon_log *l, uint64_t boot) um_nonnull(1);
int64_t mon_log_end(const struct mon_log *l) um_nonnull(1);

/* back: as in struct mon_attach. */
void mon_log_reader_start(const struct mon_log *l, struct mon_log_reader *r, int64_t back)
    um_nonnull(1, 2);
void mon_log_reader_done(struct mon_log_reader *r) um_nonnull(1);
/* Show a line of umlmon's own before further output; dropped if there is no room. */
void mon_log_reader_note(struct mon_log_reader *r, const char *fmt, ...) um_nonnull(1, 2)
    um_format(2, 3);

/* The same with any bytes. False: there is no room. */
bool mon_log_reader_put(struct mon_log_reader *r, const void *data, size_t len) um_nonnull(1, 2);

/* Next bytes without moving. 0: caught up. */
size_t mon_log_peek(const struct mon_log *l, struct mon_log_reader *r, void *buf, size_t size)
    um_nonnull(1, 2, 3);
/* n of the bytes just peeked have been delivered. */
void mon_log_advance(struct mon_log_reader *r, size_t n) um_nonnull(1);

#endif
