/*
 * config and remove, with the answers a Debian 6.1 kernel gives (reference, section 1.7).
 */
#include "fake_guest.h"

#include <errno.h>

static const char *const drivers[] = {"con", "ssl", "ubd", "eth", "vec", "mem"};

struct device *device_find(const char *name)
{
    for (int i = 0; i < DEVICE_COUNT; i++)
        if (str_equal(guest.devices[i].name, name))
            return &guest.devices[i];
    return NULL;
}

void device_set(const char *name, const char *spec)
{
    struct device *d = device_find(name);

    for (int i = 0; i < DEVICE_COUNT && !d; i++)
        if (!guest.devices[i].name[0])
            d = &guest.devices[i];
    if (!d)
        return;
    *d = (struct device){.name = ""};
    put(&(struct text){d->name, 0, sizeof(d->name)}, name);
    put(&(struct text){d->spec, 0, sizeof(d->spec)}, spec);
}

static const char *driver_of(const char *arg)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (str_starts(arg, drivers[i]))
            return drivers[i];
    return NULL;
}

static long fail(struct text *reply, long err, const char *why)
{
    put(reply, why);
    return err;
}

static long query(const char *driver, const char *name, struct text *reply)
{
    const struct device *d = device_find(name);

    if (str_equal(driver, "eth") || str_equal(driver, "vec"))
        return fail(reply, 1, "No get_config routine defined");
    if (str_equal(driver, "mem"))
        put(reply, "1610612736"); /* the kernel prints the base of its memory, not a size */
    else if (d)
        put(reply, d->spec);
    else if (str_equal(driver, "con") || str_equal(driver, "ssl"))
        put(reply, "none");
    else if (str_equal(name, "ubd0"))
        put(reply, "root_fs");
    return 0;
}

static long set_ubd(const char *name, const char *spec, struct text *reply)
{
    char path[SPEC_SIZE];
    struct text t = {path, 0, sizeof(path)};
    const char *end = str_find(spec, ',');

    if (device_find(name) || str_equal(name, "ubd0"))
        return fail(reply, -EBUSY, "Device is already configured");
    put_n(&t, spec, end ? (size_t)(end - spec) : strlen(spec));
    if (SYS(access, path, 0) < 0)
        return fail(reply, -ENOENT, "Couldn't determine size of device's file");
    device_set(name, spec);
    return 0;
}

static long set(const char *driver, const char *name, const char *spec, struct text *reply)
{
    if (str_equal(driver, "mem"))
        return *spec == '-' || *spec == '+'
                   ? 0
                   : fail(reply, -EINVAL, "Expected increment to start with '-' or '+'");
    if (strlen(name) == strlen(driver))
        return fail(reply, -EINVAL, "Can't configure all devices from mconsole");
    if (str_equal(driver, "ubd"))
        return set_ubd(name, spec, reply);
    if (str_equal(driver, "con") || str_equal(driver, "ssl")) {
        if (console_is_open(name))
            return fail(reply, -EINVAL, "Device is already open");
    } else if (device_find(name)) {
        return fail(reply, -EINVAL, "Device already configured");
    }
    device_set(name, spec);
    return 0;
}

long device_config(const char *arg, struct text *reply)
{
    const char *driver = driver_of(arg);
    const char *equals = str_find(arg, '='), *mark;
    char name[NAME_SIZE];
    struct text t = {name, 0, sizeof(name)};

    if (!driver)
        return fail(reply, 1, "Bad configuration option");
    mark = equals && str_equal(driver, "vec") ? str_find(arg, ':') : equals;
    if (equals && !mark)
        return fail(reply, -EINVAL, "Expected ':' after device number");
    put_n(&t, arg, mark ? (size_t)(mark - arg) : strlen(arg));
    /* flags of a disk are no part of its name */
    while (mark && str_equal(driver, "ubd") && t.len > 4 && name[t.len - 1] >= 'a')
        name[--t.len] = '\0';
    return mark ? set(driver, name, mark + 1, reply) : query(driver, name, reply);
}

long device_remove(const char *arg, struct text *reply)
{
    const char *driver = driver_of(arg);
    struct device *d = device_find(arg);

    if (!driver)
        return fail(reply, 1, "Bad remove option");
    if (str_equal(driver, "mem"))
        return fail(reply, -EBUSY, "Memory doesn't support the remove operation");
    if (arg[3] < '0' || arg[3] > '9')
        return fail(reply, 1, "Couldn't parse device number");
    if (!d && str_equal(arg, "ubd0"))
        guest_panic("Segfault with no mm"); /* as all real ones do: root_fs was never opened */
    if (!d)
        return fail(reply, -ENODEV, "Device doesn't exist");
    if (console_is_open(arg))
        return fail(reply, -EINVAL, "Device is already open");
    if (str_equal(arg, "ubd0") || (guest.script.busyubd && str_starts(arg, "ubd")))
        return fail(reply, -EBUSY, "Device is currently open");
    d->name[0] = '\0';
    return 0;
}
