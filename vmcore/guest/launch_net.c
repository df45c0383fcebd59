/*
 * Net devices of a guest: what its kernel is told. The kernel connects to umlmon's socket when the
 * interface goes up (docs/networks.md), which is the same path inside the sandbox and outside.
 */
#include "vmcore/guest/launch_internal.h"

#include <stdio.h>
#include <string.h>

const char *launch_net_interface(const struct device *v, char *buf, size_t size)
{
    snprintf(buf, size, "vec%d", v->index);
    return buf;
}

const char *launch_net_socket(const struct device *v, const char *inner_dir, char *buf, size_t size)
{
    snprintf(buf, size, "%s/net%d", inner_dir, v->index);
    return buf;
}

const char *launch_net_word(const struct device *v, const char *inner_dir,
                            char buf[LAUNCH_NIC_SIZE])
{
    char mac[18];
    int n = snprintf(buf, LAUNCH_NIC_SIZE, "vec%d:transport=bess,dst=%s/net%d", v->index, inner_dir,
                     v->index);

    if (device_net_has_mac(v))
        n += snprintf(buf + n, LAUNCH_NIC_SIZE - (size_t)n, ",mac=%s",
                      device_mac_text(v->net->mac, mac));
    if (v->net->mtu)
        snprintf(buf + n, LAUNCH_NIC_SIZE - (size_t)n, ",mtu=%u", v->net->mtu);
    return buf;
}

static bool has_transport(const struct launch_kernel *k, const char *name)
{
    /* uml(kernel): one driver is both. */
    if (strcmp(name, "ucast") == 0)
        name = "mcast";
    for (const char *const *t = k->transports; t && *t; t++)
        if (strcmp(*t, name) == 0)
            return true;
    return false;
}

enum um_code launch_check_nics(const struct guest_definition *d, const struct launch_kernel *k,
                               struct um_error *err)
{
    char object[96], name[32];

    for (size_t i = 0; i < d->device_count; i++) {
        const struct device *v = &d->devices[i];

        launch_object(d, object, sizeof(object));
        device_name(v, name, sizeof(name));
        if (v->kind == DEVICE_ETH && !has_transport(k, v->nic.transport))
            um_fail(err, UM_E_UNSUPPORTED, object, name, "its kernel, %s, has no transport %s",
                    k->path, v->nic.transport);
        else if ((v->kind == DEVICE_NET || v->kind == DEVICE_VEC) && !k->vec)
            um_fail(err, UM_E_UNSUPPORTED, object, name, "its kernel, %s, has no vector devices",
                    k->path);
        else
            continue;
        um_hint(err, "umlctl kernel list shows what each kernel has");
        return UM_E_UNSUPPORTED;
    }
    return UM_OK;
}
