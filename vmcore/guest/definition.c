/*
 * A definition as an object: copy, lookup, change. Its checks are in definition_check.c (pure) and
 * definition_files.c (the host).
 */
#include "vmcore/guest/definition.h"

#include "vmcore/guest/device_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const restart_names[RESTART_COUNT] = {
    [RESTART_NEVER] = "never",
    [RESTART_ON_FAILURE] = "onFailure",
    [RESTART_ALWAYS] = "always",
};

static const char *const ready_names[READY_COUNT] = {
    [READY_NOTIFY] = "notify",
    [READY_KERNEL] = "kernel",
    [READY_CONSOLE] = "console",
};

static const char *const hang_names[HANG_COUNT] = {
    [HANG_EVENT] = "event",
    [HANG_NONE] = "none",
    [HANG_RESTART] = "restart",
    [HANG_KILL] = "kill",
};

static int index_of(const char *const *names, int n, const char *s)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], s) == 0)
            return i;
    return -1;
}

const char *guest_restart_name(enum guest_restart r)
{
    return (unsigned)r < RESTART_COUNT ? restart_names[r] : "?";
}

bool guest_restart_from_name(const char *s, enum guest_restart *ret)
{
    int i = index_of(restart_names, RESTART_COUNT, s);

    if (i >= 0)
        *ret = (enum guest_restart)i;
    return i >= 0;
}

const char *guest_ready_name(enum guest_ready r)
{
    return (unsigned)r < READY_COUNT ? ready_names[r] : "?";
}

bool guest_ready_from_name(const char *s, enum guest_ready *ret)
{
    int i = index_of(ready_names, READY_COUNT, s);

    if (i >= 0)
        *ret = (enum guest_ready)i;
    return i >= 0;
}

const char *guest_hang_name(enum guest_hang h)
{
    return (unsigned)h < HANG_COUNT ? hang_names[h] : "?";
}

bool guest_hang_from_name(const char *s, enum guest_hang *ret)
{
    int i = index_of(hang_names, HANG_COUNT, s);

    if (i >= 0)
        *ret = (enum guest_hang)i;
    return i >= 0;
}

void guest_definition_done(struct guest_definition *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->device_count; i++)
        device_done(&d->devices[i]);
    free(d->devices);
    free(d->name);
    free(d->kernel);
    free(d->ready_pattern);
    um_strv_done(&d->cmdline);
    um_strv_done(&d->labels);
    um_strv_done(&d->depends);
    um_strv_done(&d->protect);
    *d = GUEST_DEFINITION_INIT;
}

static bool copy_string(const char *from, char **ret)
{
    *ret = from ? strdup(from) : NULL;
    return !from || *ret;
}

static bool copy_devices(const struct guest_definition *from, struct guest_definition *to)
{
    if (!from->device_count)
        return true;
    to->devices = calloc(from->device_count, sizeof(*to->devices));
    if (!to->devices)
        return false;
    for (; to->device_count < from->device_count; to->device_count++)
        if (!device_copy(&from->devices[to->device_count], &to->devices[to->device_count]))
            return false;
    return true;
}

bool guest_definition_copy(const struct guest_definition *from, struct guest_definition *ret)
{
    struct guest_definition d = *from;

    d.name = d.kernel = d.ready_pattern = NULL;
    d.devices = NULL;
    d.device_count = 0;
    d.cmdline = d.labels = d.depends = d.protect = (struct um_strv){NULL, 0};
    if (copy_string(from->name, &d.name) && copy_string(from->kernel, &d.kernel) &&
        copy_string(from->ready_pattern, &d.ready_pattern) && copy_devices(from, &d) &&
        um_strv_copy(&from->cmdline, &d.cmdline) && um_strv_copy(&from->labels, &d.labels) &&
        um_strv_copy(&from->depends, &d.depends) && um_strv_copy(&from->protect, &d.protect)) {
        *ret = d;
        return true;
    }
    guest_definition_done(&d);
    return false;
}

/* `ubdb`, `ubd01` and `ubd1` are the same device. */
static bool same_name(const struct device *d, const char *name)
{
    const char *kind = device_kind_name(d->kind), *end;
    int index = -1;

    if (!um_str_starts(name, kind))
        return false;
    name += strlen(kind);
    if (!*name)
        return d->index == -1;
    if (d->kind == DEVICE_UBD && *name >= 'a' && *name < 'a' + DEVICE_UBD_MAX && !name[1])
        return d->index == *name - 'a';
    return d->index >= 0 && device_unit(name, 1000, &index, &end) && !*end && index == d->index;
}

static size_t position(const struct guest_definition *d, const char *name)
{
    size_t i = 0;

    while (i < d->device_count && !same_name(&d->devices[i], name))
        i++;
    return i;
}

const struct device *guest_definition_find(const struct guest_definition *d, const char *name)
{
    size_t i = position(d, name);

    return i < d->device_count ? &d->devices[i] : NULL;
}

uint64_t guest_definition_memory(const struct guest_definition *d)
{
    const struct device *mem = guest_definition_find(d, "mem");

    return mem ? mem->mem : GUEST_MEMORY_DEFAULT;
}

bool guest_definition_set(struct guest_definition *d, struct device *device)
{
    char name[32];
    size_t i = position(d, device_name(device, name, sizeof(name)));

    if (i == d->device_count) {
        struct device *more = reallocarray(d->devices, i + 1, sizeof(*more));

        if (!more)
            return false;
        d->devices = more;
        d->device_count++;
    } else {
        device_done(&d->devices[i]);
    }
    d->devices[i] = *device;
    memset(device, 0, sizeof(*device));
    return true;
}

bool guest_definition_unset(struct guest_definition *d, const char *name)
{
    size_t i = position(d, name);
    enum guest_limit limit;

    if (um_str_starts(name, "limit:") && guest_limit_from_name(name + 6, &limit) &&
        d->limits.value[limit]) {
        d->limits.value[limit] = 0;
        return true;
    }
    if (i == d->device_count)
        return false;
    device_done(&d->devices[i]);
    d->device_count--;
    memmove(&d->devices[i], &d->devices[i + 1], (d->device_count - i) * sizeof(*d->devices));
    return true;
}
