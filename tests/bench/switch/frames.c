/*
 * Raw frames through a switch, as its clients see it: one process sends for some time, blocking
 * where it is made to wait, another counts what arrives. Or round trips, one at a time.
 *
 *   frames KIND PATH SIZE SECONDS [trip]
 *
 * KIND is `uml` (uml_switch protocol v3 at the control socket PATH), `vde` (the same, directory
 * PATH), `seqpacket`, or `relay` and `relay-seqpacket`: the floor, a relay of our own between the
 * two that looks into no frame; PATH is not used. Prints one JSON object. Exit status 1: no
 * connection.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_MAX = 65536, ADDRESS = sizeof(struct sockaddr_un) };

struct end {
    int data;
    int control;
    struct sockaddr_un to; /* where frames go; family 0: the socket is connected */
};

/* In memory that all processes share. */
struct counts {
    volatile uint64_t sent, received;
    volatile int64_t last_ns;
    volatile bool stop;
};

struct hello {
    uint32_t magic, version, type;
    struct sockaddr_un address;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(int type, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        die(path);
    return fd;
}

static struct sockaddr_un abstract_name(const char *what, int number)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "frames/%d/%s%d", (int)getpid(), what, number);
    return a;
}

/* An abstract name, as the kernel's daemon transport has it; for vde_switch just as good. */
static struct end open_uml(const char *path, int number)
{
    struct hello hello = {0xfeedface, 3, 0, {.sun_family = AF_UNIX}};
    struct end e = {.control = connect_to(SOCK_STREAM, path)};

    hello.address = abstract_name("client", number);
    e.data = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(e.data, (struct sockaddr *)&hello.address, ADDRESS) != 0)
        die("bind");
    if (write(e.control, &hello, sizeof(hello)) != sizeof(hello) ||
        read(e.control, &e.to, ADDRESS) != ADDRESS)
        die("no answer from the switch");
    return e;
}

static void open_ends(const char *kind, const char *path, struct end ends[2])
{
    char control[200];

    for (int i = 0; i < 2; i++) {
        if (strcmp(kind, "seqpacket") == 0) {
            ends[i] = (struct end){.data = connect_to(SOCK_SEQPACKET, path), .control = -1};
            continue;
        }
        snprintf(control, sizeof(control), strcmp(kind, "vde") == 0 ? "%s/ctl" : "%s", path);
        ends[i] = open_uml(control, i);
    }
}

static void make_frame(uint8_t *frame, int size, int from, int to)
{
    memset(frame, 0, (size_t)size);
    memcpy(frame, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)to, 2, 0, 0, 0, 0, (uint8_t)from, 8, 0}, 14);
}

