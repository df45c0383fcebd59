/*
 * What umld may ask, one row each: the size of the fixed part, whether bytes follow, and who does
 * it. Sizes are checked here once; the functions see whole, bounded requests.
 */
#include "vmcore/monitor/monitor.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct request {
    uint64_t connection;
    uint32_t serial;
    const void *body;
    size_t len;
    int *fds; /* MON_REQUEST_FDS; taken by whoever sets them to -1 */
};

/* The request's own function has answered it, or somebody else will. */
enum { ELSEWHERE = -1 };

/* Returns 0, an errno or ELSEWHERE; *why may be set. */
typedef int (*request_fn)(struct monitor *m, struct request *r, const char **why);

static bool device_ok(const char device[MON_DEVICE_MAX])
{
    return memchr(device, '\0', MON_DEVICE_MAX) != NULL;
}

static struct mon_console *managed_console(struct monitor *m, const char *device, const char **why)
{
    struct mon_console *c = device_ok(device) ? mon_console_find(m, device) : NULL;

    if (!c)
        *why = "there is no such console";
    return c;
}

static int do_kill(struct monitor *m, struct request *r, const char **why)
{
    if (m->state.exit_wall_ns != 0) /* it was not us who ended it */
        return 0;
    m->state.flags |= MON_F_KILLED;
    mon_control_state(m);
    mon_end_begin(m);
    return 0;
}

static int do_disown(struct monitor *m, struct request *r, const char **why)
{
    if (!m->config.stranger_pid)
        return do_kill(m, r, why);
    m->loop.stop = true;
    return 0;
}

static int do_pin(struct monitor *m, struct request *r, const char **why)
{
    struct mon_pin p;
    int errnum;

    memcpy(&p, r->body, sizeof(p));
    if (p.cpu < -1 || p.cpu > 4095)
        return EINVAL;
    errnum = mon_initlink_pin(m, r->connection, r->serial, p.cpu);
    *why = errnum == ESRCH ? "the guest is not running" : "too many requests under way";
    return errnum ? errnum : ELSEWHERE;
}

static bool take_attach(const struct request *r, struct mon_attach *ret, const char **why)
{
    memcpy(ret, r->body, sizeof(*ret));
    *why = "malformed device, flags or position";
    return device_ok(ret->device) && ret->back >= -2 &&
           (ret->flags & ~(uint32_t)(MON_ATTACH_READ_ONLY | MON_ATTACH_STEAL)) == 0;
}

static int do_attach(struct monitor *m, struct request *r, const char **why)
{
    struct mon_newcomer n = {.greeting = (const char *)r->body + sizeof(n.ask),
                             .greeting_len = r->len - sizeof(n.ask),
                             .fd = r->fds[0],
                             .early = r->fds[1]};
    struct mon_client *c;
    int errnum;

    if (!take_attach(r, &n.ask, why))
        return EINVAL;
    errnum = mon_client_new(m, &n, &c, why);
    if (errnum)
        return errnum;
    r->fds[0] = r->fds[1] = -1;
    /* umld answers the client unless it reads this first: see proto.h. */
    if (mon_control_reply(m, r->connection, r->serial, 0, ""))
        mon_client_begin(c);
    else
        mon_client_drop(c);
    return ELSEWHERE;
}

static int do_resize(struct monitor *m, struct request *r, const char **why)
{
    struct mon_resize s;
    struct mon_console *c;

    memcpy(&s, r->body, sizeof(s));
    c = managed_console(m, s.device, why);
    return c ? mon_console_resize(c, s.rows, s.columns) : ENODEV;
}

static int do_signal(struct monitor *m, struct request *r, const char **why)
{
    struct mon_signal s;

    memcpy(&s, r->body, sizeof(s));
    if (s.signo < 1 || s.signo >= NSIG)
        return EINVAL;
    *why = "the kernel's main process is not running";
    if (m->link.main_pidfd < 0)
        return ESRCH;
    return um_pidfd_signal(m->link.main_pidfd, s.signo) ? 0 : errno;
}

