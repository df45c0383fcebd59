#include "netd/tap.h"

#include "vmcore/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

static enum um_code refused(int errnum, const char *name, struct um_error *err)
{
    switch (errnum) {
    case EPERM:
        um_fail_errno(err, errnum, name, "cannot attach to the tap device");
        return um_hint(err, "have it made for this user: ip tuntap add %s mode tap user NAME",
                       name);
    case EBUSY:
        um_fail(err, UM_E_BUSY, name, NULL, "another program is attached to the tap device");
        return err ? err->code : UM_E_BUSY;
    case EINVAL:
        um_fail(err, UM_E_INVALID, name, NULL, "is a device, but no tap device");
        return err ? err->code : UM_E_INVALID;
    default:
        return um_fail_errno(err, errnum, name, "cannot attach to the tap device");
    }
}

enum um_code netd_tap_open(const char *name, int *ret_fd, struct um_error *err)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    um_autofd fd = -1;

    if (!name[0] || strlen(name) >= sizeof(request.ifr_name) || strchr(name, '/'))
        return um_fail(err, UM_E_INVALID, name, NULL,
                       "a device's name has 1 to %zu characters, and no slash",
                       sizeof(request.ifr_name) - 1);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return um_fail_errno(err, errno, "/dev/net/tun", "cannot open");
    memcpy(request.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &request) != 0)
        return refused(errno, name, err);
    *ret_fd = fd;
    fd = -1;
    return UM_OK;
}
