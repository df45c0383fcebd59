/* The parts of `frames`: clients of a switch, and the floor that a switch is compared with. */
#ifndef TESTS_BENCH_SWITCH_FRAMES_H
#define TESTS_BENCH_SWITCH_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

enum { FRAMES_BATCH = 64, FRAMES_MAX = 65536, FRAMES_ADDRESS = sizeof(struct sockaddr_un) };

/* One client. */
struct frames_end {
    int data;
    int control;
    struct sockaddr_un to; /* where frames go; family 0: the socket is connected */
};

void frames_die(const char *what) __attribute__((noreturn));

/* count clients of a switch; kind is `uml`, `vde` or `seqpacket`. */
void frames_open(const char *kind, const char *path, struct frames_end *ends, int count);
/* Blocks where the switch makes it wait. False with errno set. */
bool frames_send(const struct frames_end *e, const void *frame, size_t size);

enum frames_type { FRAMES_COUNTED = 0xb5, FRAMES_INTRODUCTION = 0xb6 };

/* From the client of that number to another one, to: -1 everybody. */
void frames_fill(uint8_t *frame, int size, int from, int to, enum frames_type type);
bool frames_counts(const uint8_t *frame);

/*
 * The floor: a process that takes batches and passes them on unread, over the kind of sockets that
 * a switch has. fan: what end 0 sends goes to all others; else end 2i and end 2i + 1 are pairs.
 */
pid_t frames_relay(bool seqpacket, bool fan, struct frames_end *ends, int count);

#endif
