/*
 * Listeners that umld gives: the socket stays its own, so that it can give it to the next umlnetd.
 */
#include "netd/managed.h"
#include "netd/policy.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct netd_managed_listener *find(struct netd_managed *m, uint32_t id)
{
    for (int i = 0; i < NETD_LISTENERS_MAX; i++) {
        if (m->listeners[i].said.id == id)
            return &m->listeners[i];
    }
    return NULL;
}

static const char *config_of(const struct netd_managed *m, const struct netd_ctl_listen *said,
                             struct netd_port_config *ret)
{
    const char *wrong = netd_policy_check(&said->policy, &m->network, ret);

    if (!wrong)
        snprintf(ret->name, sizeof(ret->name), "%s", said->name);
    return wrong;
}

static void drop(struct netd_managed_listener *l)
{
    netd_listener_free(l->listener);
    um_fd_close(&l->fd);
    memset(l, 0, sizeof(*l));
    l->fd = -1;
}

/* The trunk's VLANs are copied by each port, at any time: they must be where they stay. */
static int begin(struct netd_managed *m, struct netd_managed_listener *l,
                 const struct netd_ctl_listen *said, int *fd, const char **why)
{
    struct netd_port_config config;
    struct um_error err = UM_ERROR_INIT;

    drop(l);
    l->said = *said;
    *why = config_of(m, &l->said, &config);
    if (!*why && netd_listener_take(&m->io, (enum netd_listener_kind)said->kind, *fd,
                                    netd_state_key(m->state), &config, &l->listener, &err) != UM_OK)
        *why =
            "no listening socket of the kind's type, not bound by an absolute path, or no memory";
    if (*why) {
        drop(l);
        return EINVAL;
    }
    l->fd = *fd;
    *fd = -1;
    return 0;
}

static int configure(struct netd_managed *m, struct netd_managed_listener *l,
                     const struct netd_ctl_listen *said, const char **why)
{
    struct netd_ctl_listen before = l->said;
    struct netd_port_config config;

    l->said = *said;
    *why = config_of(m, &l->said, &config);
    if (*why) {
        l->said = before;
        return EINVAL;
    }
    *why = "no memory";
    return netd_listener_configure(l->listener, &config) ? 0 : ENOMEM;
}

int netd_listen_put(struct netd_managed *m, const struct netd_ctl_listen *said, int fds[2],
                    const char **why)
{
    struct netd_managed_listener *l = find(m, said->id);
    int errnum;

    *why = "a listener has an id, a kind that there is, and a name";
    if (!said->id || said->kind >= NETD_LISTENER_KINDS ||
        !netd_text_ok(said->name, sizeof(said->name)))
        return EINVAL;
    *why = "there is no such listener yet: it needs its socket";
    if (!l && fds[0] < 0)
        return ENOENT;
    *why = "too many listeners";
    if (!l)
        l = find(m, 0);
    if (!l)
        return ENOSPC;
    if (fds[0] >= 0)
        errnum = begin(m, l, said, &fds[0], why);
    else if (l->said.kind != said->kind)
        errnum = EINVAL;
    else
        errnum = configure(m, l, said, why);
    if (errnum == 0)
        l->generation = m->generation;
    return errnum;
}

int netd_listen_refresh(struct netd_managed *m, const char **why)
{
    int errnum = 0;

    for (int i = 0; i < NETD_LISTENERS_MAX && errnum == 0; i++) {
        struct netd_ctl_listen said = m->listeners[i].said;

        if (said.id)
            errnum = configure(m, &m->listeners[i], &said, why);
    }
    return errnum;
}

void netd_listen_sweep(struct netd_managed *m, bool all)
{
    for (int i = 0; i < NETD_LISTENERS_MAX; i++) {
        struct netd_managed_listener *l = &m->listeners[i];

        if (l->said.id && (all || l->generation != m->generation))
            drop(l);
    }
}
