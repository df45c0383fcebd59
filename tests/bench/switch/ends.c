#include "tests/bench/switch/frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct hello {
    uint32_t magic, version, type;
    struct sockaddr_un address;
};

void frames_die(const char *what)
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
        frames_die(path);
    return fd;
}

/* An abstract name, as the kernel's daemon transport has it; for vde_switch just as good. */
static struct frames_end open_uml(const char *path, int number)
{
    struct hello hello = {0xfeedface, 3, 0, {.sun_family = AF_UNIX}};
    struct frames_end e = {.control = connect_to(SOCK_STREAM, path)};

    snprintf(hello.address.sun_path + 1, sizeof(hello.address.sun_path) - 1, "frames/%d/%d",
             (int)getpid(), number);
    e.data = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(e.data, (struct sockaddr *)&hello.address, FRAMES_ADDRESS) != 0)
        frames_die("bind");
    if (write(e.control, &hello, sizeof(hello)) != sizeof(hello) ||
        read(e.control, &e.to, FRAMES_ADDRESS) != FRAMES_ADDRESS)
        frames_die("no answer from the switch");
    return e;
}

void frames_open(const char *kind, const char *path, struct frames_end *ends, int count)
{
    char control[200];

    snprintf(control, sizeof(control), strcmp(kind, "vde") == 0 ? "%s/ctl" : "%s", path);
    for (int i = 0; i < count; i++) {
        if (strcmp(kind, "seqpacket") == 0)
            ends[i] = (struct frames_end){.data = connect_to(SOCK_SEQPACKET, path), .control = -1};
        else
            ends[i] = open_uml(control, i);
    }
}

void frames_fill(uint8_t *frame, int size, int from, int to, enum frames_type type)
{
    const uint8_t head[14] = {2,
                              0,
                              0,
                              0,
                              (uint8_t)(to >> 8),
                              (uint8_t)to,
                              2,
                              0,
                              0,
                              0,
                              (uint8_t)(from >> 8),
                              (uint8_t)from,
                              0x88,
                              (uint8_t)type};

    memset(frame, 0, (size_t)size);
    memcpy(frame, head, sizeof(head));
    if (to < 0)
        memset(frame, 255, 6);
}

bool frames_counts(const uint8_t *frame)
{
    return frame[13] == FRAMES_COUNTED;
}

bool frames_send(const struct frames_end *e, const void *frame, size_t size)
{
    const struct sockaddr *to = e->to.sun_family ? (const struct sockaddr *)&e->to : NULL;
    ssize_t n;

    do
        n = sendto(e->data, frame, size, MSG_NOSIGNAL, to, to ? FRAMES_ADDRESS : 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}