static bool send_one(const struct end *e, const void *frame, size_t size)
{
    const struct sockaddr *to = e->to.sun_family ? (const struct sockaddr *)&e->to : NULL;
    ssize_t n;

    do
        n = sendto(e->data, frame, size, MSG_NOSIGNAL, to, to ? ADDRESS : 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

/* uml_switch learns where the frames go before they are counted. */
static void introduce(const struct end *e, int size, int from, int to)
{
    uint8_t frame[FRAME_MAX];

    make_frame(frame, size, from, to);
    if (!send_one(e, frame, (size_t)size))
        die("send");
}

static void run_sender(const struct end *e, int size, int64_t end_ns, struct counts *counts)
{
    uint8_t frame[FRAME_MAX];

    make_frame(frame, size, 1, 2);
    do {
        for (int i = 0; i < 32; i++) {
            if (!send_one(e, frame, (size_t)size))
                die("send");
            counts->sent++;
        }
    } while (now_ns() < end_ns);
    _exit(0);
}

static void run_receiver(const struct end *e, int size, struct counts *counts)
{
    uint8_t frame[FRAME_MAX];

    for (;;) {
        ssize_t n = recv(e->data, frame, sizeof(frame), 0);

        if (n == size && frame[5] == 2) {
            if (counts->received++ % 16 == 0)
                counts->last_ns = now_ns();
        } else if (n <= 0) {
            _exit(1);
        }
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

static pid_t spawn_receiver(const struct end *e, int size, struct counts *counts)
{
    pid_t pid = fork();

    if (pid == 0)
        run_receiver(e, size, counts);
    return pid;
}

static void measure_rate(struct end ends[2], int size, double seconds, struct counts *counts)
{
    pid_t receiver, sender;
    int64_t begin;
    double rate = 0;

    introduce(&ends[1], size, 2, 1);
    usleep(50000);
    receiver = spawn_receiver(&ends[1], size, counts);
    begin = now_ns();
    sender = fork();
    if (sender == 0)
        run_sender(&ends[0], size, begin + (int64_t)(seconds * 1e9), counts);
    waitpid(sender, NULL, 0);
    await_last(counts);
    kill(receiver, SIGKILL);
    waitpid(receiver, NULL, 0);
    if (counts->received)
        rate = (double)counts->received / ((double)(counts->last_ns - begin) / 1e9);
    printf("{\"sent\": %llu, \"received\": %llu, \"per_second\": %.0f, \"lost_percent\": %.4f}\n",
           (unsigned long long)counts->sent, (unsigned long long)counts->received, rate,
           100.0 * (double)(counts->sent - counts->received) / (double)counts->sent);
}

static void run_echo(const struct end *e, int size)
{
    uint8_t frame[FRAME_MAX], answer[FRAME_MAX];

    make_frame(answer, size, 2, 1);
    while (recv(e->data, frame, sizeof(frame), 0) > 0) {
        if (frame[5] == 2 && !send_one(e, answer, (size_t)size))
            _exit(1);
    }
    _exit(0);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void measure_trips(struct end ends[2], int size, double seconds)
{
    enum { TRIPS_MAX = 1 << 20 };
    int64_t *trips = malloc(TRIPS_MAX * sizeof(*trips));
    uint8_t frame[FRAME_MAX], answer[FRAME_MAX];
    int64_t end = now_ns() + (int64_t)(seconds * 1e9), begin;
    int count = 0;
    pid_t echo;

    /* Nothing is lost with one under way; if it is, that is an error and no endless wait. */
    setsockopt(ends[0].data, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20},
               sizeof(struct timeval));
    introduce(&ends[1], size, 2, 1);
    echo = fork();
    if (echo == 0)
        run_echo(&ends[1], size);
    make_frame(frame, size, 1, 2);
    recv(ends[0].data, answer, sizeof(answer), 0); /* the introduction */
    do {
        begin = now_ns();
        if (!send_one(&ends[0], frame, (size_t)size) ||
            recv(ends[0].data, answer, sizeof(answer), 0) != size)
            die("round trip");
        trips[count++] = now_ns() - begin;
    } while (begin < end && count < TRIPS_MAX);
    kill(echo, SIGKILL);
    waitpid(echo, NULL, 0);
    qsort(trips, (size_t)count, sizeof(*trips), compare);
    printf("{\"trips\": %d, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", count,
           (double)trips[count / 2] / 1e3, (double)trips[count * 99 / 100] / 1e3);
    free(trips);
}

/* One direction of the floor: a batch in, the same batch out. */
static void relay_one(int from, int to, struct mmsghdr *messages)
{
    int count = recvmmsg(from, messages, BATCH, MSG_DONTWAIT, NULL), done = 0;

    for (int i = 0; i < count; i++)
        messages[i].msg_hdr.msg_iov->iov_len = messages[i].msg_len;
    while (done < count) {
        int n = sendmmsg(to, messages + done, (unsigned)(count - done), MSG_NOSIGNAL);

        if (n < 0)
            _exit(1);
        done += n;
    }
    for (int i = 0; i < count; i++)
        messages[i].msg_hdr.msg_iov->iov_len = FRAME_MAX;
}

static void run_relay(int a, int b)
{
    static uint8_t area[BATCH][FRAME_MAX + 64];
    static struct iovec pieces[BATCH];
    static struct mmsghdr messages[BATCH];
    struct pollfd polls[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};

    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){area[i], FRAME_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    for (;;) {
        poll(polls, 2, -1);
        if (polls[0].revents)
            relay_one(a, b, messages);
        if (polls[1].revents)
            relay_one(b, a, messages);
    }
}

/* The client's end as of the protocol: not connected, it sends to a name. */
static int join_datagram(struct end *e, int number)
{
    struct sockaddr_un client = abstract_name("client", number);
    int relay = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    e->to = abstract_name("relay", number);
    e->data = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(e->data, (struct sockaddr *)&client, ADDRESS) != 0 ||
        connect(relay, (struct sockaddr *)&client, ADDRESS) != 0 ||
        bind(relay, (struct sockaddr *)&e->to, ADDRESS) != 0)
        die("bind");
    return relay;
}

static int join_seqpacket(struct end *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    e->data = pair[0];
    return pair[1];
}

static pid_t spawn_relay(bool seqpacket, struct end ends[2])
{
    int inner[2];
    pid_t pid;

    for (int i = 0; i < 2; i++) {
        ends[i] = (struct end){.control = -1};
        inner[i] = seqpacket ? join_seqpacket(&ends[i]) : join_datagram(&ends[i], i);
    }
    pid = fork();
    if (pid == 0)
        run_relay(inner[0], inner[1]);
    close(inner[0]);
    close(inner[1]);
    return pid;
}

int main(int argc, char **argv)
{
    struct end ends[2];
    struct counts *counts =
        mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t relay = 0;
    int size = argc > 3 ? atoi(argv[3]) : 0;

    if (argc < 5 || counts == MAP_FAILED || size < 14 || size > FRAME_MAX) {
        fputs("usage: frames uml|vde|seqpacket|relay|relay-seqpacket PATH SIZE SECONDS [trip]\n",
              stderr);
        return 2;
    }
    if (strncmp(argv[1], "relay", 5) == 0)
        relay = spawn_relay(strcmp(argv[1], "relay") != 0, ends);
    else
        open_ends(argv[1], argv[2], ends);
    if (argc > 5)
        measure_trips(ends, size, atof(argv[4]));
    else
        measure_rate(ends, size, atof(argv[4]), counts);
    if (relay) {
        kill(relay, SIGKILL);
        waitpid(relay, NULL, 0);
    }
    return 0;
}