static int do_write(struct monitor *m, struct request *r, const char **why)
{
    struct mon_console *c;
    struct mon_write w;

    memcpy(&w, r->body, sizeof(w));
    if (w.length != r->len - sizeof(w)) {
        *why = "the length does not match the bytes";
        return EINVAL;
    }
    c = managed_console(m, w.device, why);
    if (!c)
        return ENODEV;
    *why = "the guest owns this pty: write to its path";
    if (c->config->pts)
        return EOPNOTSUPP;
    *why = "the guest does not read its console: try again later";
    if (w.length > mon_console_room(c))
        return EAGAIN;
    return mon_console_type(c, (const char *)r->body + sizeof(w), w.length) ? 0 : ENOMEM;
}

/* The bytes as text, in buf. */
static bool take_text(const struct request *r, char *buf, size_t size)
{
    if (r->len == 0 || r->len >= size || memchr(r->body, '\0', r->len))
        return false;
    memcpy(buf, r->body, r->len);
    buf[r->len] = '\0';
    return true;
}

static int do_nic(struct monitor *m, struct request *r, const char **why)
{
    struct mon_config_nic nic;
    struct um_error err = UM_ERROR_INIT;
    char value[300];

    *why = "malformed";
    if (!take_text(r, value, sizeof(value)))
        return EINVAL;
    *why = mon_config_nic(value, &nic);
    if (*why)
        return EINVAL;
    *why = "the guest is not running, or is none of ours";
    if (m->phase != MON_PHASE_RUNNING || m->config.stranger_pid)
        return ESRCH;
    if (mon_nic_add(m, &nic, &err) == UM_OK)
        return 0;
    mon_control_reply(m, r->connection, r->serial, err.code == UM_E_EXISTS ? EEXIST : EIO,
                      err.message);
    return ELSEWHERE;
}

static int do_nic_drop(struct monitor *m, struct request *r, const char **why)
{
    char device[MON_DEVICE_MAX];

    *why = "malformed";
    if (!take_text(r, device, sizeof(device)))
        return EINVAL;
    mon_nic_drop(m, device);
    return 0;
}

static const struct row {
    request_fn fn;
    size_t fixed;
    bool data;
    int fds_min, fds_max;
} rows[] = {
    [MON_KILL] = {do_kill, 0, false, 0, 0},
    [MON_PIN] = {do_pin, sizeof(struct mon_pin), false, 0, 0},
    [MON_ATTACH] = {do_attach, sizeof(struct mon_attach), true, 1, 2},
    [MON_RESIZE] = {do_resize, sizeof(struct mon_resize), false, 0, 0},
    [MON_SIGNAL] = {do_signal, sizeof(struct mon_signal), false, 0, 0},
    [MON_WRITE] = {do_write, sizeof(struct mon_write), true, 0, 0},
    [MON_DISOWN] = {do_disown, 0, false, 0, 0},
    [MON_NIC] = {do_nic, 0, true, 0, 0},
    [MON_NIC_DROP] = {do_nic_drop, 0, true, 0, 0},
};

static bool well_formed(const struct row *row, const struct request *r)
{
    int fds = 0;

    while (fds < MON_REQUEST_FDS && r->fds[fds] >= 0)
        fds++;
    return row && row->fn && r->len >= row->fixed && (r->len == row->fixed || row->data) &&
           fds >= row->fds_min && fds <= row->fds_max;
}

bool mon_request(struct monitor *m, uint64_t connection, const struct mon_header *h,
                 const char *body, int fds[MON_REQUEST_FDS])
{
    const struct row *row = h->type < UM_ARRAY_LEN(rows) ? &rows[h->type] : NULL;
    struct request r = {
        .connection = connection, .serial = h->serial, .body = body, .len = h->length, .fds = fds};
    bool ok = well_formed(row, &r);
    const char *why = NULL;
    int errnum = ok ? row->fn(m, &r, &why) : ELSEWHERE;

    for (int i = 0; i < MON_REQUEST_FDS; i++)
        um_fd_close(&fds[i]);
    if (errnum != ELSEWHERE)
        mon_control_reply(m, connection, h->serial, errnum,
                          errnum == 0 ? "" : (why ? why : strerror(errnum)));
    return ok;
}
