/*
 * Raw frames through a switch, as its clients see it.
 *
 *   frames KIND PATH SIZE SECONDS rate          one sends, blocking where it is made to wait, one
 * counts frames KIND PATH SIZE SECONDS fan N         one sends broadcasts, N count frames KIND PATH
 * SIZE SECONDS many N T      of N, T talk in pairs; the others are silent frames KIND PATH SIZE
 * SECONDS trip          round trips, one at a time frames KIND PATH SIZE 0 hold N              N
 * connect; until standard input ends
 *
 * KIND is `uml` (uml_switch protocol v3 at the control socket PATH), `vde` (the same, directory
 * PATH), `seqpacket`, or `relay` and `relay-seqpacket`: the floor, a relay of our own that looks
 * into no frame; PATH is not used. Prints one JSON object. Exit status 1: no connection.
 */
#include "tests/bench/switch/frames.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In memory that all processes share. */
struct counts {
    volatile uint64_t sent, received; /* sent: a broadcast counts for each who is to get it */
    volatile int64_t last_ns;
};

struct run {
    struct frames_end *ends;
    int count;
    int talking; /* of them, the first ones; end 0 to all others (fan), or pairs */
    bool fan;
    int size;
    double seconds;
    struct counts *counts;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Silent ones read what everybody gets. */
static bool receives(const struct run *r, int i)
{
    return i >= r->talking || (r->fan ? i > 0 : i % 2 == 1);
}

/* Switches learn where the frames go before they are counted. */
static void introduce(const struct run *r)
{
    uint8_t frame[FRAMES_MAX];

    for (int i = 0; i < r->talking && !r->fan; i++) {
        frames_fill(frame, r->size, i, i ^ 1, FRAMES_INTRODUCTION);
        if (!frames_send(&r->ends[i], frame, (size_t)r->size))
            frames_die("send");
    }
    usleep(100000);
}

static void run_senders(const struct run *r, int64_t end_ns)
{
    enum { TURN = 32 };
    int step = r->fan ? r->talking : 2;
    uint8_t frame[FRAMES_MAX];

    do {
        for (int i = 0; i < r->talking; i += step) {
            frames_fill(frame, r->size, i, r->fan ? -1 : i + 1, FRAMES_COUNTED);
            for (int k = 0; k < TURN; k++) {
                if (!frames_send(&r->ends[i], frame, (size_t)r->size))
                    frames_die("send");
            }
            r->counts->sent += TURN * (uint64_t)(r->fan ? r->talking - 1 : 1);
        }
    } while (now_ns() < end_ns);
    _exit(0);
}

static void receive(struct counts *counts, int fd, int size)
{
    static uint8_t area[FRAMES_BATCH][2048];
    static struct iovec pieces[FRAMES_BATCH];
    static struct mmsghdr messages[FRAMES_BATCH];
    int count;

    for (int i = 0; i < FRAMES_BATCH; i++) {
        pieces[i] = (struct iovec){area[i], sizeof(area[i])};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    count = recvmmsg(fd, messages, FRAMES_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        counts->received += (int)messages[i].msg_len == size && frames_counts(area[i]);
    counts->last_ns = now_ns();
}

static void run_receivers(const struct run *r)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; i < r->count; i++) {
        if (receives(r, i))
            epoll_ctl(epoll, EPOLL_CTL_ADD, r->ends[i].data,
                      &(struct epoll_event){.events = EPOLLIN, .data.fd = r->ends[i].data});
    }
    for (;;) {
        struct epoll_event ready[FRAMES_BATCH];
        int n = epoll_wait(epoll, ready, FRAMES_BATCH, -1);

        for (int k = 0; k < n; k++)
            receive(r->counts, ready[k].data.fd, r->size);
    }
}

/* Until nothing has come for a fifth of a second. */
static void await_last(const struct counts *counts)
{
    uint64_t before;

    do {
        before = counts->received;
        usleep(200000);
    } while (counts->received != before);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void measure_rate(const struct run *r)
{
    struct counts *c = r->counts;
    pid_t receiver, sender;
    int64_t begin;

    receiver = fork();
    if (receiver == 0)
        run_receivers(r);
    introduce(r);
    begin = now_ns();
    sender = fork();
    if (sender == 0)
        run_senders(r, begin + (int64_t)(r->seconds * 1e9));
    waitpid(sender, NULL, 0);
    await_last(c);
    end(receiver);
    printf("{\"sent\": %llu, \"received\": %llu, \"per_second\": %.0f, \"lost_percent\": %.4f",
           (unsigned long long)c->sent, (unsigned long long)c->received,
           c->received ? (double)c->received / ((double)(c->last_ns - begin) / 1e9) : 0.0,
           100.0 * (double)(c->sent - c->received) / (double)c->sent);
}

static void run_echo(const struct frames_end *e, int size)
{
    uint8_t frame[FRAMES_MAX], answer[FRAMES_MAX];

    frames_fill(answer, size, 1, 0, FRAMES_COUNTED);
    while (recv(e->data, frame, sizeof(frame), 0) > 0) {
        if (frames_counts(frame) && !frames_send(e, answer, (size_t)size))
            _exit(1);
    }
    _exit(0);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void make_trip(const struct run *r, const uint8_t *frame)
{
    uint8_t answer[FRAMES_MAX];

    if (!frames_send(&r->ends[0], frame, (size_t)r->size))
        frames_die("round trip");
    do {
        if (recv(r->ends[0].data, answer, sizeof(answer), 0) != r->size)
            frames_die("round trip");
    } while (!frames_counts(answer));
}

static void measure_trips(const struct run *r)
{
    enum { TRIPS_MAX = 1 << 20 };
    int64_t *trips = malloc(TRIPS_MAX * sizeof(*trips));
    int64_t stop, begin, median, late;
    uint8_t frame[FRAMES_MAX];
    int count = 0;
    pid_t echo;

    /* Nothing is lost with one under way; if it is, that is an error and no endless wait. */
    setsockopt(r->ends[0].data, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20},
               sizeof(struct timeval));
    introduce(r);
    echo = fork();
    if (echo == 0)
        run_echo(&r->ends[1], r->size);
    frames_fill(frame, r->size, 0, 1, FRAMES_COUNTED);
    stop = now_ns() + (int64_t)(r->seconds * 1e9);
    do {
        begin = now_ns();
        make_trip(r, frame);
        trips[count++] = now_ns() - begin;
    } while (begin < stop && count < TRIPS_MAX);
    end(echo);
    qsort(trips, (size_t)count, sizeof(*trips), compare);
    median = trips[count / 2];
    late = trips[count - 1 - count / 100];
    printf("{\"trips\": %d, \"p50_us\": %.2f, \"p99_us\": %.2f", count, (double)median / 1e3,
           (double)late / 1e3);
    free(trips);
}

static void hold(const struct run *r)
{
    char byte;

    printf("ready\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    printf("{\"held\": %d", r->count);
}

static const struct {
    const char *name;
    int words;   /* more words: N, T */
    int count;   /* ends; 0: N, and for `fan` the sender */
    int talking; /* 0: T, or all */
    void (*measure)(const struct run *r);
} modes[] = {
    {"rate", 0, 2, 2, measure_rate}, {"trip", 0, 2, 2, measure_trips},
    {"fan", 1, 0, 0, measure_rate},  {"many", 2, 0, 0, measure_rate},
    {"hold", 1, 0, 0, hold},
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

/* Index of the mode, or -1. */
static int read_mode(int argc, char **argv, struct run *r)
{
    for (int i = 0; argc > 5 && i < MODES; i++) {
        if (strcmp(argv[5], modes[i].name) != 0 || argc != 6 + modes[i].words)
            continue;
        r->fan = strcmp(argv[5], "fan") == 0;
        r->count = modes[i].count ? modes[i].count : atoi(argv[6]) + r->fan;
        r->talking = argc > 7 ? atoi(argv[7]) : r->count;
        r->size = atoi(argv[3]);
        r->seconds = atof(argv[4]);
        return r->size >= 14 && r->size <= 2048 && r->count >= 2 && r->talking <= r->count ? i : -1;
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct run r = {.fan = false};
    struct rusage usage = {.ru_utime = {0}};
    int mode = read_mode(argc, argv, &r);
    pid_t relay = 0;

    r.counts =
        mmap(NULL, sizeof(*r.counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mode < 0 || r.counts == MAP_FAILED) {
        fputs("usage: frames uml|vde|seqpacket|relay|relay-seqpacket PATH SIZE SECONDS "
              "rate|trip|fan N|many N T|hold N\n",
              stderr);
        return 2;
    }
    r.ends = calloc((size_t)r.count, sizeof(*r.ends));
    if (strncmp(argv[1], "relay", 5) == 0)
        relay = frames_relay(strcmp(argv[1], "relay") != 0, r.fan, r.ends, r.count);
    else
        frames_open(argv[1], argv[2], r.ends, r.count);
    modes[mode].measure(&r);
    if (relay) {
        kill(relay, SIGKILL);
        wait4(relay, NULL, 0, &usage);
    }
    printf(", \"relay_cpu\": %.4f}\n",
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    free(r.ends);
    return 0;
}
