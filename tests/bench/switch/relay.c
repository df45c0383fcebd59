#include "tests/bench/switch/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t area[FRAMES_BATCH][FRAMES_MAX + 64];
static struct iovec pieces[FRAMES_BATCH];
static struct mmsghdr messages[FRAMES_BATCH];

static void send_batch(int to, int count)
{
    for (int done = 0; done < count;) {
        int n = sendmmsg(to, messages + done, (unsigned)(count - done), MSG_NOSIGNAL);

        if (n < 0)
            _exit(1);
        done += n;
    }
}

static int receive_batch(int from)
{
    int count;

    for (int i = 0; i < FRAMES_BATCH; i++)
        pieces[i].iov_len = FRAMES_MAX;
    count = recvmmsg(from, messages, FRAMES_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        pieces[i].iov_len = messages[i].msg_len;
    return count;
}

static void run(bool fan, const int *fds, int count)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (int i = 0; i < FRAMES_BATCH; i++) {
        pieces[i].iov_base = area[i];
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < (fan ? 1 : count); i++)
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i],
                  &(struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)i});
    for (;;) {
        struct epoll_event ready[FRAMES_BATCH];
        int n = epoll_wait(epoll, ready, FRAMES_BATCH, -1);

        for (int k = 0; k < n; k++) {
            int from = (int)ready[k].data.u32, got = receive_batch(fds[from]);

            for (int to = 1; fan && to < count; to++)
                send_batch(fds[to], got);
            if (!fan)
                send_batch(fds[from ^ 1], got);
        }
    }
}

/* The client's end as of the protocol: not connected, it sends to a name. */
static int join_datagram(struct frames_end *e, int number)
{
    struct sockaddr_un client = {.sun_family = AF_UNIX};
    int relay = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    e->to = client;
    snprintf(client.sun_path + 1, sizeof(client.sun_path) - 1, "frames/%d/%d", (int)getpid(),
             number);
    snprintf(e->to.sun_path + 1, sizeof(e->to.sun_path) - 1, "frames/%d/relay%d", (int)getpid(),
             number);
    e->data = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(e->data, (struct sockaddr *)&client, FRAMES_ADDRESS) != 0 ||
        connect(relay, (struct sockaddr *)&client, FRAMES_ADDRESS) != 0 ||
        bind(relay, (struct sockaddr *)&e->to, FRAMES_ADDRESS) != 0)
        frames_die("bind");
    return relay;
}

static int join_seqpacket(struct frames_end *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        frames_die("socketpair");
    e->data = pair[0];
    return pair[1];
}

pid_t frames_relay(bool seqpacket, bool fan, struct frames_end *ends, int count)
{
    int *inner = malloc((size_t)count * sizeof(*inner));
    pid_t pid;

    for (int i = 0; i < count; i++) {
        ends[i] = (struct frames_end){.control = -1};
        inner[i] = seqpacket ? join_seqpacket(&ends[i]) : join_datagram(&ends[i], i);
    }
    pid = fork();
    if (pid == 0)
        run(fan, inner, count);
    for (int i = 0; i < count; i++)
        close(inner[i]);
    free(inner);
    return pid;
}
