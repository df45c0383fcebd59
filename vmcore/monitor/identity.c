/*
 * Who the guest is for the host: between fork and exec of the sandbox its process joins the guest's
 * control groups and enters a user namespace of its own, in which umld's user is 0 and may set the
 * sandbox up, and the guest's uid exists. umlinit then becomes that uid (init.c). umlmon itself
 * stays who it is: what a guest does to its groups or its uid does not concern the monitor.
 */
#include "vmcore/monitor/monitor.h"
#include "vmcore/monitor/order.h"

#include "vmcore/base/fd.h"
#include "vmcore/base/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* cgroups(7): 0 is whoever writes. */
static int join(int procs)
{
    return procs < 0 || write(procs, "0", 1) != 1 ? errno : 0;
}

static int join_groups(const struct mon_config *c)
{
    int errnum = c->cgroup_gate ? join(ORDER_CGROUP_FD) : 0;

    for (size_t i = 0; errnum == 0 && i < c->cgroups.n; i++) {
        char path[PATH_MAX];
        um_autofd procs = -1;

        snprintf(path, sizeof(path), "%s/cgroup.procs", c->cgroups.v[i]);
        procs = open(path, O_WRONLY | O_CLOEXEC);
        errnum = join(procs);
    }
    return errnum;
}

bool mon_identity_differs(const struct mon_config *c)
{
    return c->uid != 0 || c->cgroup_gate || c->cgroups.n != 0;
}

int mon_identity_take(void *config, const char **ret_what)
{
    const struct mon_config *c = config;
    int errnum = join_groups(c);

    if (errnum) {
        *ret_what = "cannot join the guest's control groups";
        return errnum;
    }
    if (c->uid == 0)
        return 0;
    *ret_what = "cannot enter the guests' user namespace";
    errnum = um_userns_enter(ORDER_USERNS_FD);
    if (errnum)
        return errnum;
    *ret_what = "cannot make the guest's user namespace";
    return um_userns_nest((uint32_t)c->uid);
}

bool mon_identity_keep(const struct mon_config *c)
{
    return (c->uid == 0 || um_fd_set_cloexec(ORDER_USERNS_FD, true)) &&
           (!c->cgroup_gate || um_fd_set_cloexec(ORDER_CGROUP_FD, true));
}
