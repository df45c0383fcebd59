#include "netd/shared_socket.h"

#include "netd/uml_hello.h"
#include "vmcore/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BUCKETS = 1024 };

struct netd_member {
    struct netd_shared *shared;
    struct sockaddr_un address; /* all of it counts; behind the NUL of a path there are zeros */
    struct netd_link *link;
    bool held;
    struct netd_member *next; /* in its bucket */
};

struct netd_shared {
    struct netd_io *io;
    struct netd_socket_file file;
    struct um_watch *watch;
    uint32_t held; /* members: while there are any, nobody is read */
    uint64_t strangers;
    struct netd_member *buckets[BUCKETS];
    struct sockaddr_un senders[NETD_BATCH];
    struct mmsghdr messages[NETD_BATCH];
};

/* What a client writes behind the NUL of a path is not part of it. */
static void clean(struct sockaddr_un *a)
{
    size_t len = a->sun_path[0] ? strnlen(a->sun_path, sizeof(a->sun_path)) : sizeof(a->sun_path);

    memset(a->sun_path + len, 0, sizeof(a->sun_path) - len);
}

/* FNV-1a. A client that makes collisions slows its own kind down, by as many as there are ports. */
static struct netd_member **bucket_of(struct netd_shared *s, const struct sockaddr_un *a)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < sizeof(a->sun_path); i++)
        hash = (hash ^ (uint8_t)a->sun_path[i]) * 16777619u;
    return &s->buckets[hash % BUCKETS];
}

static struct netd_member *find(struct netd_shared *s, const struct sockaddr_un *a)
{
    struct netd_member *m = *bucket_of(s, a);

    while (m && memcmp(&m->address, a, sizeof(*a)) != 0)
        m = m->next;
    return m;
}

static void on_hold(void *arg, bool on)
{
    struct netd_member *m = arg;

    if (m->held == !on)
        return;
    m->held = !on;
    if (m->held)
        m->shared->held++;
    else
        m->shared->held--;
    um_watch_set(m->shared->watch, m->shared->held ? 0 : UM_READ);
}

static void pass_on(struct netd_shared *s, int first, int end)
{
    struct netd_member *m = find(s, &s->senders[first]);

    if (m)
        (void)netd_switch_input(s->io->sw, netd_link_port(m->link), s->io->rx.frames + first,
                                end - first, um_clock_mono_ns());
    else
        s->strangers += (uint64_t)(end - first);
}

/* How many messages came; family AF_UNSPEC: from one without a name that could be registered. */
static int receive(struct netd_shared *s)
{
    int count;

    for (int i = 0; i < NETD_BATCH; i++) {
        s->senders[i] = (struct sockaddr_un){.sun_family = AF_UNSPEC};
        s->messages[i].msg_hdr = (struct msghdr){.msg_name = &s->senders[i],
                                                 .msg_namelen = sizeof(s->senders[i]),
                                                 .msg_iov = &s->io->rx.pieces[i],
                                                 .msg_iovlen = 1};
    }
    count = recvmmsg(s->file.fd, s->messages, NETD_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
    for (int i = 0; i < count; i++) {
        s->io->rx.frames[i] = (struct iovec){s->io->rx.pieces[i].iov_base, s->messages[i].msg_len};
        /* The protocol's abstract names have all 108 bytes; a shorter one is another name. */
        if (!s->senders[i].sun_path[0] && s->messages[i].msg_hdr.msg_namelen != NETD_HELLO_ADDRESS)
            s->senders[i].sun_family = AF_UNSPEC;
    }
    return count;
}

/* Frames of one sender that came one after the other go in together. */
static void on_frames(um_unused int fd, um_unused unsigned ready, void *arg)
{
    struct netd_shared *s = arg;
    int count = receive(s), first = 0;

    for (int i = 1; i <= count; i++) {
        if (i < count && memcmp(&s->senders[i], &s->senders[first], sizeof(s->senders[i])) == 0)
            continue;
        pass_on(s, first, i);
        first = i;
    }
}

enum um_code netd_shared_new(struct netd_io *io, const char *path, const struct netd_access *access,
                             struct netd_shared **ret, struct um_error *err)
{
    struct netd_shared *s = calloc(1, sizeof(*s));
    enum um_code code;

    if (!s)
        return um_fail(err, UM_E_NO_RESOURCES, path, NULL, "no memory");
    s->io = io;
    s->file = NETD_SOCKET_FILE_INIT;
    code = netd_socket_file_open(path, SOCK_DGRAM, access, &s->file, err);
    if (code == UM_OK && !(s->watch = um_watch_new(io->loop, s->file.fd, UM_READ, on_frames, s)))
        code = um_fail(err, UM_E_NO_RESOURCES, path, NULL, "no memory");
    if (code == UM_OK)
        *ret = s;
    else
        netd_shared_free(s);
    return code;
}

void netd_shared_free(struct netd_shared *s)
{
    if (!s)
        return;
    um_watch_free(s->watch);
    netd_socket_file_close(&s->file);
    free(s);
}

struct netd_member *netd_shared_join(struct netd_shared *s, const struct sockaddr_un *address,
                                     struct netd_link *link)
{
    struct netd_member *m = calloc(1, sizeof(*m));
    struct netd_member **bucket;

    if (!m)
        return NULL;
    *m = (struct netd_member){.shared = s, .address = *address, .link = link};
    clean(&m->address);
    bucket = bucket_of(s, &m->address);
    m->next = *bucket;
    *bucket = m;
    netd_link_fed(link, on_hold, m);
    return m;
}

void netd_shared_leave(struct netd_member *m)
{
    struct netd_member **at;

    if (!m)
        return;
    on_hold(m, true);
    for (at = bucket_of(m->shared, &m->address); *at != m; at = &(*at)->next)
        ;
    *at = m->next;
    free(m);
}

uint64_t netd_shared_strangers(const struct netd_shared *s)
{
    return s->strangers;
}
