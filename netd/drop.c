#include "netd/drop.h"

#include "vmcore/base/macros.h"

static const struct {
    const char *name;
    const char *text;
} drops[] = {
#define ROW(id, name, text) [NETD_DROP_##id] = {name, text},
    NETD_DROPS(ROW)
#undef ROW
};

const char *netd_drop_name(enum netd_drop reason)
{
    return drops[reason].name;
}

const char *netd_drop_text(enum netd_drop reason)
{
    return drops[reason].text;
}
